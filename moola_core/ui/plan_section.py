"""A plan's decisions and gates, as a part of the Compare page."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import Decision, PlanReport
from moola_core.runs.store import Run
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import make
from moola_core.ui import render, state
from moola_core.ui.widgets import escape_markdown, format_time

MARKS = {
    "ran": ":green-badge[ran]",
    "ran in part": ":orange-badge[ran in part]",
    "skipped": ":gray-badge[skipped]",
    "failed": ":red-badge[failed]",
}


def plan(run: Run, report: PlanReport) -> None:
    """Every step in its order, then what the researcher's thresholds say of the baseline."""
    for row in report.decisions:
        _decision(row)
    st.subheader("Gates")
    render.section(make("gates", ReportContext(run)))


def _decision(row: Decision) -> None:
    with st.container(border=True):
        st.markdown(
            f"**{escape_markdown(row.study)}** {MARKS.get(row.branch, row.branch)} {escape_markdown(row.reason)}"
        )
        if row.verdict:
            st.markdown(escape_markdown(row.verdict))
        if row.adopts:
            st.caption(f"The studies after it take over {escape_markdown(row.adopts)}.")
        st.caption(f"{row.who}, {format_time(row.when)}")
        if row.run_id and st.button("See the study", key=f"study_{row.study}", icon=":material/balance:"):
            state.open_page("compare", **{state.STUDY: row.run_id})
