"""Launch: a preset, changed where you like, checked as you type, and started."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.presets import PRESETS
from moola_core.ui import launching, loaders, picker, settings_form, state, widgets
from moola_core.ui.places import data_folder, shown

DEFAULT = "recommended"
picked = picker.current()
st.title("Launch")
if picked.dataset is None or picked.dataset.windows is None:
    widgets.empty(
        "Nothing to train on yet",
        f"A run needs labelled windows. Put a file of them under `{shown(data_folder())}` and choose it in the sidebar.",
        [("Go to the Overview", lambda: state.open_page("overview"))],
    )
    st.stop()
dataset = picked.dataset
try:
    windows = loaders.windows_of(dataset.windows, dataset.bars)
except MoolaError as error:
    widgets.explain(error)
    st.stop()


@st.fragment
def draft() -> None:
    """The form and what follows from it; typing redraws this part alone."""
    state.choose(state.PRESET, list(PRESETS), DEFAULT)
    st.segmented_control("Start from", list(PRESETS), key=state.PRESET, required=True, persist_state="session")
    state.publish((state.PRESET,), {state.PRESET: DEFAULT})
    base = launching.base_spec(st.session_state[state.PRESET], dataset)
    st.caption(PRESETS[base.preset].summary)
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        st.subheader("Settings")
        typed = settings_form.form(base, sorted({str(grade) for grade in windows.grade} - {""}))
    checked = settings_form.check(base, typed)
    with right:
        st.subheader("This run")
        launching.summary(base, checked, windows)


draft()
