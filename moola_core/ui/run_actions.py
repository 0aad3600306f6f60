"""What can be done to a run that exists: cancel, resume, pin, archive, delete; and to the queue: pause and go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from moola_core.errors import MoolaError, from_system
from moola_core.runs import cancelling
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE, Record
from moola_core.runs.store import Run
from moola_core.sections.formatting import KIND_TITLES
from moola_core.ui import adopting, guard, links, loaders, notices, state
from moola_core.ui.widgets import escape_markdown, title_of

ACTION = "action"
UNREADABLE_SHOWN = 20


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
                on_click=guard.callback(_act),
                args=(lambda: loaders.launcher().resume(run.id),),
                help="What is finished stays; the run goes on where it stopped, and ends as if nothing had happened.",
            )
        if record.kind == "finetune":
            st.button(
                "Unpin" if record.pinned else "Pin as baseline",
                icon=":material/keep:",
                key="pin",
                on_click=guard.callback(_act),
                args=(lambda: run.update(pinned=not record.pinned),),
                help="The Overview shows the newest pinned run as baseline.",
            )
        adopting.offer(run, record)
        st.button(
            "Restore" if record.archived else "Archive",
            icon=":material/archive:",
            key="archive",
            on_click=guard.callback(_act),
            args=(lambda: _archive(run, record),),
            help="Archived runs leave the lists; nothing is lost.",
        )
        what = f"{escape_markdown(title_of(record))} and its predictions and weights will be gone for good."
        _offer_to_delete(record, what, "delete_now")


def _act(action: Callable[[], object]) -> None:
    """Do what a button says; why it could not be done stands at the top of the page until something else is done."""
    notices.drop(ACTION)
    try:
        action()
    except MoolaError as error:
        notices.keep(ACTION, str(error))
    except OSError as error:
        notices.keep(ACTION, str(from_system(error)))


def _archive(run: Run, record: Record) -> None:
    run.update(archived=not record.archived)
    if not record.archived and not st.session_state.get(state.ARCHIVED):
        links.forget(state.RUN)


def _delete(record: Record) -> None:
    loaders.store().delete(record.run_id)
    if st.session_state.get(state.RUN) == record.run_id:
        links.forget(state.RUN)


def _offer_to_delete(record: Record, what: str, key: str) -> None:
    """The button that deletes a run, behind a question."""
    with st.popover("Delete", icon=":material/delete:", disabled=record.active):
        st.markdown(what)
        st.button(
            "Delete for good",
            type="primary",
            key=key,
            disabled=record.active,
            on_click=guard.callback(_act),
            args=(lambda: _delete(record),),
        )


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
            with st.container(border=True, horizontal=True, vertical_alignment="center"):
                title = escape_markdown(record.name or KIND_TITLES.get(record.kind, record.kind))
                st.markdown(f"**{title}** · {escape_markdown(record.run_id)}  \n{escape_markdown(record.unreadable)}")
                _offer_to_delete(
                    record, f"Run {escape_markdown(record.run_id)} will be gone for good.", f"delete_{record.run_id}"
                )
        if len(records) > UNREADABLE_SHOWN:
            st.caption(f"And {len(records) - UNREADABLE_SHOWN} more: `moola runs` lists them all.")


def _cancel(run: Run, record: Record) -> None:
    if cancelling.asked(run):
        st.markdown(":orange[:material/block: Ending; this takes up to ten seconds.]")
        return
    with st.popover("Cancel", icon=":material/block:"):
        st.markdown(
            f"{escape_markdown(title_of(record))} ends. The fits that are finished stay, and it can be resumed."
        )
        # It may have ended since the page was drawn, or be part of a study: then an error says so.
        st.button(
            "Cancel the run",
            type="primary",
            key="cancel_now",
            on_click=guard.callback(_act),
            args=(lambda: loaders.launcher().cancel(run.id),),
        )


def queue() -> None:
    """How many runs wait, and the button that pauses the queue or lets it go on. Nothing when none waits."""
    run_queue = Queue(loaders.store().root)
    entries, paused = run_queue.shown()
    waiting = [entry for entry in entries if not entry.worker]
    if not waiting:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        count = f"{len(waiting)} run{'s' if len(waiting) > 1 else ''} in the queue"
        st.caption(f":material/pause: Paused: {count}." if paused else f":material/hourglass_empty: {count}.")
        st.button(
            "Resume the queue" if paused else "Pause the queue",
            key="pause",
            help="What is under way goes on.",
            on_click=guard.callback(_act),
            args=(lambda: run_queue.pause(not paused),),
        )
