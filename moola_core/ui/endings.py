"""How many runs are active, and a notice when one has ended, on whichever page the visitor is."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.runs.record import Record
from moola_core.sections.timeline import TITLES
from moola_core.ui import guard, loaders
from moola_core.ui.widgets import STATES, escape_markdown

WATCHED = "watched"
EVERY = "2s"


def watch(listed: Sequence[Record]) -> None:
    """Tell of runs that ended since this session looked last, and look again while any is active. Parts are told of by their whole."""
    wholes = {record.run_id: record for record in listed if record.parent is None}
    _notice([wholes[run_id] for run_id in st.session_state.get(WATCHED, ()) if run_id in wholes])
    active = [record.run_id for record in wholes.values() if record.active]
    st.session_state[WATCHED] = active
    if active:
        guard.fragment(_look, run_every=EVERY)()


def _look() -> None:
    records = []
    for run_id in st.session_state.get(WATCHED, ()):
        try:
            records.append(loaders.store().open(run_id).record)
        except MoolaError:  # it was deleted
            continue
    _notice(records)
    active = [record.run_id for record in records if record.active]
    st.session_state[WATCHED] = active
    if active:
        st.caption(f":blue[:material/{STATES['running'][1]}: {len(active)} run{'s' * (len(active) > 1)} active]")


def _notice(records: Sequence[Record]) -> None:
    """Say which of these runs have ended."""
    for record in records:
        if not record.active:
            kind, name = TITLES.get(record.kind, "Run"), escape_markdown(record.name or record.run_id)
            icon = f":material/{STATES.get(record.state, ('', 'info'))[1]}:"
            st.toast(f"{kind} {name} is {record.state}.", icon=icon, duration="long")
