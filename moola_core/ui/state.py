"""What the app remembers: the keys of session state, and their copy in the URL.

Streamlit's own `bind="query-params"` refuses `st.switch_page`, which a click on a confusion cell needs, so the copy is
made here: the URL is read once, when a session first asks for a key, and written whenever a page has drawn its widgets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

DATASET, RUN = "dataset", "run"
WINDOW, REPEAT = "window", "repeat"
TRUE, SAID, GRADE, OUTCOME, ERROR, ORDER = "true", "predicted", "grade", "outcome", "error", "order"
KIND, PRESET, CHECKPOINT, ARCHIVED = "kind", "preset", "checkpoint", "archived"
SECTION, VIEW, STUDY = "show", "view", "study"
ARRIVING, DRAWN = "arriving", "drawn"
WINDOW_KEYS = (WINDOW, REPEAT, TRUE, SAID, GRADE, OUTCOME, ERROR, ORDER)


def choose(key: str, options: Sequence[Any], default: Any) -> None:
    """Give `key` a value among `options` before its widget is drawn: the session's, else the URL's, else `default`."""
    if key not in st.session_state and key in st.query_params:
        st.session_state[key] = st.query_params[key]
    if st.session_state.get(key) not in options:
        st.session_state[key] = default


def choose_number(key: str, low: int, high: int, default: int) -> None:
    """As `choose`, for a whole number between `low` and `high`."""
    text = st.query_params.get(key, "")
    if key not in st.session_state:
        st.session_state[key] = int(text) if text.isdigit() else default
    st.session_state[key] = min(max(st.session_state[key], low), high)


def publish(keys: Sequence[str], defaults: dict[str, Any] | None = None) -> None:
    """Copy the session's values of `keys` to the URL; a default is left out."""
    for key in keys:
        value = st.session_state.get(key)
        if value in (None, "", (defaults or {}).get(key)):
            if key in st.query_params:
                del st.query_params[key]
        elif st.query_params.get(key) != str(value):
            st.query_params[key] = str(value)


def open_page(page: str, **values: Any) -> None:
    """Go to `pages/<page>.py` with the session's keys set to `values`."""
    # A widget of this page may own a key and would refuse the change, so the next page's start makes it.
    st.session_state[ARRIVING] = values
    st.switch_page(f"pages/{page}.py")


def open_windows(**filters: Any) -> None:
    """Go to the windows that `filters` select; every other filter is dropped."""
    open_page("windows", **(dict.fromkeys(WINDOW_KEYS) | filters))


def arrive() -> None:
    """Take over what `open_page` was given; before any widget is drawn."""
    for key, value in st.session_state.pop(ARRIVING, {}).items():
        if value is None:
            st.session_state.pop(key, None)
        else:
            st.session_state[key] = value
