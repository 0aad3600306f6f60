"""The Windows page's controls: filters, order, and the field that leads to a window."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from moola_core.market.library import Dataset
from moola_core.market.windows import Windows
from moola_core.ui import guard, loaders, state, widgets, window_flags, window_table

ALL = "all"
NOTED = {"flagged": "flagged", "commented": "commented on"}
NO_FILTER = {state.TRUE: "", state.GRADE: "", state.NOTED: "", state.PREDICTED: "", state.OUTCOME: "", state.ERROR: 0}
DEFAULTS = NO_FILTER | {state.ORDER: "file", state.REPEAT: ALL}
SHOWN, GO_TO, MISSED = "window_shown", "go_to", "go_to_missed"
DIGITS = 9
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
    _one_of(state.NOTED, "Flags", tuple(NOTED), NOTED)
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


def place(table: pd.DataFrame, rows: np.ndarray) -> int | None:
    """Select one of the windows at `rows`, and return its place among them; None where a link asks for one that is not there."""
    ids = list(table["window_id"].astype(str).iloc[rows])
    wanted = state.remember(state.WINDOW)
    if wanted and wanted not in ids and wanted != st.session_state.get(SHOWN):
        return None
    # A window that was shown and does not pass the filters any more gives way to the first that does.
    selected = wanted if wanted in ids else ids[0]
    st.session_state[state.WINDOW] = st.session_state[SHOWN] = selected
    return ids.index(selected)


def go_to(dataset: Dataset, table: pd.DataFrame, ids: list[str]) -> None:
    """Draw the field that leads to a window by its id, its number or a time."""
    st.text_input(
        "Go to an id, a number or a time",
        key=GO_TO,
        placeholder="for example 2026-01-15 10:30",
        on_change=guard.callback(_go),
        args=(dataset, ids),
        width=WINDOW_PIXELS,
    )
    missed = st.session_state.pop(MISSED, "")
    if missed:
        st.markdown(f":orange[{widgets.escape_markdown(missed)}]")


def _go(dataset: Dataset, ids: list[str]) -> None:
    asked = str(st.session_state.get(GO_TO) or "").strip()
    if not asked:
        return
    at = window_place(asked, ids, dataset)
    if at is None:
        st.session_state[MISSED] = (
            f"No window here is {asked[:60]}, and it is no time that can be read, such as 2026-01-15 10:30."
        )
    else:
        st.session_state[state.WINDOW] = st.session_state[SHOWN] = ids[at]
        st.session_state[GO_TO] = ""


def window_place(asked: str, ids: list[str], dataset: Dataset) -> int | None:
    """The place of the window with this id, else of this number (from 1), else of the first to end after this time in the exchange's zone."""
    if asked in ids:
        return ids.index(asked)
    if asked.isascii() and asked.isdigit() and len(asked) <= DIGITS:
        return int(asked) - 1 if 1 <= int(asked) <= len(ids) else None
    time = widgets.parse_time(asked, loaders.exchange_zone(dataset))
    if time is None:
        return next((i for i, name in enumerate(ids) if name.startswith(asked)), None)
    return _at_time(time, ids, dataset)


def _at_time(time: np.datetime64, ids: list[str], dataset: Dataset) -> int | None:
    """The place of the window that holds the time, or starts next after it; None where no window has a time."""
    assert dataset.windows is not None
    windows = loaders.windows_of(dataset.windows, dataset.bars)
    number = {str(name): i for i, name in enumerate(windows.window_id)}
    starts = windows.start_time[[number[name] for name in ids]]
    length = np.timedelta64(round(windows.interval_s * windows.bars * 1e9), "ns")
    after = np.flatnonzero(~np.isnat(starts) & (starts + length > time))
    return int(after[np.argmin(starts[after])]) if len(after) else None


def noted(table: pd.DataFrame, rows: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Those of the rows that pass the filter by flags."""
    wanted = st.session_state.get(state.NOTED)
    if not wanted:
        return rows
    flags = window_flags.of(dataset)
    kept = {name for name, one in flags.items() if (one.flagged if wanted == "flagged" else one.comment)}
    return rows[table["window_id"].astype(str).iloc[rows].isin(kept).to_numpy()]


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


def _repeat_name(value: str) -> str:
    return "all repeats" if value == ALL else f"repeat {int(value) + 1}"
