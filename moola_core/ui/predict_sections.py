"""The parts of the Predict page: what to ask, what was said, and a walk through it."""

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
from moola_core.ui.widgets import figures, literal

SHOWN_BARS = 300
SOURCES = {"bars": "bars, at a stride", "windows": "windows"}


def ask(run: Run, datasets: list[Dataset]) -> None:
    """The form: of which data, how densely."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        dataset = st.selectbox("Dataset", datasets, format_func=lambda found: found.name, key="predict_data", width=280)
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
    """Which data was asked about, and when."""
    data = child.spec.data
    what = Path(data.windows).name if data.windows else f"{Path(data.bars).name}, every {child.spec.stride} bars"
    return f"{what} · {widgets.moment(child.record.created)}"


def summary(found: Predicted) -> None:
    """How many of which class, how far the fits agree, and what not to trust."""
    told = {"Windows": (f"{found.windows:,}", f"by {found.fits} fits")}
    told |= {
        name: (f"{count:,}", f"{count / max(found.windows, 1):.0%} of the windows")
        for name, count in found.counts.items()
    }
    if found.agreement is not None:
        told["Agreement"] = (f"{found.agreement:.0%}", "of the fits answer as the ensemble")
    if found.foreign is not None:
        told["Foreign"] = (f"{found.foreign:,}", "further from the training windows than 99% of those")
    figures(told)
    if found.foreign is not None and found.foreign > 0.05 * found.windows:
        st.warning(
            "Many of these windows are unlike those that the run was trained on. Do not trust their answers.",
            icon=":material/warning:",
        )
    if found.training:
        st.caption(
            f"{found.training:,} share bars with windows that the fits trained on: for these the answers flatter."
        )


def download(child: Run) -> None:
    """The rows as Parquet."""
    st.download_button(
        "Predictions as Parquet", (child.folder / "predicted.parquet").read_bytes, f"{child.id}.parquet",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def windows(child: Run) -> None:
    """A table of the asked windows, the surest first."""
    table = loaders.table(child, "predicted")
    order = table.sort_values("agreement", ascending=False) if "agreement" in table else table
    widgets.table(order.set_index("window_id"), "predicted_windows")


def walk(child: Run, found: Predicted) -> None:
    """The bars with what was said of them, expansion by expansion or stretch by stretch."""
    table = loaders.table(child, "predicted")
    bars = loaders.bars_of(child.spec.data.bars)
    if "start_pred" not in table or "predicted" not in table:
        st.caption("This run has no pointers or no classes, so there are no expansions to walk through.")
        return
    first = _place(found, len(bars))
    near = slice(max(0, first), min(len(bars), first + SHOWN_BARS))
    center = table["first_bar"].to_numpy() + (table["start_pred"] + table["end_pred"]).to_numpy() / 2
    rows = table[(center >= near.start) & (center < near.stop)]
    answer = rows["predicted"].astype(str).to_numpy()
    zone = loaders.reading_of(Path(child.spec.data.bars)).exchange_tz
    times = pd.DatetimeIndex(bars.time[near], tz="UTC").tz_convert(zone).strftime("%H:%M %d %b")
    view = Stretch(
        near.start, bars.ohlc[near], list(times), center[rows.index],
        np.array([row[f"p_{name}"] for (_, row), name in zip(rows.iterrows(), answer, strict=True)], float), answer,
        rows["foreign"].to_numpy() if "foreign" in rows else np.zeros(len(rows), bool),
        [one for one in found.expansions if one.first < near.stop and one.last >= near.start],
    )  # fmt: skip
    widgets.chart(stretch(view, found.classes, widgets.appearance()), "walk", "Candles with predicted expansions")
    st.caption(
        "Shaded: at least half of the windows over these bars see the expansion there. Points: where each window sees its "
        "center, and the probability of its class; crosses are foreign windows."
    )


def _place(found: Predicted, bars: int) -> int:
    """The first bar to draw: around a chosen expansion, or where the slider stands."""
    if not found.expansions:
        st.caption(
            "The windows do not agree on any expansion: their pointers move with the window, not with the bars. Look at the "
            "pointer errors on the Results page before you use them."
        )
        return st.slider("From bar", 0, max(bars - SHOWN_BARS, 1), 0, step=SHOWN_BARS // 2, key="from_bar")
    at = (
        st.select_slider(
            "Expansion",
            range(len(found.expansions)),
            key="expansion",
            format_func=lambda i: _named(found.expansions[i]),
        )
        if len(found.expansions) > 1
        else 0
    )
    one = found.expansions[at]
    st.markdown(
        f"**{literal(one.label)}** with {one.probability:.2f}, {one.last - one.first + 1} bars from {one.start_time} UTC; "
        f"{one.support:.0%} of the windows over it agree."
    )
    return (one.first + one.last) // 2 - SHOWN_BARS // 2


def _named(one: Expansion) -> str:
    return f"{one.start_time[5:16]} {one.label}"
