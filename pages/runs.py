"""Runs: everything that runs or ran, with its parts, and the selected one as it goes on: progress, curves, log, and what can be done to it."""

from __future__ import annotations

import streamlit as st

from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import (
    guard,
    no_data,
    owners,
    picker,
    progress,
    run_actions,
    run_details,
    runs_filters,
    runs_table,
    state,
    widgets,
)

selection = picker.current()
st.title("Runs")
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.caption("Choose a row to see that run here; one that trains is then selected on every page.")
    st.toggle("Show archived", key=state.ARCHIVED, persist_state="session")
run_actions.unreadable(selection.unreadable)
every = runs_filters.grouped(selection.listed)
if not every:
    no_data.no_run(
        selection.dataset,
        "No runs yet",
        "A run trains the model on your labelled windows and keeps everything that came out of it.",
    )
    state.stop()
run_actions.queue()
listed = runs_filters.filtered(every)
record = run_details.shown(selection.listed, selection.record)
if listed:
    runs_table.runs_table(listed, record.run_id if record else "")
if len(listed) < len(every):
    st.caption(f"{len(listed)} of {len(every)} runs pass the filters.")
state.write_query_params((state.ROW, state.ARCHIVED))
if record is None:
    st.caption("No run on the selected dataset. Choose a row, or another dataset in the sidebar.")
    state.stop()


def details(run: Run, record: Record) -> None:
    if record.active:
        progress.bar(run, record)
    run_details.section(run, record)


run, family = run_details.opened(record), run_details.family_of(record, selection.listed)
owners.settle_family(family)
st.header(widgets.title_of(record), divider="gray")
run_details.place_in(record, family)
own = run_details.parts_of(record, family)
run_actions.actions(run, record, own)
if record.unreadable:
    st.error(widgets.escape_markdown(record.unreadable), icon=":material/error:")
with guard.explained():
    run_details.summary(run, record)
if family.whole.run_id == record.run_id and family.parts:
    run_details.parts(family)
run_details.choose_section(record)
progress.follow(run, record, details)
