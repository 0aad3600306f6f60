"""How many runs are active, and a notice of each that has ended, on whichever page the visitor is.

A notice is drawn from what the session remembers until it is opened, dismissed or old: one that is drawn once is lost where a look of
the fragment is overtaken by a drawing of the whole page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.runs.record import Record
from moola_core.sections.timeline import TITLES
from moola_core.ui import guard, links, loaders, state
from moola_core.ui.widgets import STATES, escape_markdown

WATCHED, ENDED = "watched", "ended"
EVERY = "2s"
SHOWN_S, MOST = 1800.0, 3  # how long a notice stays, and how many are shown at once


def watch(listed: Sequence[Record]) -> None:
    """Tell of runs that ended since this session looked last, and look again while any is active.

    Parts are told of by their whole, as the arms of a study; what is made of a run that has ended, as a report, is told of by itself.
    """
    active = {record.run_id for record in listed if record.active}
    wholes = {record.run_id: record for record in listed if record.parent not in active}
    _remember([wholes[run_id] for run_id in st.session_state.get(WATCHED, ()) if run_id in wholes])
    st.session_state[WATCHED] = [record.run_id for record in wholes.values() if record.active]
    if st.session_state[WATCHED]:
        guard.fragment(_look, run_every=EVERY)()
    else:
        _draw()


def _look() -> None:
    records = _opened(st.session_state.get(WATCHED, ()))
    _remember(records)
    st.session_state[WATCHED] = [record.run_id for record in records if record.active]
    _draw()


def _opened(run_ids: Sequence[str]) -> list[Record]:
    """The records of the runs, without those that were deleted."""
    records = []
    for run_id in run_ids:
        try:
            records.append(loaders.store().open(run_id).record)
        except MoolaError:
            continue
    return records


def _remember(records: Sequence[Record]) -> None:
    """Keep which of these runs have ended, before anything is drawn: the drawing may be interrupted."""
    ended = st.session_state.setdefault(ENDED, {})
    ended |= {record.run_id: time.time() for record in records if not record.active}


def _draw() -> None:
    active = len(st.session_state[WATCHED])
    if active:
        st.caption(f":blue[:material/{STATES['running'][1]}: {active} run{'s' * (active > 1)} active]")
    ended = st.session_state.get(ENDED, {})
    recent = [run_id for run_id, since in ended.items() if time.time() - since < SHOWN_S]
    for record in _opened(recent[-MOST:]):
        if not record.active:  # it may have been resumed
            _notice(record)


def _notice(record: Record) -> None:
    """Say that the run has ended, with the way to it."""
    kind, name = TITLES.get(record.kind, "Run"), escape_markdown(record.name or record.run_id)
    with st.container(border=True, key=f"ended_{record.run_id}", gap="small"):
        st.markdown(f":material/{STATES.get(record.state, ('', 'info'))[1]}: {kind} {name} is {record.state}.")
        with st.container(horizontal=True):
            if st.button("Open", key=f"open_ended_{record.run_id}", type="tertiary", icon=":material/arrow_forward:"):
                _dismiss(record.run_id)
                _open(record)
            st.button(
                "Dismiss",
                key=f"dismiss_ended_{record.run_id}",
                type="tertiary",
                icon=":material/close:",
                on_click=guard.callback(_dismiss),
                args=(record.run_id,),
            )


def _open(record: Record) -> None:
    """Go to what came of the run; to its row where nothing did, or where no page shows it."""
    place = links.place_of(loaders.store().open(record.run_id), record) if record.state == "done" else None
    page, values = place or ("runs", {state.ROW: record.run_id})
    state.open_page(page, **values)


def _dismiss(run_id: str) -> None:
    st.session_state.get(ENDED, {}).pop(run_id, None)
