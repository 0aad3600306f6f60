"""What can be done to a run that exists: cancel, resume, pin, archive, delete; and to the queue: pause and go on."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import RunError, StoreError
from moola_core.runs import cancelling
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE, Record
from moola_core.runs.store import Run
from moola_core.ui import loaders
from moola_core.ui.widgets import literal, title_of


def actions(run: Run, record: Record) -> None:
    """The buttons of one run. Pinned runs are baselines; archived ones leave the lists; deleted ones are gone."""
    with st.container(horizontal=True):
        if record.active:
            _cancel(run, record)
        if record.state in RESUMABLE and st.button(
            "Resume", icon=":material/resume:", key="resume", type="primary",
            help="What is finished stays; the run goes on where it stopped, and ends as if nothing had happened.",
        ):  # fmt: skip
            loaders.launcher().resume(run.id)
            st.rerun()
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


def _cancel(run: Run, record: Record) -> None:
    if cancelling.asked(run):
        st.caption(":orange[:material/block: Ending; this takes up to ten seconds.]")
        return
    with st.popover("Cancel", icon=":material/block:"):
        st.markdown(f"{literal(title_of(record))} ends. The fits that are finished stay, and it can be resumed.")
        if st.button("Cancel the run", type="primary", key="cancel_now"):
            try:
                loaders.launcher().cancel(run.id)
            except RunError as error:  # it has ended since the page was drawn, or is part of a study
                st.error(literal(str(error)), icon=":material/error:")
                return
            st.rerun()


def queue() -> None:
    """How many runs wait, and the button that pauses the queue or lets it go on. Nothing when none waits."""
    found = Queue(loaders.store().root)
    try:
        waiting = [entry for entry in found.entries() if not entry.worker] if found.path.is_file() else []
        paused = found.paused if waiting else False
    except StoreError:  # a store that can only be read: there is nothing to pause
        return
    if not waiting:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        count = f"{len(waiting)} run{'s' if len(waiting) > 1 else ''} in the queue"
        st.caption(f":material/pause: Paused: {count}." if paused else f":material/hourglass_empty: {count}.")
        if st.button("Go on" if paused else "Pause the queue", key="pause", help="What is under way goes on."):
            found.pause(not paused)
            st.rerun()
