"""What can be done to a run that exists: cancel, resume, pin, archive, delete; and to the queue: pause and go on."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from moola_core.errors import MoolaError, StoreError
from moola_core.runs import cancelling
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE, Record
from moola_core.runs.store import Run
from moola_core.ui import links, loaders, notices, state
from moola_core.ui.widgets import literal, title_of

ACTION = "action"


def actions(run: Run, record: Record) -> None:
    """The buttons of one run. Pinned runs are baselines; archived ones leave the lists; deleted ones are gone.

    A click is answered before anything is drawn: redrawing the page for a run that has just changed its state could lose it.
    """
    with st.container(horizontal=True):
        if record.active:
            _cancel(run, record)
        if record.state in RESUMABLE:
            st.button(
                "Resume",
                icon=":material/resume:",
                key="resume",
                type="primary",
                on_click=_act,
                args=(lambda: loaders.launcher().resume(run.id),),
                help="What is finished stays; the run goes on where it stopped, and ends as if nothing had happened.",
            )
        if record.kind == "finetune":
            st.button(
                "Unpin" if record.pinned else "Pin as baseline",
                icon=":material/keep:",
                key="pin",
                on_click=_act,
                args=(lambda: run.update(pinned=not record.pinned),),
                help="The Overview shows the newest pinned run as baseline.",
            )
        st.button(
            "Take out of the archive" if record.archived else "Archive",
            icon=":material/archive:",
            key="archive",
            on_click=_act,
            args=(lambda: _archive(run, record),),
            help="Archived runs leave the lists; nothing is lost.",
        )
        with st.popover("Delete", icon=":material/delete:", disabled=record.active):
            st.markdown(f"{literal(title_of(record))} and its predictions and weights will be gone for good.")
            st.button(
                "Delete for good",
                type="primary",
                key="delete_now",
                disabled=record.active,
                on_click=_act,
                args=(lambda: _delete(record),),
            )


def _act(action: Callable[[], object]) -> None:
    """Do what a button says; why it could not be done stands at the top of the page until something else is done."""
    notices.drop(ACTION)
    try:
        action()
    except MoolaError as error:
        notices.keep(ACTION, str(error))


def _archive(run: Run, record: Record) -> None:
    run.update(archived=not record.archived)
    if not record.archived and not st.session_state.get(state.ARCHIVED):
        links.forget(state.RUN)


def _delete(record: Record) -> None:
    loaders.store().delete(record.run_id)
    links.forget(state.RUN)


def _cancel(run: Run, record: Record) -> None:
    if cancelling.asked(run):
        st.caption(":orange[:material/block: Ending; this takes up to ten seconds.]")
        return
    with st.popover("Cancel", icon=":material/block:"):
        st.markdown(f"{literal(title_of(record))} ends. The fits that are finished stay, and it can be resumed.")
        # It may have ended since the page was drawn, or be part of a study: then an error says so.
        st.button(
            "Cancel the run",
            type="primary",
            key="cancel_now",
            on_click=_act,
            args=(lambda: loaders.launcher().cancel(run.id),),
        )


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
