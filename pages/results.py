"""Performance of the selected run, out of fold."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import PretrainReport
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import make
from moola_core.ui import (
    adopting,
    attribution_section,
    calibration_section,
    learned_sections,
    loaders,
    no_data,
    picker,
    render,
    result_sections,
    selecting,
    state,
    widgets,
)

selection = picker.current()
st.title("Performance")
if selection.run is None:
    no_data.no_run(
        selection.dataset,
        "No run on this dataset yet",
        "Results appear when a run is done: which class it finds, where it points, and how far to trust that.",
    )
    state.stop()
run, record = selection.run, selection.run.record
result = loaders.learned(run) if record.kind == "pretrain" else loaders.evaluation(run)
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.markdown(f"{widgets.state_badge(record.state)} {widgets.escape_markdown(widgets.title_of(record))}")
    adopting.offer(run, record)
if result is None or record.active:
    waiting = record.active
    widgets.empty_state(
        "Not done yet" if waiting else "This run left no result",
        "The results appear by themselves when it is done."
        if waiting
        else "Its log says why. Choose another run in the sidebar.",
        [("Follow it" if waiting else "Read its log", lambda: state.open_page("runs"))],
    )
    state.stop()

if isinstance(result, PretrainReport):
    learned_sections.learned(run)
else:
    sections = {
        "Metrics": lambda: result_sections.results(run),
        "Calibration": lambda: calibration_section.calibration(run),
        "Balance": lambda: render.section(make("balance", ReportContext(run)), "No balance"),
        "Transfer": lambda: render.section(make("transfer", ReportContext(run)), "No transfer to look at"),
        "Attribution": lambda: attribution_section.attribution(run, selection.home),
        "Errors": lambda: render.section(make("errors", ReportContext(run)), "No errors to show"),
    }
    sections[selecting.part("Show", state.SECTION, {name: name for name in sections})]()
