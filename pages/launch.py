"""Launch: what to run, from which preset and encoder, changed where you like, checked as you type, and started."""

from __future__ import annotations

from typing import Any

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.presets import available, network_preset, own_presets, preset
from moola_core.ui import guard, launching, loaders, no_data, picker, settings_form, state, widgets

DEFAULTS = {state.KIND: launching.FINETUNE, state.PRESET: "recommended", state.CHECKPOINT: launching.SCRATCH}
selection = picker.current()
st.title("Launch")
if selection.dataset is None or (selection.dataset.windows is None and selection.dataset.bars is None):
    no_data.show("Nothing to train on yet", "A run needs labelled windows or bars.")
    state.stop()
dataset = selection.dataset
try:
    windows = loaders.windows_of(dataset.windows, dataset.bars) if dataset.windows else None
    bars = len(loaders.bars_of(dataset.bars)) if dataset.bars else 0
except MoolaError as error:
    no_data.show_error(error)
    state.stop()


@guard.fragment
def draft() -> None:
    """The form and what follows from it; typing redraws this part alone."""
    kinds = list(launching.TITLES)
    state.init_state(state.KIND, kinds, DEFAULTS[state.KIND] if windows is not None else launching.PRETRAIN)
    presets, unusable = available(), own_presets()[1]
    state.init_state(state.PRESET, list(presets), DEFAULTS[state.PRESET])
    look: dict[str, Any] = {"required": True, "persist_state": "session", "wrap": True}
    with st.container(horizontal=True, gap="large"):
        st.segmented_control("What to run", kinds, format_func=launching.TITLES.__getitem__, key=state.KIND, **look)
        st.segmented_control("Settings from", list(presets), key=state.PRESET, **look)
    kind = st.session_state[state.KIND]
    name, model, checkpoint, which = st.session_state[state.PRESET], "", launching.SCRATCH, ""
    if kind == launching.FINETUNE:
        model = launching.choose_model(name)
        if model == launching.NETWORK:
            checkpoint, which = launching.choose_checkpoint(dataset, preset(name).start)
    defaults = DEFAULTS | {state.MODEL: preset(name).finetune().estimator}
    state.write_query_params(tuple(defaults), defaults)
    try:
        base = launching.base_spec(kind, name, dataset, checkpoint, model, which)
    except MoolaError as error:
        widgets.show_error(error)
        return
    stand_in = network_preset(name)[1] if base.preset != name else ""
    for problem in unusable.values():
        st.markdown(f":orange[:material/warning:] {widgets.escape_markdown(str(problem))}")
    st.caption(" ".join(filter(None, [stand_in, presets[base.preset].summary])))
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        st.header("Settings")
        grades = sorted({str(grade) for grade in windows.grade} - {""}) if windows is not None else []
        typed = launching.typed_settings(base, lambda base: settings_form.form(base, grades))
    checked = settings_form.check(base, typed)
    with right:
        st.header("This run")
        launching.summary(base, checked, windows, bars)


draft()
