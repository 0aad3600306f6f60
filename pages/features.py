"""Features: which columns carry the labels, and how sure that is. Needs no run."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import FeatureReport, Shift
from moola_core.specs import Data, Diagnose
from moola_core.ui import feature_sections, loaders, picker, progress, shift_sections, state, widgets

picked = picker.current()
st.title("Features")
if picked.dataset is None or picked.dataset.windows is None:
    widgets.empty(
        "No labelled windows here",
        "The features are compared with labels. Put a file of labelled windows under the data folder.",
        [("Go to the Overview", lambda: state.open_page("overview"))],
    )
    st.stop()
dataset = picked.dataset


TITLES = {"features": "Features and labels", "shift": "Shift"}
WHAT = {
    "features": "Correlations, permutation tests and distributions of the 12 features, in a few seconds.",
    "shift": "Labelled windows beside the other bars and the grades left out, in half a minute.",
}
RESULTS: dict[str, type] = {"features": FeatureReport, "shift": Shift}


def compute() -> None:
    loaders.launcher().submit(Diagnose(name=name, data=Data(**loaders.data_of(dataset))))
    st.rerun()


state.choose(state.VIEW, list(TITLES), "features")
name = st.segmented_control(
    "View", list(TITLES), format_func=lambda key: TITLES[key], key=state.VIEW, required=True, label_visibility="collapsed",
    persist_state="session",
)  # fmt: skip
state.publish((state.VIEW,), {state.VIEW: "features"})
run = loaders.diagnosed(dataset, name)
if run is None:
    widgets.empty("Not computed yet", f"{WHAT[name]} No run is needed.", [("Compute it", compute)])
    st.stop()
if run.record.active:
    progress.follow(run, lambda run, record: st.markdown(f"{widgets.badge(record.state)} {WHAT[name]}"))
    st.stop()
found = loaders.diagnostic(run, name) if run.record.state == "done" else run.record.error
if not isinstance(found, RESULTS[name]):
    widgets.empty("This could not be computed", widgets.literal(str(found)), [("Try again", compute)])
    st.stop()
if isinstance(found, Shift):
    shift_sections.shift(found)
else:
    feature_sections.table(found)
    feature_sections.expectations(found)
    feature_sections.shapes(found)
if st.button("Compute again", icon=":material/refresh:"):
    compute()
