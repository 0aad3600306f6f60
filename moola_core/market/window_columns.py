"""The columns of a table of labelled windows: parsed, and checked window by window."""

from __future__ import annotations

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import doubts, labels
from moola_core.market import times as moments
from moola_core.market.bars import MOST_DROPPED_FRAC
from moola_core.market.checks import Report, price_faults, problem, refuse
from moola_core.market.questions import Asking
from moola_core.specs import ReadOptions

NO_TIME = np.datetime64("NaT", "ns")
FEW = 2  # so many bad windows may be dropped without a question, however few there are


def columns_of(
    table: pd.DataFrame, length: int, reading: ReadOptions, where: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The columns of `Windows` that are read as they stand, and notes; half a pointer is none. length: of the windows in bars."""
    (start, end), pointer_notes = _pointers(table, length, where)
    numbered = np.array([f"w{i:04d}" for i in range(len(table))], object)
    texts = [text.strip() for text in _texts(table, "label")]
    label, notes = doubts.joined_spellings(np.array([reading.class_map.get(text, text) for text in texts], object))
    return {
        "window_id": _texts(table, "window_id") if "window_id" in table else numbered,
        "label": label,
        "start": np.where(np.isfinite(end), start, np.nan),
        "end": np.where(np.isfinite(start), end, np.nan),
        "grade": _texts(table, "grade"),
        "source": _texts(table, "source"),
        "instrument": _texts(table, "contract"),
    }, [*notes, *pointer_notes]


def keep(
    columns: dict[str, np.ndarray], fits: np.ndarray, reading: ReadOptions, asking: Asking
) -> tuple[np.ndarray, list[str]]:
    """Which windows stay, with a note on those dropped; raises DataError for bad ones unless the reading drops them."""
    ids = columns["window_id"]
    faults = _faults(columns, fits)
    bad = np.any([rows for rows, _ in faults.values()], axis=0)
    if not bad.any():
        return ~bad, []
    rules = "; ".join(f"{rule} {int(rows.sum())}" for rule, (rows, _) in faults.items() if rows.any())
    if reading.repair == "refuse":
        problems = tuple(item for rule, (rows, hint) in faults.items() for item in problem(rule, rows, ids, hint))
        refuse(Report("windows", len(ids), problems), asking.where)
    if reading.repair == "drop" and bad.mean() > MOST_DROPPED_FRAC and bad.sum() > FEW:
        asking.ask(doubts.drop_many(int(bad.sum()), len(ids), rules))
    return ~bad, [f"Dropped {int(bad.sum())} bad windows: {rules}."]


def _faults(columns: dict[str, np.ndarray], fits: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
    """Each rule of a window: which windows break it, and how to fix it."""
    ids, label, start, end, prices = (columns[name] for name in ("window_id", "label", "start", "end", "prices"))
    length = prices.shape[1]
    with np.errstate(invalid="ignore"):
        outside = (start < 0) | (end > length - 1)
        reversed_ = end < start
    unit = "Pointers are bar numbers from 0 to the window length less 1."
    rules = {
        f"a window does not have {length} bars of four prices": (
            ~fits,
            "Cut all windows to one length, or set it with --window-bars.",
        ),
        "a window has no label": (np.array([not text for text in label]), "Label it or remove it."),
        "the same window_id occurs twice": (
            pd.Series(ids).duplicated(keep=False).to_numpy(),
            "Give each window its own id.",
        ),
        "a pointer lies outside the window": (outside, unit),
        "a pointer ends before it starts": (reversed_, unit),
    }
    hint = "Fix these windows, or read with --repair drop."
    return rules | {f"in a window, {rule}": (rows.any(-1) & fits, hint) for rule, rows in price_faults(prices).items()}


def matrices(column: pd.Series) -> tuple[list[np.ndarray], list[str]]:
    """Each window's nested lists as [bars, prices], turned where the file has channels first; and notes on what was done."""
    parts, notes = [_matrix(values) for values in column], []
    if all(part.ndim == 2 and part.shape[0] in (4, 5) and part.shape[1] > 5 for part in parts):
        parts = [part.T for part in parts]
        notes.append("The prices are stored channels first; they are turned to bars × prices.")
    if all(part.ndim == 2 and part.shape[1] == 5 for part in parts):
        parts = [part[:, :4] for part in parts]
        notes.append("The first four of five values a bar are read as its prices.")
    return parts, notes


def _matrix(values: object) -> np.ndarray:
    """One window's nested lists as [bars, columns]; anything else becomes an empty array, which no length fits."""
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype.kind in "fiu":
        return values.astype(float, copy=False)
    try:
        return np.array([np.asarray(row, float) for row in values])  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return np.empty((0, 4))


def most_frequent(lengths: list[int]) -> int:
    values, counts = np.unique(lengths, return_counts=True)
    return int(values[counts.argmax()])


def _texts(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), "", object)
    return np.array(
        ["" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value) for value in table[name]], object
    )


def _pointers(table: pd.DataFrame, length: int, where: str) -> tuple[tuple[np.ndarray, np.ndarray], list[str]]:
    """Starts and ends [n] in bars; those that can only be fractions of the window are multiplied by its length, which a note says."""
    pair = [_pointer(table, name, where) for name in labels.POINTERS]
    known = np.concatenate([values[np.isfinite(values)] for values in pair])
    if not len(known) or np.abs(known).max() > 1 or not (known % 1 != 0).any():
        return (pair[0], pair[1]), []
    if (known < 0).any():
        raise DataError(
            f"pointers are {known.min()} to {known.max()}, which are neither bar numbers nor fractions of the window.",
            where=where,
            hint="Pointers are bar numbers from 0 to the window length less 1.",
        )
    start, end = (np.minimum(np.round(values * length), length - 1) for values in pair)
    return (start, end), [
        f"Pointers are fractions of the window; they were multiplied by its {length} bars and rounded."
    ]


def _pointer(table: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """Pointers as they stand. Raises DataError for times, which no bar number is."""
    if name not in table:
        return np.full(len(table), np.nan)
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan)
    lost = np.isnan(numbers) & table[name].notna().to_numpy() & (table[name].astype(str).str.strip() != "").to_numpy()
    if lost.any():
        raise DataError(
            f"{name} is {table[name][lost].iloc[0]} in a window, which is no bar number.",
            where=where,
            hint="Pointers are bar numbers from 0 to the window length less 1.",
        )
    return numbers


def times_of(table: pd.DataFrame, reading: ReadOptions, asking: Asking) -> tuple[np.ndarray, list[str]]:
    times = np.full(len(table), NO_TIME)
    if "start_time" not in table or table["start_time"].isna().all():
        return times, []
    known = table["start_time"].notna().to_numpy()
    times[known], notes = moments.utc_times(
        table["start_time"][known].reset_index(drop=True), reading, asking.where, asking
    )
    return times, notes
