"""A finished run's settings, kept as a preset of the user's own."""

from __future__ import annotations

import streamlit as st

from moola_core import adoption
from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import guard
from moola_core.ui.places import display_path
from moola_core.ui.widgets import escape_markdown


def offer(run: Run, record: Record) -> None:
    """The button that keeps the run's settings; nothing for a run that has none to keep."""
    if record.kind != "finetune" or record.state != "done" or record.model in adoption.NO_SETTINGS or record.unreadable:
        return
    with st.popover("Keep as a preset", icon=":material/bookmark_add:"):
        st.markdown("Start later runs and studies from these settings: files are left out, the seed is kept.")
        name = st.text_input("Name", key=f"preset_name_{run.id}", placeholder="mine", max_chars=40)
        summary = st.text_input("What it is for", key=f"preset_summary_{run.id}", max_chars=200)
        if st.button("Keep", key="keep_preset", type="primary"):
            with guard.explained():
                path = adoption.adopt(run, name.strip(), summary.strip())
                st.success(
                    f"Kept as {escape_markdown(display_path(path))}. Choose it under *Settings from* when you set up a run or a study, "
                    f"or use `--preset {name.strip()}`.",
                    icon=":material/check:",
                )
