"""Attribution of a run, as a part of the Performance page; it is computed when it is asked for."""

from __future__ import annotations

import numpy as np
import streamlit as st

from moola_core.charts import attribution as charts
from moola_core.diagnostics.results import Attribution
from moola_core.market.library import Dataset
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext, without_network
from moola_core.sections.registry import make
from moola_core.specs import Diagnose
from moola_core.ui import loaders, progress, render, state, widgets, window_table, window_view
from moola_core.ui.widgets import escape_markdown


def attribution(run: Run, dataset: Dataset | None) -> None:
    """What each group of inputs contributes to the predictions of the models that did not see the window."""
    absent = without_network(run.spec, "attribution")
    if absent:
        widgets.empty_state("No attribution", escape_markdown(absent), [("See the features", _open_features)])
        return
    child = loaders.diagnosed_run(run, "attribution")
    if child is None:
        widgets.empty_state(
            "Not computed yet",
            "Shapley values of every window of the first repeat, by the model that did not train on it. This takes half a minute "
            "to a few minutes for 174 windows, and longer for extra trees, large networks and MiniRocket on many features.",
            [("Compute it", lambda: _start(run))],
        )
        return
    record = child.record
    if record.active:
        progress.follow(child, record, progress.bar)
        return
    result = loaders.diagnostic(child, "attribution") if record.state == "done" else record.error
    if not isinstance(result, Attribution):
        widgets.empty_state(
            "This could not be computed", escape_markdown(str(result)), [("Try again", lambda: _start(run))]
        )
        return
    render.section(make("attribution", ReportContext(run, computed=child)))
    st.header("One window")
    _one_window(run, result, result.outputs[st.session_state.get("attribution-output", 0)], dataset)


def _one_window(run: Run, result: Attribution, output: str, dataset: Dataset | None) -> None:
    """The sum that leads to one window's prediction, next to its candles."""
    look = widgets.appearance()
    explained = sorted(set(result.window_id))
    state.init_state(state.EXPLAINED, explained, explained[0])
    state.write_query_params((state.EXPLAINED,), {state.EXPLAINED: explained[0]})
    with st.container(horizontal=True, vertical_alignment="bottom"):
        window = st.selectbox("Window", explained, key=state.EXPLAINED, width=260)
        if st.button("Open it", icon=":material/candlestick_chart:"):
            state.open_windows(window=window)
    left, right = st.columns(2, gap="large")
    with left:
        widgets.chart(
            charts.waterfall(result, window, output, look),
            "waterfall",
            f"From the base value to the prediction for {window}",
        )
    if dataset is None or dataset.windows is None:
        return
    windows = loaders.windows_of(dataset.windows, dataset.bars)
    rows = np.flatnonzero(windows.window_id.astype(str) == window)
    if len(rows):
        predicted = window_table.of_window(loaders.predictions(run), window, 0)
        shown = window_view.view(windows, int(rows[0]), dataset, predicted)
        with right:
            widgets.chart(window_view.drawn(shown, look), "explained_candles", f"Candles and features of {window}")


def _open_features() -> None:
    state.open_page("features")


def _start(run: Run) -> None:
    loaders.launcher().submit(Diagnose(name="attribution", run=run.id), parent=run.id)
    st.rerun()
