"""What is known of the chosen data, on the first page: the answers of its newest investigation, or the way to one."""

from __future__ import annotations

import streamlit as st

from moola_core.market.library import Dataset
from moola_core.sections import investigation
from moola_core.sections.blocks import Section
from moola_core.sections.context import ReportContext
from moola_core.ui import loaders, render, state
from moola_core.ui.widgets import format_time


def draw(dataset: Dataset) -> None:
    """One sentence for each question that a user asks first, each with its run."""
    if dataset.windows is None:
        return
    st.subheader("Answers")
    done = (run for run in loaders.investigations(dataset) if run.record.state == "done")
    newest = next(done, None)
    if newest is None:
        st.caption(
            "Which model to use, how sure that is, whether pre-training helps, what is wrong and what comes next was not investigated yet. "
            "One button does it, in as much time as you give it."
        )
        if st.button("Go to Investigate", icon=":material/travel_explore:"):
            state.open_page("investigate")
        return
    st.caption(f"Of the investigation of {format_time(newest.record.ended or newest.record.created)}.")
    blocks = investigation.answers(ReportContext(newest))
    render.section(blocks if isinstance(blocks, str) else Section("answers", "Answers", tuple(blocks)))
    if st.button("Read the whole conclusion", icon=":material/travel_explore:"):
        state.open_page("investigate", investigation=newest.id)
