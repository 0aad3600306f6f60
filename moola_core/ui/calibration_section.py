"""Calibration of a run, as a part of the Performance page."""

from __future__ import annotations

import streamlit as st

from moola_core.charts import calibration as calibration_charts
from moola_core.diagnostics.results import Calibration, CalibrationReport
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import make
from moola_core.ui import loaders, render, state, widgets
from moola_core.ui.widgets import escape_markdown

BETWEEN, EVEN = (0.02, 0.98), 0.5


def calibration(run: Run) -> None:
    """How well the probabilities are calibrated, and what a threshold would change."""
    render.section(make("calibration", ReportContext(run)), "No calibration")
    report = loaders.diagnostic(run, "calibration")
    if isinstance(report, CalibrationReport):
        _threshold(run, report.repeats[st.session_state.get("calibration-repeat", 0)])


def _threshold(run: Run, result: Calibration) -> None:
    st.header("Decision threshold")
    state.init_state(state.CUT_CLASS, result.classes, result.classes[0])
    state.init_fraction(state.CUT, *BETWEEN, EVEN)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Class", result.classes, key=state.CUT_CLASS, width=220)
        cut = st.slider("Probability threshold", *BETWEEN, step=0.01, key=state.CUT)
    state.write_query_params((state.CUT_CLASS, state.CUT), {state.CUT_CLASS: result.classes[0], state.CUT: EVEN})
    predictions = loaders.predictions(run)
    assert predictions is not None
    rows = predictions[predictions["repeat"] == result.repeat]
    p, positive = rows[f"p_{name}"].to_numpy(float), (rows["label"] == name).to_numpy()
    precision, recall = calibration_charts.precision_recall(p, positive, cut)
    scores = [
        f"**{title} {value:.2f}**" if value is not None else f"{title} –"
        for title, value in (("precision", precision), ("recall", recall))
    ]
    st.markdown(
        f"{int((p >= cut).sum())} of {len(p)} windows predicted {escape_markdown(str(name))}: {', '.join(scores)}"
    )
    widgets.chart(
        calibration_charts.threshold(p, positive, cut, str(name), widgets.appearance()),
        "thresholds",
        "Precision and recall by threshold",
    )
