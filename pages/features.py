"""Features: which columns carry the labels, and how sure that is. Needs no run."""

from __future__ import annotations

import streamlit as st

from moola_core.sections.context import ReportContext
from moola_core.sections.registry import make
from moola_core.specs import Data, Diagnose
from moola_core.ui import loaders, no_data, picker, progress, render, selecting, state, widgets

selection = picker.current()
st.title("Features")
if selection.dataset is None or selection.dataset.windows is None:
    no_data.show(
        "No labelled windows here",
        "The features are compared with labels. Choose a dataset that has them in the sidebar, or read a file.",
    )
    state.stop()
dataset = selection.dataset


TITLES = {"features": "Features and labels", "shift": "Shift"}
WHAT = {
    "features": "Correlations, permutation tests and distributions of the 12 features, in a few seconds.",
    "shift": "Labelled windows compared with the other bars and the grades left out, in half a minute.",
}


def compute() -> None:
    loaders.launcher().submit(Diagnose(name=name, data=Data(**loaders.data_of(dataset))))
    st.rerun()


name = selecting.part("View", state.VIEW, TITLES)
run = loaders.diagnosed(dataset, name)
if run is None:
    widgets.empty_state("Not computed yet", f"{WHAT[name]} No run is needed.", [("Compute it", compute)])
    state.stop()
record = run.record
if record.active:
    progress.follow(run, record, lambda run, record: st.markdown(f"{widgets.state_badge(record.state)} {WHAT[name]}"))
    state.stop()
made = make(name, ReportContext(run)) if record.state == "done" else record.error
if isinstance(made, str):
    widgets.empty_state("This could not be computed", widgets.escape_markdown(made), [("Try again", compute)])
    state.stop()
render.section(made)
if st.button("Compute again", icon=":material/refresh:"):
    compute()
