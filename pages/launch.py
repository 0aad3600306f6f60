"""Launch: a preset, changed where you like, checked as you type, and started."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.presets import PRESETS, preset
from moola_core.specs import change
from moola_core.ui import launching, loaders, picker, settings_form, state, widgets
from moola_core.ui.places import data_folder, shown

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
    state.choose(state.PRESET, list(PRESETS), "quick")
    st.segmented_control("Start from", list(PRESETS), key=state.PRESET, required=True, persist_state="session")
    start = preset(st.session_state[state.PRESET])
    st.caption(start.summary)
    files = {"data.windows": str(dataset.windows), "data.bars": str(dataset.bars) if dataset.bars else None}
    readings = {
        f"data.{name}_reading": loaders.reading_of(path).model_dump(mode="json")
        for name, path in (("windows", dataset.windows), ("bars", dataset.bars))
        if path
    }
    base = change(start.finetune(), files).model_copy(deep=True)
    base = type(base).model_validate(
        base.model_dump()
        | {"data": base.model_dump()["data"] | {name.removeprefix("data."): value for name, value in readings.items()}}
    )
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        st.subheader("Settings")
        typed = settings_form.form(base, sorted({str(grade) for grade in windows.grade} - {""}))
    draft = settings_form.check(base, typed)
    with right:
        st.subheader("This run")
        problem = " ".join(f"{name} {text}".strip() for name, text in draft.errors.items())
        if draft.spec is not None:
            problem = launching.data_problem(draft.spec, windows)
        if problem:
            st.error(widgets.literal(problem), icon=":material/error:")
        else:
            st.markdown(":green-badge[:material/check: valid]")
        if draft.spec is not None:
            launching.changes_table(base, draft.spec)
            if not problem:
                launching.costs(draft.spec, windows)
        launching.start(base, draft.spec, problem)


draft()
state.publish((state.PRESET,), {state.PRESET: "quick"})
