"""Runs: every run, and the selected one as it goes on: progress, curves, log; cancel, resume, pin, archive, delete."""

from __future__ import annotations

import streamlit as st

from moola_core.runs.record import Record
from moola_core.runs.store import Run
from moola_core.ui import guard, no_data, picker, progress, run_actions, run_details, runs_table, state, widgets

selection = picker.current()
st.title("Runs")
with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
    st.caption("Choose a row to see that run here and on every page.")
    st.toggle("Show archived", key=state.ARCHIVED, persist_state="session")
run_actions.unreadable(selection.unreadable)
if not selection.all:
    no_data.no_run(
        selection.dataset,
        "No runs yet",
        "A run trains the model on your labelled windows and keeps everything that came out of it.",
    )
    state.stop()
run_actions.queue()
runs_table.runs_table(selection.all)
if selection.run is None or selection.record is None:
    st.caption("No run on the selected dataset. Choose a row, or another dataset in the sidebar.")
    state.stop()


def details(run: Run, record: Record) -> None:
    if record.active:
        progress.bar(run, record)
    run_details.section(run, record)


run, record = selection.run, selection.record
st.header(widgets.title_of(record), divider="gray")
run_actions.actions(run, record)
if record.unreadable:
    st.error(widgets.escape_markdown(record.unreadable), icon=":material/error:")
with guard.explained():
    run_details.summary(run, record)
run_details.choose_section()
progress.follow(run, details)
