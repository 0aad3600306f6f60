"""Calibration, balance and errors of a run, as parts of the Results page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from moola_core.charts import balance as balance_charts
from moola_core.charts import calibration as calibration_charts
from moola_core.charts import slices as slice_charts
from moola_core.diagnostics.results import Balance, Calibration, CalibrationReport, Errors, Evaluation, Suspect
from moola_core.metrics.probability import brier_title
from moola_core.runs.store import Run
from moola_core.sections.formatting import probability
from moola_core.sections.headlines import of_balance, of_calibration, of_recalibration
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


def balance(run: Run) -> None:
    """What each task weighed in training."""
    found = loaders.diagnostic(run, "balance")
    if not isinstance(found, Balance):
        widgets.empty("No balance", literal(found))
        return
    low, high = found.sigma_target
    told = {}
    if found.sigma_ratio is not None:
        inside = "inside" if low <= found.sigma_ratio <= high else "outside"
        told["σ pointer / σ class"] = (f"{found.sigma_ratio:.2f}", f"{inside} [{low:g}, {high:g}]")
    if found.sigma_expected is not None:
        told["The losses imply"] = (f"{found.sigma_expected:.2f}", "where σ would settle in time")
    if found.gradient_ratio is not None:
        told["Pointer gradient"] = (f"{found.gradient_ratio:.3f} ×", "the class's, shared parameters")
    if found.conflict_rate is not None:
        told["Conflicts"] = (f"{found.conflict_rate:.0%}", f"of {found.measured:,} measured steps")
    told["Projected"] = (
        f"{found.projection_rate or 0:.0%}",
        f"PCGrad at {found.pcgrad_threshold:g}" if found.pcgrad else "PCGrad is off",
    )
    told["Shared parameters"] = (f"{found.shared_parameters:,}", "trained by both tasks")
    figures(told)
    st.markdown(widgets.verdict(of_balance(found)))
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Losses and σ")
        st.caption(
            "A small pointer loss is not a silenced task: read the errors in bars under Metrics. σ is learned, and starts at 1."
        )
        rows = [
            {"task": t.task, "loss, first epoch": t.loss_start, "loss, end": t.loss_end, "inner, end": t.inner_end, "σ, start": t.sigma_start,
             "σ, end": t.sigma_end, "gradient norm": t.gradient_norm}
            for t in found.tasks
        ]  # fmt: skip
        widgets.table(pd.DataFrame(rows).set_index("task").T, "balance_table")
    with right:
        st.subheader("Do the tasks pull apart?")
        st.caption(
            "Left of 0 a step for one task is a step back for the other. Around 0 they do not meet, and PCGrad has nothing to do."
        )
        if found.measured:
            widgets.chart(
                balance_charts.cosines(found, widgets.appearance()), "cosines", "Cosine of the tasks' gradients"
            )
        else:
            st.caption("No parameters are shared, so there is no cosine.")


def errors(run: Run, result: Evaluation) -> None:
    """Where the run is wrong."""
    found = loaders.diagnostic(run, "errors")
    if not isinstance(found, Errors):
        widgets.empty("No errors to show", literal(found))
        return
    st.subheader("By slice")
    st.caption(
        "A slice whose interval misses the dotted line differs from the rest. Among twenty slices, one does by chance."
    )
    kinds = list(dict.fromkeys(row.by for row in found.slices))
    if kinds:
        by = st.segmented_control(
            "By",
            kinds,
            format_func=lambda name: slice_charts.TITLES[name],
            key="slice_by",
            default=kinds[0],
            required=True,
            label_visibility="collapsed",
        )
        rows = [row for row in found.slices if row.by == by]
        overall = (result.metrics.get("accuracy") or {}).get("mean")
        left, right = st.columns(2, gap="large")
        with left:
            widgets.chart(slice_charts.slices(rows, overall, widgets.appearance()), "slices", f"Accuracy by {by}")
        with right:
            columns = {
                "n": "n",
                "accuracy": "accuracy",
                "f1_macro": "macro F1",
                "center_mae_bars": "center off, bars",
                "center_low": "from",
                "center_high": "to",
            }
            table = pd.DataFrame(
                [{"slice": row.value, **{title: getattr(row, name) for name, title in columns.items()}} for row in rows]
            )
            widgets.table(table.set_index("slice"), "slices_table")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Most confident errors")
        _suspects(found.confident, "No window was answered wrongly.", "confident")
    with right:
        st.subheader("Labels worth a second look")
        _suspects(found.second_look, found.second_look_note, "second")


def _suspects(rows: tuple[Suspect, ...], note: str, key: str) -> None:
    if not rows:
        st.caption(literal(note))
        return
    texts = {
        row.window_id: f"{row.window_id}: {row.label}, answered {row.answer} with {row.p_answer:.2f}"
        for row in rows[:6]
    }
    widgets.window_links(texts, key)
