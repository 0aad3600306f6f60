"""The parts of the Performance page of a pre-training run."""

from __future__ import annotations

import streamlit as st

from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import SECTIONS, make
from moola_core.ui import render, state


def learned(run: Run) -> None:
    """The next step, what was learned, and whether the labels can be read from it."""
    if st.button("Fine-tune from this run", type="primary", icon=":material/arrow_forward:"):
        state.open_page("launch", **{state.KIND: "finetune", state.CHECKPOINT: run.id, state.RUN: run.id})
    context = ReportContext(run)
    render.section(make("learned", context))
    st.header(SECTIONS["probe"].title)
    render.section(make("probe", context), "No probe")
