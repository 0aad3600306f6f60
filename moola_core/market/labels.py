"""Tables of labels: with prices, or with times to cut windows from bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import readers, tables
from moola_core.market.bars import Bars, crosses
from moola_core.specs import Reading

DEFAULT_BARS = 105
UNLABELLED = "unlabelled"
LEAST_POINTS = 20


def read_labels(path: str | Path, reading: Reading, labelled: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """The file's rows under our column names, one row a window, and what had to be decided or left out on the way.

    Without a label column all rows are `unlabelled`, where that is allowed.
    """
    table, notes = readers.read_labels(path, reading)
    if "start_time" not in table and "time" in table:
        table = table.rename(columns={"time": "start_time"})
    if not labelled and "label" not in table:
        return table.assign(label=UNLABELLED), notes
    if "label" not in table:
        tables.require(table, ("label",), str(path), readers.read_header(path).columns)
    return table, notes


def cut(table: pd.DataFrame, bars: Bars, reading: Reading, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of `table` with `features` cut from `bars`, and warnings that list the rows that matched no bars.

    A window starts at its start_time, or ends at its end_time. Expansions may be bar numbers or times.
    """
    length = reading.window_bars or DEFAULT_BARS
    anchor = "start_time" if "start_time" in table else "end_time"
    tables.require(table, (anchor,), where, [str(column) for column in table.columns])
    moments, warnings = tables.parse_times(table[anchor], reading, where)
    first = np.searchsorted(bars.time, moments)
    on_bar = (first < len(bars)) & (bars.time[np.minimum(first, len(bars) - 1)] == moments)
    first = first if anchor == "start_time" else first - length + 1
    matched = on_bar & (first >= 0) & (first + length <= len(bars)) & ~crosses(bars.rolls, first, length)
    if not matched.any():
        raise DataError(
            "no row matches the bars.",
            where=where,
            hint="Check the time zones (--tz, and --bars-tz where the bars have another) and that the bars cover these times.",
        )
    if not matched.all():
        rows = np.flatnonzero(~matched)
        listed = ", ".join(f"row {i} ({str(moments[i])[:16]})" for i in rows[:10])
        warnings.append(
            f"{len(rows)} rows match no {length} bars of one contract and are left out: {listed}. "
            "If bars and labels are in different time zones, set them with --tz and --bars-tz."
        )
    warnings += _of_ends(table[matched], bars, first[matched], length, reading, where)
    warnings += _of_points(first[matched])
    kept = table[matched].reset_index(drop=True)
    starts = first[matched]
    kept["features"] = [bars.ohlc[i : i + length] for i in starts]
    kept["start_time"] = pd.Series(bars.time[starts]).dt.tz_localize("UTC")
    for name in ("expansion_start", "expansion_end"):
        if name in kept:
            kept[name] = _bar_numbers(kept[name], bars, starts, reading, where)
    return kept, warnings


def _of_ends(
    table: pd.DataFrame, bars: Bars, first: np.ndarray, length: int, reading: Reading, where: str
) -> list[str]:
    """A note when windows of `length` bars from `first` [n] do not end where the rows' end_time says."""
    if "end_time" not in table:
        return []
    if "start_time" not in table:
        return [
            "A window's end_time is read as the start of its last bar. If it is the end of that bar, give the start of the window as start_time instead."
        ]
    ends, _ = tables.parse_times(table["end_time"].reset_index(drop=True), reading, where)
    known = ~np.isnat(ends)
    labelled = (
        np.searchsorted(bars.time, ends[known]) - first[known]
    )  # up to the end, without the bar that starts there
    differ = (labelled != length) & (labelled != length - 1)  # the end may be the start of the last bar
    if not differ.any():
        return []
    return [
        f"end_time is not used: windows of {length} bars from start_time are cut, but {int(differ.sum())} of {len(labelled)} "
        f"labelled intervals have another length ({int(labelled.min())} to {int(labelled.max())} bars). "
        "All windows of a run have one length; set it with --window-bars."
    ]


def _of_points(first: np.ndarray) -> list[str]:
    """A note when the rows follow each other bar by bar, as in files that label every bar."""
    steps = np.diff(first)
    if len(steps) < LEAST_POINTS or np.mean(steps == 1) < 0.5:
        return []
    return [
        "Most windows start one bar after the one before: does each row label a single bar? Only rows that label whole windows can be used."
    ]


def _bar_numbers(values: pd.Series, bars: Bars, starts: np.ndarray, reading: Reading, where: str) -> np.ndarray:
    """Pointers as bar numbers of their window, from bar numbers or times."""
    numbers = pd.to_numeric(values, errors="coerce")
    numbered = numbers.abs().median() < tables.LEAST_EPOCH
    if numbered or values.isna().all():
        return numbers.to_numpy(float, na_value=np.nan)
    known = values.notna().to_numpy()
    moments, _ = tables.utc_times(values[known].reset_index(drop=True), reading, where)
    result = np.full(len(values), np.nan)
    result[known] = np.searchsorted(bars.time, moments, side="right") - 1 - starts[known]
    return result
