"""The card that says that this is the demo, fills every page, and takes it all away."""

from __future__ import annotations

import time

import streamlit as st

from moola_core.launch import demo
from moola_core.market.library import Dataset
from moola_core.ui import guard, loaders
from moola_core.ui.places import data_folder
from moola_core.ui.widgets import escape_markdown

LOOK = "2s"


def draw(dataset: Dataset) -> None:
    """The card, where the dataset is the demo market."""
    if dataset.windows is None or dataset.windows.parent.resolve() != (data_folder() / demo.FOLDER).resolve():
        return
    store = loaders.store()
    progress = demo.progress(store)
    with st.container(border=True, key="demo"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(
                ":blue-badge[:material/science: demo] This is a simulated market with known labels, and its runs are examples.",
                width="content",
            )
            _offer_removal()
        if progress.failed:
            step, why = progress.failed
            st.caption(
                f":orange[{escape_markdown(step.title)} failed: {escape_markdown(why)}] Remove the demo and make it again."
            )
        elif demo.filling(store) and not progress.complete:
            guard.fragment(_watch, run_every=LOOK)()
        elif not progress.complete:
            _say_what_is_missing(progress)
            _offer()


def _offer_removal() -> None:
    with st.popover("Remove the demo", icon=":material/delete:"):
        st.markdown("Deletes the demo's files and the runs that fill its pages. Other runs stay.")
        if st.button("Remove", type="primary", key="demo_remove"):
            with st.spinner("Ending and deleting the demo's runs"):
                demo.remove(loaders.store(), data_folder())
            st.rerun()


def _say_what_is_missing(progress: demo.Progress) -> None:
    missing = progress.total - progress.done - (progress.active is not None)
    if progress.active:
        st.caption(f"Now: {progress.active.title}.")
    st.caption(
        f"{missing} of {progress.total} parts are missing; they are made in the background, some minutes on two cores."
    )


def _offer() -> None:
    if st.button("Fill every page", icon=":material/auto_awesome:", key="demo_fill"):
        demo.start_filling(loaders.store())
        _wait_for_it()
        st.rerun()


def _wait_for_it() -> None:
    """The process takes a moment to begin; until then the card would offer it again."""
    end = time.monotonic() + 10
    while not demo.filling(loaders.store()) and time.monotonic() < end:
        time.sleep(0.1)


def _watch() -> None:
    store = loaders.store()
    progress = demo.progress(store)
    if not demo.filling(store) or progress.complete:
        guard.redraw()
    words = f"{progress.done} of {progress.total} parts are done"
    st.progress(
        progress.done / progress.total, text=f"{words}; now {progress.active.title}" if progress.active else words
    )
