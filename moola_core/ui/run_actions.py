"""Pin, archive and delete: what can be done to a run that exists."""

from __future__ import annotations

import streamlit as st

from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import loaders
from moola_core.ui.widgets import literal, title_of


def actions(run: Run, record: Record) -> None:
    """The buttons of one run. Pinned runs are baselines; archived ones leave the lists; deleted ones are gone."""
    with st.container(horizontal=True):
        pin = "Unpin" if record.pinned else "Pin as baseline"
        if record.kind == "finetune" and st.button(
            pin, icon=":material/keep:", key="pin", help="The Overview shows the newest pinned run as baseline."
        ):
            run.update(pinned=not record.pinned)
            st.rerun()
        shelf = "Take out of the archive" if record.archived else "Archive"
        if st.button(
            shelf, icon=":material/archive:", key="archive", help="Archived runs leave the lists; nothing is lost."
        ):
            run.update(archived=not record.archived)
            st.rerun()
        with st.popover("Delete", icon=":material/delete:", disabled=record.active):
            st.markdown(f"{literal(title_of(record))} and its predictions and weights will be gone for good.")
            if st.button("Delete for good", type="primary", key="delete_now", disabled=record.active):
                loaders.store().delete(record.run_id)
                st.rerun()
