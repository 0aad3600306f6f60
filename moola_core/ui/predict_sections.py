"""The parts of the Predict page: what to predict, and the predictions of windows."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from moola_core.market.library import Dataset
from moola_core.runs.store import Run
from moola_core.specs import Data, Predict
from moola_core.ui import loaders, selecting, state, widgets

SOURCES = {"bars": "bars, at a stride", "windows": "windows"}
STRIDE_BARS, MOST_STRIDE = 5, 1000


def ask(run: Run, datasets: list[Dataset]) -> None:
    """The form: of which data, how densely."""
    by_name = {dataset.name: dataset for dataset in datasets}
    state.init_state(state.PREDICTED_DATA, list(by_name), next(iter(by_name)))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Dataset", list(by_name), key=state.PREDICTED_DATA, width=280)
        dataset = by_name[name]
        offered = [kind for kind in SOURCES if getattr(dataset, kind)]
        state.init_state(state.PREDICTED_OF, offered, offered[0])
        state.choose_number(state.STRIDE, 1, MOST_STRIDE, STRIDE_BARS)
        kind = st.segmented_control(
            "Predict", offered, format_func=SOURCES.__getitem__, required=True, key=state.PREDICTED_OF, wrap=True
        )
        stride = STRIDE_BARS
        if kind == "bars":
            stride = st.number_input("Stride, bars", 1, MOST_STRIDE, key=state.STRIDE, width=140)
        defaults = {
            state.PREDICTED_DATA: next(iter(by_name)),
            state.PREDICTED_OF: offered[0],
            state.STRIDE: STRIDE_BARS,
        }
        state.write_query_params(state.OF_PREDICTION, defaults)
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
