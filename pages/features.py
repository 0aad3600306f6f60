"""Features: which columns carry the labels, and how sure that is. Needs no run."""

from __future__ import annotations

import streamlit as st

from moola_core.diagnostics.results import FeatureReport
from moola_core.launch.local import LocalLauncher
from moola_core.specs import Data, Diagnose
from moola_core.ui import feature_sections, loaders, picker, progress, state, widgets

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


def compute() -> None:
    files = {"windows": dataset.windows, "bars": dataset.bars}
    data = {kind: str(path) for kind, path in files.items() if path}
    readings = {f"{kind}_reading": loaders.reading_of(path) for kind, path in files.items() if path}
    LocalLauncher(loaders.store()).submit(Diagnose(data=Data(**data, **readings)))
    st.rerun()


run = loaders.feature_run(dataset)
if run is None:
    widgets.empty(
        "Not computed yet",
        "Correlations, permutation tests and distributions of the 12 features, in a few seconds. No run is needed.",
        [("Compare features with labels", compute)],
    )
    st.stop()
if run.record.active:
    progress.follow(
        run, lambda run, record: st.markdown(f"{widgets.badge(record.state)} comparing features with labels")
    )
    st.stop()
report = loaders.diagnostic(run, "features") if run.record.state == "done" else run.record.error
if not isinstance(report, FeatureReport):
    widgets.empty("This could not be computed", widgets.literal(str(report)), [("Try again", compute)])
    st.stop()
feature_sections.table(report)
feature_sections.expectations(report)
feature_sections.shapes(report)
if st.button("Compute again", icon=":material/refresh:"):
    compute()
