"""The parts of the Results page of a pre-training run."""

from __future__ import annotations

import streamlit as st

from moola_core.charts import learned as charts
from moola_core.diagnostics.results import Learned
from moola_core.runs.store import Run
from moola_core.sections.headlines import of_learned, of_probe
from moola_core.ui import state, widgets
from moola_core.ui.widgets import figures

SHOWN = ("close_norm", "range_z", "dist_prev_SH")


def learned(run: Run, result: Learned) -> None:
    """What was learned in a sentence, then errors, a reconstruction, the probe, and the way on."""
    st.markdown(widgets.verdict(of_learned(result)))
    if st.button("Fine-tune from this run", type="primary", icon=":material/arrow_forward:"):
        state.open_page("launch", **{state.KIND: "finetune", state.CHECKPOINT: run.id, state.RUN: run.id})
    _figures(result)
    look = widgets.appearance()
    if result.features:
        left, right = st.columns([1, 1.2], gap="large")
        with left:
            st.subheader("Error at hidden bars")
            st.caption(
                "Left of the dotted line: better than always answering the feature's mean. Hover for the figures."
            )
            widgets.chart(charts.errors(result.features, look), "errors", "Reconstruction error of each feature")
        with right:
            st.subheader("A window, rebuilt")
            _reconstruction(result, look)
    if result.probe:
        st.subheader("Can the labels be read from it?")
        st.markdown(widgets.verdict(of_probe(result.probe)))
        st.caption(f"A linear probe on {result.probe.windows} labelled windows, cross-validated. Chance is 0.50.")
        widgets.chart(charts.probe(result.probe, look), "probe", "AUROC of a linear probe")


def _figures(result: Learned) -> None:
    counts = result.counts
    left_out = {name: counts.get(name, 0) for name in ("over_gaps", "labelled", "between", "not_active", "not_similar")}
    told = {"Windows": (f"{counts['train']:,}", f"and {counts['valid']:,} to validate")}
    if result.masked_mae is not None:
        floor = f", noise floor {result.noise_floor:.3f}" if result.noise_floor else ""
        told["Masked error"] = (f"{result.masked_mae:.4f}", f"mean over features{floor}")
        told["Feature mean"] = (f"{result.trivial['feature_mean']:.4f}", "always answering the mean")
        told["Last visible bar"] = (f"{result.trivial['carry_forward']:.4f}", "carried forward")
    for measure in result.measures:
        told[measure.name.capitalize()] = (f"{measure.value:.3f}", f"without learning {measure.trivial:.3f}")
    told["Best epoch"] = (str(result.best_epoch), "lowest validation loss")
    figures(told)
    names = {
        "over_gaps": "over gaps", "labelled": "sharing bars with labelled windows", "between": "across the split",
        "not_active": "not active", "not_similar": "not similar",
    }  # fmt: skip
    gone = [f"{count:,} {names[name]}" for name, count in left_out.items() if count]
    if gone:
        st.caption(f"Left out: {', '.join(gone)}.")


def _reconstruction(result: Learned, look: str) -> None:
    names = [row.name for row in result.features]
    with st.container(horizontal=True):
        at = st.selectbox(
            "Window", range(len(result.examples)), key="example", format_func=lambda i: result.examples[i].start_time
        )
        wanted = st.multiselect(
            "Features", names, default=[name for name in SHOWN if name in names] or names[:3], key="shown"
        )
    if wanted:
        drawn = charts.reconstruction(result.examples[at], names, wanted, look)
        widgets.chart(drawn, "rebuilt", "A window's features and their reconstruction at the hidden bars")
