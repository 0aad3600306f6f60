"""Every key that the app reads, and the list of them under "?"."""

from __future__ import annotations

import streamlit as st

from moola_core.ui import viewers

# By the page where they work: the keys as they are named on screen, and what they do.
SHORTCUTS: dict[str, tuple[tuple[str, str], ...]] = {
    "Everywhere": (("?", "show this list"),),
    "Windows": (
        ("→ or j", "next window"),
        ("← or k", "previous window"),
        ("Home, End", "first and last window"),
        ("w, W", "next and previous window that is wrong"),
        ("u, U", "next and previous window that is unsure"),
        ("d, D", "next and previous window whose center is far off"),
        ("f", "flag the window, or take the flag away"),
        ("n", "write a comment"),
        ("+, -, 0", "zoom in, zoom out, whole window"),
    ),
    "Predict": (
        ("→ or j", "next expansion"),
        ("← or k", "previous expansion"),
        ("Home, End", "first and last expansion"),
        ("a", "all bars that are loaded"),
        ("+, -, 0", "zoom in, zoom out, back to the expansion"),
    ),
}


def draw() -> None:
    """The button in the sidebar, which the key "?" presses too."""
    with st.sidebar:
        viewers.component("shortcuts")(key="shortcuts", data={"groups": SHORTCUTS}, width="content", height="content")
