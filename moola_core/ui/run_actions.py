"""What can be done to a run that exists: cancel, resume, pin, archive, delete; and to the queue: pause and go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from moola_core.errors import RunError
from moola_core.reports.wording import KIND_TITLES
from moola_core.runs import cancelling
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE, Record
from moola_core.runs.store import Run
from moola_core.ui import guard, loaders
from moola_core.ui.widgets import literal, title_of

UNREADABLE_SHOWN = 20


def actions(run: Run, record: Record) -> None:
    """The buttons of one run. Pinned runs are baselines; archived ones leave the lists; deleted ones are gone."""
    chosen: Callable[[], object] | None = None
    with st.container(horizontal=True):
        if record.active:
            _cancel(run, record)
        if record.state in RESUMABLE and st.button(
            "Resume", icon=":material/resume:", key="resume", type="primary",
            help="What is finished stays; the run goes on where it stopped, and ends as if nothing had happened.",
        ):  # fmt: skip
            chosen = partial(loaders.launcher().resume, run.id)
        pin = "Unpin" if record.pinned else "Pin as baseline"
        if record.kind == "finetune" and st.button(
            pin, icon=":material/keep:", key="pin", help="The Overview shows the newest pinned run as baseline."
        ):
            chosen = partial(run.update, pinned=not record.pinned)
        shelf = "Take out of the archive" if record.archived else "Archive"
        if st.button(
            shelf, icon=":material/archive:", key="archive", help="Archived runs leave the lists; nothing is lost."
        ):
            chosen = partial(run.update, archived=not record.archived)
        what = f"{literal(title_of(record))} and its predictions and weights will be gone for good."
        if _deletes(record, what, "delete_now"):
            chosen = partial(loaders.store().delete, record.run_id)
    _carry_out(chosen)


def _carry_out(chosen: Callable[[], object] | None) -> None:
    """Do what was chosen and draw the page again; where it cannot be done, say why below the buttons, which stay."""
    if chosen is not None:
        with guard.explained():
            chosen()
            st.rerun()


def _deletes(record: Record, what: str, key: str) -> bool:
    """The button that deletes a run, behind a question; whether it was pressed."""
    with st.popover("Delete", icon=":material/delete:", disabled=record.active):
        st.markdown(what)
        return st.button("Delete for good", type="primary", key=key, disabled=record.active)


def unreadable(records: Sequence[Record]) -> None:
    """The runs whose record or spec cannot be read: why, and the button that deletes each. Nothing when there is none."""
    if not records:
        return
    count = "1 run cannot be read" if len(records) == 1 else f"{len(records)} runs cannot be read"
    with st.expander(count, icon=":material/warning:"):
        st.markdown(
            "Restore the file that is named from a copy, open the run with the version of moola that made it, or delete the run. "
            "All other runs are unaffected."
        )
        for record in records[:UNREADABLE_SHOWN]:
            chosen = None
            with st.container(border=True, horizontal=True, vertical_alignment="center"):
                title = literal(record.name or KIND_TITLES.get(record.kind, record.kind))
                st.markdown(f"**{title}** · {literal(record.run_id)}  \n{literal(record.unreadable)}")
                if _deletes(record, f"Run {literal(record.run_id)} will be gone for good.", f"delete_{record.run_id}"):
                    chosen = partial(loaders.store().delete, record.run_id)
            _carry_out(chosen)
        if len(records) > UNREADABLE_SHOWN:
            st.caption(f"And {len(records) - UNREADABLE_SHOWN} more: `moola runs` lists them all.")


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
    entries, paused = found.shown()
    waiting = [entry for entry in entries if not entry.worker]
    if not waiting:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        count = f"{len(waiting)} run{'s' if len(waiting) > 1 else ''} in the queue"
        st.caption(f":material/pause: Paused: {count}." if paused else f":material/hourglass_empty: {count}.")
        pressed = st.button("Go on" if paused else "Pause the queue", key="pause", help="What is under way goes on.")
    _carry_out(partial(found.pause, not paused) if pressed else None)
