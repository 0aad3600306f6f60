"""What a new study may be told beyond its name: an encoder that is there already, and settings of its own."""

from __future__ import annotations

import streamlit as st

from moola_core import studies
from moola_core.arguments import pairs
from moola_core.runs.checkpoints import find, with_settings
from moola_core.ui import state, widgets
from moola_core.ui.places import data_folder, display_path, store_folder

NONE = ""


def ask(name: str) -> tuple[str, dict[str, str]]:
    """Draw the encoder, where the study called `name` starts from one, and the settings; return both. Raises SpecError for a line that sets nothing."""
    checkpoint = NONE
    with st.expander(
        "Encoder and settings",
        icon=":material/tune:",
        expanded=state.is_in_link((state.STUDY_ENCODER, state.STUDY_SETTINGS)),
    ):
        if name in studies.PRETRAINED:
            encoders = encoders_there()
            titles = {NONE: "pre-trained in the study", **encoders}
            state.init_state(state.STUDY_ENCODER, list(titles), NONE)
            checkpoint = st.selectbox(
                "Pre-trained encoder", list(titles), format_func=titles.__getitem__, key=state.STUDY_ENCODER, width=420
            )
        state.init_text(state.STUDY_SETTINGS)
        text = st.text_area(
            "Other settings",
            key=state.STUDY_SETTINGS,
            placeholder="training.epochs=40\npretrain.objective.name=contrastive",
            help="Settings by name, one a line; pretrain. before those of pre-training. *Launch* lists all of them.",
            height=90,
        )
    state.write_query_params((state.STUDY_ENCODER, state.STUDY_SETTINGS))
    return checkpoint, pairs(filter(None, map(str.strip, text.splitlines())), "Settings")


def complete(checkpoint: str, changes: dict[str, str]) -> dict[str, str]:
    """The settings with those of the encoder, where they do not give them. Raises CheckpointError for one that cannot be used."""
    return with_settings(checkpoint, store_folder(), changes)


def encoders_there() -> dict[str, str]:
    """The encoders that a study or an investigation may start from: pre-training runs and files, by what a spec calls them."""
    encoders = find(data_folder(), store_folder())
    names = {one.reference: widgets.title_of(one.run) if one.run else display_path(one.reference) for one in encoders}
    return widgets.unique_titles(names)
