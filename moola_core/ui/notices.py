"""Sentences at the top of a page about what was asked for and could not be done; they stay until the page is left."""

from __future__ import annotations

import streamlit as st

from moola_core.ui.markup import escape_markdown

PLACE, KEPT = "notices_place", "notices"


def begin(moved: bool) -> None:
    """Make the place for notices, and draw those of this page again; after a change of page there are none."""
    if moved:
        st.session_state[KEPT] = {}
    st.session_state[PLACE] = st.container()
    for text in st.session_state.get(KEPT, {}).values():
        show(text)


def add(about: str, text: str) -> None:
    """Say `text` at the top of this page, in the place of the notice about `about` before."""
    keep(about, text)
    show(text)


def keep(about: str, text: str) -> None:
    """As `add`, for a button's on_click, which runs before the page has a place: the sentence is drawn with the page."""
    st.session_state.setdefault(KEPT, {})[about] = text


def drop(about: str) -> None:
    """Say no more of `about`."""
    st.session_state.setdefault(KEPT, {}).pop(about, None)


def show(text: str) -> None:
    """Say `text` at the top of this page, in this run of the script alone."""
    st.session_state[PLACE].warning(escape_markdown(text), icon=":material/info:")
