"""The Windows page's controls: filters, order, and stepping from window to window, by button or arrow key."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.market.windows import Windows
from moola_core.ui import selecting, state, stepper, widgets, window_table

ALL = "all"
NO_FILTER = {state.TRUE: "", state.GRADE: "", state.PREDICTED: "", state.OUTCOME: "", state.ERROR: 0}
DEFAULTS = NO_FILTER | {state.ORDER: "file", state.REPEAT: ALL}
SHOWN = "window_shown"
FAR_BARS = 60
FILTER_PIXELS, ERROR_PIXELS, WINDOW_PIXELS = 140, 200, 330


def repeat_picker(predictions: pd.DataFrame | None) -> int | None:
    """Which repeat's predictions to show; None for all of them."""
    known = window_table.repeats(predictions)
    if len(known) < 2:
        return known[0] if known else None
    options = [ALL, *(str(value) for value in known)]
    state.init_state(state.REPEAT, options, ALL)
    name = st.selectbox("Repeat", options, key=state.REPEAT, format_func=_repeat_name, width=FILTER_PIXELS)
    return None if name == ALL else int(name)


def filters(windows: Windows, has_answers: bool) -> window_table.Filter:
    """Draw the filters and return what they select."""
    true = _one_of(state.TRUE, "Class", windows.classes)
    grades = sorted({str(grade) for grade in windows.grade} - {""})
    grade = _one_of(state.GRADE, "Grade", grades) if grades else ""
    if not has_answers:
        return window_table.Filter(true=true, grade=grade)
    outcome = _one_of(state.OUTCOME, "Result", tuple(window_table.OUTCOMES), window_table.OUTCOMES)
    predicted = _one_of(state.PREDICTED, "Predicted class", windows.classes)
    state.choose_number(state.ERROR, 0, FAR_BARS, 0)
    error = st.number_input(
        "Minimum center error (bars)", 0, FAR_BARS, key=state.ERROR, persist_state="session", width=ERROR_PIXELS
    )
    return window_table.Filter(true=true, grade=grade, predicted=predicted, outcome=outcome, error=int(error or 0))


def order_picker(has_answers: bool) -> str:
    """Draw the choice of order and return it."""
    if not has_answers:
        return "file"
    state.init_state(state.ORDER, list(window_table.ORDERS), "file")
    return st.selectbox(
        "Order",
        list(window_table.ORDERS),
        key=state.ORDER,
        format_func=lambda key: window_table.ORDERS[key],
        persist_state="session",
        width=220,
    )


def step(table: pd.DataFrame, rows: np.ndarray) -> int | None:
    """Draw previous, next and the choice of window; return the row number of the selected one.

    None where a link asks for a window that is not among the rows.
    """
    named = _lines(table, rows)
    ids = list(named)
    wanted = state.remember(state.WINDOW)
    if wanted and wanted not in named and wanted != st.session_state.get(SHOWN):
        return None
    # A window that was shown and does not pass the filters any more gives way to the first that does.
    place = ids.index(wanted) if wanted in named else 0
    place = (place + stepper.taken()) % len(ids)
    selecting.put(state.WINDOW, ids[place])
    st.session_state[SHOWN] = ids[place]
    selecting.select(f"Window {place + 1} of {len(ids)}", state.WINDOW, named, width=WINDOW_PIXELS)
    return int(rows[place])


def clear_filters() -> None:
    """Drop every filter; for a button's on_click."""
    st.session_state.update(NO_FILTER)


def missing(table: pd.DataFrame) -> None:
    """Say why the window that a link asks for is not shown, and what to do."""
    window_id = st.session_state[state.WINDOW]
    name = widgets.escape_markdown(window_id[:60])
    if window_id in set(table["window_id"].astype(str)):
        clear = ("Drop the filters", lambda: state.open_windows(window=window_id))
        body = "It is among the windows of this dataset. Drop the filters to see it."
        widgets.empty_state(f"Window {name} does not pass these filters", body, [clear])
    else:
        first = ("Show the first window", lambda: state.open_windows())
        body = "The file may have changed since the link was made, or the link belongs to another dataset."
        widgets.empty_state(f"There is no window {name} in this dataset", body, [first])


def _one_of(key: str, title: str, options: tuple[str, ...] | list[str], names: dict[str, str] | None = None) -> str:
    state.init_state(key, ["", *options], "")
    return st.selectbox(
        title,
        ["", *options],
        key=key,
        format_func=lambda value: (names or {}).get(value, value) or "any",
        persist_state="session",
        width=FILTER_PIXELS,
    )


def _lines(table: pd.DataFrame, rows: np.ndarray) -> dict[str, str]:
    """Window id to the line that the picker shows, in the order of `rows`."""
    selected = table.iloc[rows]
    columns = zip(selected["window_id"], selected["label"], selected["repeats"], selected["right"], strict=True)
    marks = {True: " · ✓", False: " · ✗"}
    return {
        str(name): f"{name} · {label}{marks[right == seen] if seen else ''}" for name, label, seen, right in columns
    }


def _repeat_name(value: str) -> str:
    return "all repeats" if value == ALL else f"repeat {int(value) + 1}"
