"""Calibration of a run, as a part of the Results page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts import calibration as calibration_charts
from moola_core.diagnostics.results import Calibration, CalibrationReport
from moola_core.metrics.probability import brier_title
from moola_core.runs.store import Run
from moola_core.sections.formatting import probability
from moola_core.sections.headlines import of_calibration, of_recalibration
from moola_core.ui import loaders, widgets
from moola_core.ui.widgets import figures, literal


def calibration(run: Run) -> None:
    """How honest the probabilities are, and what a threshold or a recalibration would change."""
    report = loaders.diagnostic(run, "calibration")
    if not isinstance(report, CalibrationReport):
        widgets.empty("No calibration", literal(report))
        return
    number = 0
    if len(report.repeats) > 1:
        number = st.selectbox(
            "Repeat",
            range(len(report.repeats)),
            key="calibration_repeat",
            format_func=lambda i: f"repeat {report.repeats[i].repeat + 1}",
            width=180,
        )
    found, look = report.repeats[number], widgets.appearance()
    error, brier = found.errors[0], brier_title(report.brier_convention)
    figures(
        {
            "ECE": (f"{error.value:.3f}", f"95% interval {error.low:.3f} to {error.high:.3f}"),
            "Honest models": (f"{error.null_median:.3f}", f"median; 95% stay below {error.null_95:.3f}"),
            "p of being honest": (probability(found.p_value), "an honest model's ECE as large"),
            "Spiegelhalter's z": (f"{found.spiegelhalter_z:.2f}", "honest within ±1.96"),
            brier: (f"{found.brier['brier']:.3f}", f"{found.brier['reliability']:.3f} of it from dishonesty"),
        }
    )
    st.markdown(widgets.verdict(of_calibration(report)))
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Reliability")
        st.caption(
            "On the dotted line, what is said comes true. Points inside the grey bars are what an honest model of this size shows."
        )
        widgets.chart(
            calibration_charts.reliability(found, look), "reliability", "Share right against stated probability"
        )
    with right:
        st.subheader("The same run, other conventions")
        st.caption(
            "Each convention has its own noise: a point inside its grey bar says nothing. Means over folds look worst of all."
        )
        widgets.chart(
            calibration_charts.conventions(found.errors, look), "conventions", "Calibration error by convention"
        )
    st.subheader("Recalibrated on other folds")
    st.markdown(widgets.verdict(of_recalibration(report)))
    st.caption("Each fold is recalibrated by a map fitted on the others.")
    rows = [
        {
            "method": row.method,
            "ECE": row.ece,
            "log loss": row.log_loss,
            brier: row.brier,
            "accuracy": row.accuracy,
            "temperature": row.parameter,
        }
        for row in found.recalibrated
    ]
    widgets.table(pd.DataFrame(rows).set_index("method"), "recalibrated")
    _threshold(run, found, look)


def _threshold(run: Run, found: Calibration, look: str) -> None:
    st.subheader("A threshold")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Class", found.classes, key="threshold_class", width=220)
        cut = st.slider("Answer it from this probability on", 0.02, 0.98, 0.5, 0.01, key="threshold")
    predictions = loaders.predictions(run)
    assert predictions is not None
    rows = predictions[predictions["repeat"] == found.repeat]
    p, positive = rows[f"p_{name}"].to_numpy(float), (rows["label"] == name).to_numpy()
    precision, recall = calibration_charts.precision_recall(p, positive, cut)
    told = [
        f"**{title} {value:.2f}**" if value is not None else f"{title} –"
        for title, value in (("precision", precision), ("recall", recall))
    ]
    st.markdown(f"{int((p >= cut).sum())} of {len(p)} windows answered {literal(str(name))}: {', '.join(told)}")
    widgets.chart(
        calibration_charts.threshold(p, positive, cut, str(name), look),
        "thresholds",
        "Precision and recall by threshold",
    )
