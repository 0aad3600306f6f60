"""The parts of the Predict page: what to predict, and the predictions of windows."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from moola_core.market.library import Dataset
from moola_core.runs.store import Run
from moola_core.specs import Data, Predict
from moola_core.ui import loaders, selecting, state, widgets

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
