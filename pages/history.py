"""History: every run, study, plan and decision about the selected dataset, as one timeline."""

from __future__ import annotations

import streamlit as st

from moola_core.ui import no_data, picker, state, timeline_sections

selection = picker.current()
st.title("History")
if selection.dataset is None or selection.dataset.windows is None:
    no_data.show(
        "No labelled windows here",
        "A history is about labelled windows. Choose a dataset that has them in the sidebar, or read a file.",
    )
    state.stop()
timeline_sections.history(selection.dataset)
