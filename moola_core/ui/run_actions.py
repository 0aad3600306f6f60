"""What can be done to a run that exists: cancel, resume, pin, archive, delete; and to the queue: pause and go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from moola_core.errors import MoolaError, from_system
from moola_core.launch import workers
from moola_core.runs import cancelling
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE, Record
from moola_core.runs.store import Run
from moola_core.sections.formatting import KIND_TITLES
from moola_core.ui import adopting, guard, links, loaders, notices, relaunching, run_editing, state
from moola_core.ui.widgets import escape_markdown, title_of

ACTION = "action"
UNREADABLE_SHOWN = 20


def actions(run: Run, record: Record, parts: Sequence[Record] = ()) -> None:
    """The buttons of one run. Pinned runs are baselines; archived ones leave the lists; deleted ones are gone.

    A click is answered before anything is drawn: redrawing the page for a run that has just changed its state could lose it.
    parts: the runs that are part of it, which are archived and deleted with it.
    """
    with st.container(horizontal=True):
        if record.active:
            _cancel(run, record)
        is_fixed = record.state == "failed" and not record.unreadable and relaunching.offer_fix(run, record)
        if record.state in RESUMABLE:
            st.button(
                "Resume",
                icon=":material/resume:",
                key="resume",
                type="secondary" if is_fixed else "primary",
                on_click=guard.callback(_act),
                args=(lambda: loaders.launcher().resume(run.id),),
                help="What is finished stays; the run goes on where it stopped, and ends as if nothing had happened.",
            )
        if not is_fixed:
            relaunching.offer(run, record)
        _keep(run, record, parts)
        what = f"{escape_markdown(title_of(record))} and its predictions and weights will be gone for good."
        if parts:
            what += f" So will the {len(parts)} run{'s' if len(parts) > 1 else ''} that are part of it or about it."
        _offer_to_delete(record, what, "delete_now", parts)


def _keep(run: Run, record: Record, parts: Sequence[Record]) -> None:
    """Pin, edit, keep as a preset, archive."""
    is_model = record.kind == "finetune"
    st.button(
        "Unpin" if record.pinned else "Pin as baseline" if is_model else "Pin",
        icon=":material/keep:",
        key="pin",
        on_click=guard.callback(_act),
        args=(lambda: run.update(pinned=not record.pinned),),
        help="The Overview shows the newest pinned run as baseline." if is_model else "A star in the table of runs.",
    )
    run_editing.offer(run, record)
    adopting.offer(run, record)
    st.button(
        "Restore" if record.archived else "Archive",
        icon=":material/archive:",
        key="archive",
        on_click=guard.callback(_act),
        args=(lambda: _archive(run, record, parts),),
        help="Archived runs leave the lists; nothing is lost.",
    )


def _act(action: Callable[[], object]) -> None:
    """Do what a button says; why it could not be done stands at the top of the page until something else is done."""
    notices.drop(ACTION)
    try:
        action()
    except MoolaError as error:
        notices.keep(ACTION, str(error))
    except OSError as error:
        notices.keep(ACTION, str(from_system(error)))


def _archive(run: Run, record: Record, parts: Sequence[Record]) -> None:
    for one in (record, *parts):
        loaders.store().open(one.run_id).update(archived=not record.archived)
    if not record.archived and not st.session_state.get(state.ARCHIVED):
        _leave(record)


def _delete(record: Record, parts: Sequence[Record]) -> None:
    """The parts first: where one of them cannot be deleted, the whole stays to show it."""
    for one in (*reversed(parts), record):
        loaders.store().delete(one.run_id)
        _leave(one)


def _leave(record: Record) -> None:
    """Show another run than this one."""
    for key in (state.RUN, state.ROW):
        if st.session_state.get(key) == record.run_id:
            links.forget(key)


def _offer_to_delete(record: Record, what: str, key: str, parts: Sequence[Record] = ()) -> None:
    """The button that deletes a run with its parts, behind a question."""
    is_active = any(one.active for one in (record, *parts))
    with st.popover("Delete", icon=":material/delete:", disabled=is_active):
        st.markdown(what)
        st.button(
            "Delete for good",
            type="primary",
            key=key,
            disabled=is_active,
            on_click=guard.callback(_act),
            args=(lambda: _delete(record, parts),),
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
    for worker in workers.of(loaders.store().root, [entry.worker for entry in entries if entry.worker]):
        if worker.in_trouble:
            st.warning(escape_markdown(worker.sentence), icon=":material/engineering:")
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
