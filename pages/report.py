"""Report: the results of the selected run, as a file to share."""

from __future__ import annotations

import streamlit as st

from moola_core.ui import no_data, picker, report_sections, state, widgets

KINDS = {"": "The run", "doctor": "Findings of the doctor"}
selection = picker.current()
st.title("Report")
if selection.run is None:
    no_data.no_run(
        selection.dataset,
        "No run on this dataset yet",
        "A report holds the configuration, the data, the results, and what to do next.",
    )
    state.stop()
run, record = selection.run, selection.run.record
st.markdown(f"{widgets.state_badge(record.state)} {widgets.escape_markdown(widgets.title_of(record))}")
if record.active:
    widgets.empty_state(
        "Not done yet",
        "A report can be made when the run has ended.",
        [("Follow it", lambda: state.open_page("runs"))],
    )
    state.stop()
st.caption("HTML opens anywhere without a network. PDF, Markdown and ZIP need Chromium on this host.")
state.init_state(state.REPORT_OF, list(KINDS), "")
kind = st.segmented_control("Report of", list(KINDS), format_func=KINDS.__getitem__, required=True, key=state.REPORT_OF)
state.write_query_params((state.REPORT_OF,))
sections = report_sections.choose_sections(run, kind)
report_sections.make_file(run, sections, kind)
report_sections.preview(run, sections, kind)
