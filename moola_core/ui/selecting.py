"""A selectbox over things that have an id, such as runs and windows; the choice among parts of a page.

The selection is kept by id, under a key of its own that no widget owns. Streamlit's browser side answers with the text
of an option instead, and answers late: a text that has changed since (`queued` became `running`), or that belongs to
what was shown before the last step, would select something else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from moola_core.ui import guard, state


def select(
    title: str, key: str, labels: dict[str, str], on_change: Callable[[], None] | None = None, **look: Any
) -> None:
    """Draw the selectbox over the ids in `labels`, whose texts differ. The selection is `st.session_state[key]`.

    Nothing is selected while that id is not among them. on_change: called when the visitor has selected another one.
    look: arguments of `st.selectbox`.
    """
    known = st.session_state.setdefault(f"{key}_texts", {})
    known |= {text: name for name, text in labels.items()}
    widget = _widget(key)
    selected = st.session_state.get(key)
    selected = selected if selected in labels else None
    shown = (widget, labels.get(selected or ""))
    # Writing it again makes the browser show it: another choice, or the same one under a text that has changed.
    if st.session_state.get(f"{key}_shown") != shown or st.session_state.get(widget) != selected:
        st.session_state[f"{key}_shown"] = shown
        st.session_state[widget] = selected
    st.selectbox(
        title,
        list(labels),
        index=None if selected is None else 0,
        key=widget,
        format_func=labels.__getitem__,
        on_change=guard.callback(_take),
        args=(key, widget, on_change),
        **look,
    )


def part(title: str, key: str, titles: dict[str, str]) -> str:
    """Draw the choice among parts of a page, the first one by default; the session and the URL keep it under `key`."""
    first = next(iter(titles))
    state.init_state(key, list(titles), first)
    st.segmented_control(
        title,
        list(titles),
        format_func=titles.__getitem__,
        key=key,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    state.write_query_params((key,), {key: first})
    return str(st.session_state[key])


def put(key: str, selected: str | None) -> None:
    """Choose for the visitor: an answer that is under way from the selectbox as it was before counts no more."""
    if st.session_state.get(key) != selected:
        st.session_state[key] = selected
        st.session_state[f"{key}_turn"] = st.session_state.get(f"{key}_turn", 0) + 1


def _widget(key: str) -> str:
    return f"{key}_picker_{st.session_state.get(f'{key}_turn', 0)}"


def _take(key: str, widget: str, on_change: Callable[[], None] | None) -> None:
    if widget != _widget(key):
        return
    answer = st.session_state.get(widget)
    # A text that is no option any more comes as it is.
    selected = st.session_state[f"{key}_texts"].get(answer, answer)
    known = set(st.session_state[f"{key}_texts"].values())
    if selected in known and selected != st.session_state.get(key):
        st.session_state[key] = selected
        if on_change is not None:
            on_change()
