"""Pages without data: which files are read, and the buttons that read one; a file that leaves questions open, with the button for them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.launch import demo
from moola_core.market.library import Dataset
from moola_core.market.questions import OpenQuestions
from moola_core.market.readers import READERS
from moola_core.ui import loaders, reading, state, widgets
from moola_core.ui.places import data_folder, display_path

PACKED = (".gz", ".zst", ".zip", ".gzip")


def formats() -> str:
    """The endings of all files that are read, as a sentence."""
    endings = {ending for name in READERS for ending in READERS[name].suffixes}
    plain = sorted(ending for ending in endings if not ending.endswith(PACKED))
    return f"Files that are read: {', '.join(f'`{ending}`' for ending in plain)}; text and JSON packed with gzip, zstd or zip too."


def show(title: str, body: str) -> None:
    """What is missing, which files are read and where they lie, *Read a new file*, and the demo where there is no data at all."""
    there = bool(loaders.available_datasets())
    with st.container(border=True, key="empty"):
        st.markdown(f"**{title}**")
        st.markdown(f"{body} Put files anywhere under `{display_path(data_folder())}`; nothing is copied.")
        st.markdown(
            "Bars: one row a bar with a time, open, high, low and close. Labelled windows: with their prices, or times and labels that are cut from bars."
        )
        st.markdown(formats())  # names in code are too pale in a caption
        with st.container(horizontal=True):
            if st.button("Read a new file", type="primary", icon=":material/upload_file:", key="empty_read"):
                reading.open_dialog()
            if not there and st.button("Make the demo market", key="empty_demo"):
                demo.files(data_folder())
                demo.start_filling(loaders.store())
                st.rerun()
            if st.button("Look again", key="empty_again"):
                st.rerun()


def show_error(error: MoolaError) -> None:
    """An error of a file; where it leaves questions open, what they are, and the button that asks them."""
    if not isinstance(error, OpenQuestions):
        widgets.show_error(error)
        if error.where and Path(error.where).is_file() and Path(error.where).is_relative_to(data_folder()):
            _offer_to_read(display_path(Path(error.where)), "Set how this file is read", "set_reading")
        return
    place = display_path(Path(error.where))
    questions = "\n".join(f"- {widgets.escape_markdown(one.question)}" for one in error.questions)
    st.warning(
        f"{widgets.escape_markdown(place)} can be read in more than one way:\n\n{questions}", icon=":material/help:"
    )
    _offer_to_read(place, "Answer the questions", "answer_questions")


def _offer_to_read(place: str, label: str, key: str) -> None:
    """The button that opens the dialog on this file."""
    if st.button(label, type="primary", icon=":material/edit:", key=key):
        st.session_state["read_file"] = place
        reading.open_dialog()


def no_run(dataset: Dataset | None, title: str, body: str) -> None:
    """No run is there to show: the way to one, or to data where there is none of that either."""
    if dataset is None:
        show(title, f"{body} A run needs labelled windows or bars.")
    else:
        widgets.empty_state(title, body, [("Set up a run", lambda: state.open_page("launch"))])
