"""The parts of the Predict page: what to predict, the predictions, and a walk through them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.charts.predictions import Stretch, stretch
from moola_core.diagnostics.results import Expansion, Predicted
from moola_core.diagnostics.results.predictions import LEAST_STATED
from moola_core.market.library import Dataset
from moola_core.runs.predictions import STATED, is_class
from moola_core.runs.store import Run
from moola_core.specs import Data, Predict
from moola_core.ui import loaders, selecting, state, stepper, widgets
from moola_core.ui.widgets import escape_markdown

SHOWN_BARS, EXPANSION_PIXELS = 300, 400
EXPANSION = "expansion"
VOTED = (
    "Shaded: at least half of the windows over these bars see the expansion there. Points: where each window sees its center, and the "
    "probability of its class; crosses are out-of-distribution windows. Step with the ← and → keys."
)
RANKED = (
    "Shaded: the expansions; where those of several windows overlap, the one with the largest stated probability is kept. Points: where "
    "each window sees its center, and the probability that it states; crosses are out-of-distribution windows. Step with the ← and → keys."
)
CAUTION = (
    "The stated probability assumes that a window holds one expansion, as the labelled windows do. Over bars many windows hold none, so it "
    "comes true less often: prefer expansions on which many windows agree, and whose probability is not lower than in most labelled windows."
)
SOURCES = {"bars": "bars, at a stride", "windows": "windows"}


def ask(run: Run, datasets: list[Dataset]) -> None:
    """The form: of which data, how densely."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        dataset = st.selectbox("Dataset", datasets, format_func=lambda item: item.name, key="predict_data", width=280)
        offered = [kind for kind in SOURCES if getattr(dataset, kind)]
        kind = st.segmented_control(
            "Predict",
            offered,
            format_func=lambda name: SOURCES[name],
            default=offered[0],
            required=True,
            key="predict_kind",
        )
        stride = st.number_input("Stride, bars", 1, 1000, 5, key="stride", width=140) if kind == "bars" else 5
        if st.button("Predict", type="primary", icon=":material/play_arrow:"):
            values = loaders.data_of(dataset)
            if kind == "bars":
                values = {name: value for name, value in values.items() if name.startswith("bars")}
            spec = Predict(run=run.id, data=Data(**values), stride=int(stride))
            selecting.put(state.PREDICTION, loaders.launcher().submit(spec, parent=run.id))
            st.rerun()


def title(child: Run) -> str:
    """Which data was predicted, and when."""
    data = child.spec.data
    what = Path(data.windows).name if data.windows else f"{Path(data.bars).name}, every {child.spec.stride} bars"
    return f"{what} · {widgets.format_time(child.record.created)}"


def windows(child: Run) -> None:
    """A table of the predicted windows, the surest first."""
    table = loaders.table(child, "predicted")
    order = table.sort_values("agreement", ascending=False) if "agreement" in table else table
    widgets.table(order.set_index("window_id"), "predicted_windows")


def walk(child: Run, predicted: Predicted) -> None:
    """The bars with their predictions, expansion by expansion or stretch by stretch."""
    table = loaders.table(child, "predicted")
    bars = loaders.bars_of(child.spec.data.bars)
    if "start_pred" not in table or "predicted" not in table:
        st.caption("This run has no pointers or no classes, so there are no expansions to walk through.")
        return
    stated = table[STATED].to_numpy(float) if STATED in table and not is_class(STATED, predicted.classes) else None
    expansions = _probable(predicted.expansions) if stated is not None else predicted.expansions
    selected = _step(expansions) if expansions else None
    first = _middle(selected) - SHOWN_BARS // 2 if selected else _from_bar(len(bars), stated is None)
    near = slice(max(0, first), min(len(bars), first + SHOWN_BARS))
    center = table["first_bar"].to_numpy() + (table["start_pred"] + table["end_pred"]).to_numpy() / 2
    rows = np.flatnonzero((center >= near.start) & (center < near.stop))
    zone = loaders.reading_of(Path(child.spec.data.bars)).exchange_tz
    times = pd.DatetimeIndex(bars.time[near], tz="UTC").tz_convert(zone).strftime("%H:%M %d %b")
    view = Stretch(
        near.start,
        bars.ohlc[near],
        list(times),
        center[rows],
        _of_class(table.iloc[rows]) if stated is None else stated[rows],
        table["predicted"].astype(str).to_numpy()[rows],
        table["out_of_distribution"].to_numpy()[rows] if "out_of_distribution" in table else np.zeros(len(rows), bool),
        [one for one in expansions if one.first < near.stop and one.last >= near.start],
        stated is not None,
        selected,
    )
    widgets.chart(stretch(view, predicted.classes, widgets.appearance()), "walk", "Candles with predicted expansions")
    st.caption(VOTED if stated is None else f"{RANKED} {CAUTION}")


