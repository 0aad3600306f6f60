"""What goes wrong while a part of a page is drawn or a button does its work: a sentence there, and the rest of the page stays.

A fragment, a dialog and a callback run without the page around them, so that an error in them would be shown as a crash.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st

from moola_core.errors import UNREADABLE, MoolaError, unexpected
from moola_core.ui import widgets

LOG = logging.getLogger(__name__)
DIALOG = "dialog_is_open"


@contextmanager
def explained() -> Iterator[None]:
    """Show an error in place of what would have been drawn inside from there on. One that nobody foresaw goes to the log, with its traceback."""
    try:
        yield
    except (MoolaError, *UNREADABLE) as error:
        explained_error = unexpected(error)
        if not isinstance(error, MoolaError | OSError | MemoryError):
            LOG.exception("A part of a page could not be drawn.")
        widgets.show_error(explained_error)


def callback(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its errors explained: for on_click, on_change and on_select."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        with explained():
            return function(*args, **kwargs)

    return guarded


def fragment(function: Callable[..., Any], run_every: str | None = None) -> Callable[..., Any]:
    """`st.fragment` with its errors explained."""
    return st.fragment(callback(function), run_every=run_every)


def dialog(title: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`st.dialog` with its errors explained; `redraw` leaves it open."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def opened(*args: Any, **kwargs: Any) -> Any:
            st.session_state[DIALOG] = True
            return callback(function)(*args, **kwargs)

        return st.dialog(title, on_dismiss=closed, **options)(opened)

    return wrap


def closed() -> None:
    """No dialog is open: the whole page is about to be drawn, or the visitor has closed it."""
    st.session_state[DIALOG] = False


def redraw() -> None:
    """Draw the whole page again, from a fragment that looks by itself; not while a dialog is open, which would close with what was typed in it."""
    if not st.session_state.get(DIALOG):
        st.rerun(scope="app")
