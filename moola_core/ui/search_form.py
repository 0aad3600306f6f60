"""Starting a search over settings from the Compare page."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.launch.estimate import estimate_search
from moola_core.launch.training_specs import finetune_spec
from moola_core.market.library import Dataset
from moola_core.presets import PRESETS
from moola_core.searches import search_spec
from moola_core.sections.formatting import counted, expected_time
from moola_core.specs import Search
from moola_core.specs.choices import TRAINED
from moola_core.ui import loaders, selecting, state, widgets
from moola_core.ui.widgets import escape_markdown

OF_PRESET = "that of the preset"
TRIALS, MOST_TRIALS, MOST_MINUTES = 20, 1000, 100_000


def new_search(dataset: Dataset) -> None:
    """Choose a preset, a model and how long; the settings that are tried and the time are shown before it starts."""
    starts, models = [key for key in PRESETS if key != "october"], [OF_PRESET, *TRAINED]
    defaults = {
        state.SEARCH_PRESET: starts[0],
        state.SEARCH_MODEL: OF_PRESET,
        state.SEARCH_TRIALS: TRIALS,
        state.SEARCH_MINUTES: None,
    }
    state.init_state(state.SEARCH_PRESET, starts, starts[0])
    state.init_state(state.SEARCH_MODEL, models, OF_PRESET)
    state.choose_number(state.SEARCH_TRIALS, 1, MOST_TRIALS, TRIALS)
    state.choose_number(state.SEARCH_MINUTES, 1, MOST_MINUTES, None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = st.selectbox("Settings from", starts, key=state.SEARCH_PRESET, width=200)
        model = st.selectbox("Model", models, key=state.SEARCH_MODEL, width=240)
        trials = st.number_input("Trials at most", 1, MOST_TRIALS, key=state.SEARCH_TRIALS, width=140)
        minutes = st.number_input(
            "Minutes at most",
            1,
            MOST_MINUTES,
            value=None,
            placeholder="no limit",
            key=state.SEARCH_MINUTES,
            width=160,
            help="After them no trial begins; one that runs may finish.",
        )
    state.write_query_params(tuple(defaults), defaults)
    spec = None
    try:
        changes = {} if model == OF_PRESET else {"estimator": model}
        base = finetune_spec(start, loaders.data_of(dataset), changes, "", loaders.store().root)
        spec = search_spec(base, trials=trials, budget_s=60.0 * minutes if minutes else None)
        st.caption(_described(spec, dataset))
    except MoolaError as error:
        widgets.show_error(error)
    if st.button("Start the search", type="primary", icon=":material/play_arrow:", disabled=spec is None):
        selecting.put(state.STUDY, loaders.launcher().submit(spec, name="search"))
        st.rerun()


def _described(spec: Search, dataset: Dataset) -> str:
    """What is tried and about how long it takes; other settings can be named in a file for `moola search`."""
    assert dataset.windows is not None, "the page asks for windows first"
    windows = loaders.windows_of(dataset.windows, dataset.bars).trainable(spec.base.data.exclude_grades)[0]
    count = spec.trials if spec.size is None else min(spec.trials, spec.size + 1)
    expected = estimate_search(spec, len(windows), loaders.store())
    return (
        f"Tried: {escape_markdown(', '.join(spec.space))}. At most {count} trials of {counted(spec.base.training.repeats, 'repeat')} of "
        f"{spec.base.training.folds} folds, {expected_time(expected.seconds, expected.low, expected.high)}, from {escape_markdown(expected.source)}. "
        "Settings of your own are searched by `moola search SPACE.json`."
    )