def _of_class(rows: pd.DataFrame) -> np.ndarray:
    """The probability of each row's predicted class."""
    return np.array([row[f"p_{row['predicted']}"] for _, row in rows.iterrows()], float)


def _probable(expansions: Sequence[Expansion]) -> list[Expansion]:
    """Those whose stated probability reaches the selected threshold, and is not unusual for labelled windows beyond the selected level."""
    state.init_fraction(state.LEAST_STATED, LEAST_STATED, 0.95, 0.8)
    state.init_fraction(state.UNUSUAL, 0.0, 0.5, 0.0)
    with st.container(horizontal=True):
        threshold = st.slider(
            "Least stated probability", LEAST_STATED, 0.95, step=0.05, key=state.LEAST_STATED, width=320
        )
        level = (
            st.slider(
                "Hide the unusual, level",
                0.0,
                0.5,
                step=0.01,
                key=state.UNUSUAL,
                width=320,
                help="Hides expansions that state less than all but this share of your labelled windows do: nothing like the labels may be "
                "there. Of expansions like the labelled ones it hides this share too.",
            )
            if any(one.conformal_p is not None for one in expansions)
            else 0.0
        )
    state.write_query_params((state.LEAST_STATED, state.UNUSUAL), {state.LEAST_STATED: 0.8, state.UNUSUAL: 0.0})
    probable = [one for one in expansions if (one.p_span or 0.0) >= threshold]
    kept = [one for one in probable if one.conformal_p is None or one.conformal_p > level]
    st.caption(
        f"{len(probable):,} of {len(expansions):,} expansions have a stated probability of at least {threshold:.2f}."
        if probable
        else f"No expansion has a stated probability of at least {threshold:.2f}. Choose a lower one to see more."
    )
    if level:
        st.caption(f"{len(probable) - len(kept):,} of them are hidden as unusual at the level {level:.2f}.")
    return kept


def _step(expansions: Sequence[Expansion]) -> Expansion:
    """Draw previous, next and the choice of expansion, and what is known of the selected one; return it."""
    by_bar = {str(one.first): one for one in expansions}
    bars = list(by_bar)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = bars.index(st.session_state[EXPANSION]) if st.session_state.get(EXPANSION) in by_bar else 0
        place = (place + stepper.taken()) % len(bars)
        selecting.put(EXPANSION, bars[place])
        titles = {bar: _named(one, bar) for bar, one in by_bar.items()}
        selecting.select(f"Expansion {place + 1} of {len(bars)}", EXPANSION, titles, width=EXPANSION_PIXELS)
    one = by_bar[bars[place]]
    length = f"{one.last - one.first + 1} bars from {one.start_time} UTC"
    agree = f"{one.support:.0%} of the windows over it agree."
    st.markdown(
        f"**{escape_markdown(one.label)}** with {one.probability:.2f}, {length}; {agree}"
        + (
            ""
            if one.p_span is None
            else f" Stated probability of a center within 3 bars: **{one.p_span:.2f}**{_unusual(one)}."
        )
    )
    return one


def _unusual(one: Expansion) -> str:
    """How the stated probability lies among those of the labelled windows."""
    return "" if one.conformal_p is None else f", lower than in {1 - one.conformal_p:.0%} of your labelled windows"


def _from_bar(bars: int, voted: bool) -> int:
    """The first bar to draw where there is no expansion to go to."""
    if voted:
        st.caption(
            "Overlapping windows point to different bars: their pointers move with the window, not with the bars. Look "
            "at the pointer errors on the Performance page before you use them."
        )
    last = max(bars - SHOWN_BARS, 1)
    state.choose_number(state.FROM_BAR, 0, last, 0)
    state.write_query_params((state.FROM_BAR,), {state.FROM_BAR: 0})
    return st.slider("From bar", 0, last, step=SHOWN_BARS // 2, key=state.FROM_BAR)


def _middle(one: Expansion) -> int:
    return (one.first + one.last) // 2


def _named(one: Expansion, bar: str) -> str:
    """The time at which it starts, its class and its probability; by its first bar, so that no two are named alike."""
    p = one.probability if one.p_span is None else one.p_span
    return f"{one.start_time[5:16].replace('T', ' ')} · {one.label} · {p:.2f} · bar {bar}"
