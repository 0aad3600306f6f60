"""Name, note and tags of a run, changed after it was launched."""

from __future__ import annotations

import streamlit as st

from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import guard, loaders

MOST_LETTERS, MOST_NOTE = 120, 2_000


def offer(run: Run, record: Record) -> None:
    """The button that opens the form."""
    if st.button("Edit", icon=":material/edit:", key="edit", help="Name, note and tags."):
        _edit(run, record)


@guard.dialog("Name, note and tags")
def _edit(run: Run, record: Record) -> None:
    if form(run, record):
        st.rerun()


def form(run: Run, record: Record) -> bool:
    """Ask for the three and keep them. Returns whether they were kept."""
    name = st.text_input("Name", record.name, key=f"name_{run.id}", max_chars=MOST_LETTERS)
    note = st.text_area("Note", record.note, key=f"note_{run.id}", max_chars=MOST_NOTE, height=100)
    known = {tag for one in loaders.store().runs(include_archived=True) for tag in one.tags}
    options = sorted({*known, *record.tags})
    tags = st.multiselect("Tags", options, list(record.tags), accept_new_options=True, key=f"tags_{run.id}")
    if not st.button("Keep", type="primary", key="keep_names"):
        return False
    with guard.explained():
        run.update(name=name.strip(), note=note.strip(), tags=tuple(tag.strip() for tag in tags if tag.strip()))
        return True
    return False
