"""The parts of the Predict page: what to predict, the predictions, and a walk through them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.charts.predictions import Stretch, stretch
from moola_core.diagnostics.results import Expansion, Predicted
from moola_core.market.library import Dataset
from moola_core.runs.store import Run
from moola_core.specs import Data, Predict
from moola_core.ui import loaders, selecting, state, widgets
from moola_core.ui.widgets import escape_markdown, figures

SHOWN_BARS = 300
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


def summary(predicted: Predicted) -> None:
    """How many of which class, how far the fits agree, and what not to trust."""
    values = {"Windows": (f"{predicted.windows:,}", f"by {predicted.fits} fits")}
    values |= {
        name: (f"{count:,}", f"{count / max(predicted.windows, 1):.0%} of the windows")
        for name, count in predicted.counts.items()
    }
    if predicted.agreement is not None:
        values["Agreement"] = (f"{predicted.agreement:.0%}", "of the models agree with the ensemble")
    if predicted.foreign is not None:
        values["Out-of-distribution"] = (
            f"{predicted.foreign:,}",
            "further from the training windows than 99% of those",
        )
    figures(values)
    if predicted.foreign is not None and predicted.foreign > 0.05 * predicted.windows:
        st.warning(
            "Many of these windows are unlike those that the run was trained on. Do not trust their predictions.",
            icon=":material/warning:",
        )
    if predicted.training:
        st.caption(
            f"{predicted.training:,} share bars with windows that the models were trained on: accuracy there is too "
            "optimistic."
        )


def download(child: Run) -> None:
    """The rows as Parquet."""
    st.download_button(
        "Predictions as Parquet",
        (child.folder / "predicted.parquet").read_bytes,
        f"{child.id}.parquet",
        icon=":material/download:",
        on_click="ignore",
    )


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
    first = _place(predicted, len(bars))
    near = slice(max(0, first), min(len(bars), first + SHOWN_BARS))
    center = table["first_bar"].to_numpy() + (table["start_pred"] + table["end_pred"]).to_numpy() / 2
    rows = table[(center >= near.start) & (center < near.stop)]
    answer = rows["predicted"].astype(str).to_numpy()
    zone = loaders.reading_of(Path(child.spec.data.bars)).exchange_tz
    times = pd.DatetimeIndex(bars.time[near], tz="UTC").tz_convert(zone).strftime("%H:%M %d %b")
    view = Stretch(
        near.start,
        bars.ohlc[near],
        list(times),
        center[rows.index],
        np.array([row[f"p_{name}"] for (_, row), name in zip(rows.iterrows(), answer, strict=True)], float),
        answer,
        rows["foreign"].to_numpy() if "foreign" in rows else np.zeros(len(rows), bool),
        [one for one in predicted.expansions if one.first < near.stop and one.last >= near.start],
    )
    widgets.chart(stretch(view, predicted.classes, widgets.appearance()), "walk", "Candles with predicted expansions")
    st.caption(
        "Shaded: at least half of the windows over these bars see the expansion there. Points: where each window sees its "
        "center, and the probability of its class; crosses are out-of-distribution windows."
    )


def _place(predicted: Predicted, bars: int) -> int:
    """The first bar to draw: around a selected expansion, or where the slider stands."""
    if not predicted.expansions:
        st.caption(
            "Overlapping windows point to different bars: their pointers move with the window, not with the bars. Look "
            "at the pointer errors on the Performance page before you use them."
        )
        return st.slider("From bar", 0, max(bars - SHOWN_BARS, 1), 0, step=SHOWN_BARS // 2, key="from_bar")
    at = (
        st.select_slider(
            "Expansion",
            range(len(predicted.expansions)),
            key="expansion",
            format_func=lambda i: _named(predicted.expansions[i]),
        )
        if len(predicted.expansions) > 1
        else 0
    )
    one = predicted.expansions[at]
    st.markdown(
        f"**{escape_markdown(one.label)}** with {one.probability:.2f}, {one.last - one.first + 1} bars from {one.start_time} UTC; "
        f"{one.support:.0%} of the windows over it agree."
    )
    return (one.first + one.last) // 2 - SHOWN_BARS // 2


def _named(one: Expansion) -> str:
    return f"{one.start_time[5:16]} {one.label}"
