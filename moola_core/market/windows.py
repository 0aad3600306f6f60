"""Labelled windows: K consecutive bars each, with a class and, where known, the pointer of the expansion inside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from moola_core import arguments
from moola_core.errors import DataError, of_data
from moola_core.market import doubts, labels, matching, tables
from moola_core.market.bars import Bars, contains_break, load_bars
from moola_core.market.checks import Report
from moola_core.market.library import holds_bars
from moola_core.market.questions import Asking
from moola_core.market.readers import reader_name
from moola_core.market.settings import load_reading
from moola_core.market.window_columns import columns_of, keep, matrices, most_frequent, times_of
from moola_core.overlap import Overlap
from moola_core.specs import ReadOptions

SHORTEST, LONGEST = 10, 500
ARRAYS = ("expansion_start", "expansion_end", "window_id", "grade", "start_time", "source", "instrument")
MINUTE_S = 60.0
LEAST_MOVING = 4  # bars with a range: a market that stands still repeats its bars, which says nothing against the times


@dataclass(frozen=True, eq=False)
class Windows:
    """n labelled windows of K bars.

    window_id, label, grade, source, instrument [n] str ('' where unknown); start, end [n] float64 pointers in bars, 0-based and
    inclusive (nan: none); prices [n, K, 4] float64; start_time [n] datetime64[ns] UTC (NaT: unknown); position [n] bar
    number of the first bar in the bars they were located in (-1: not located); spans_gap [n] bool; interval_s: of the
    bars, or known from windows that share bars, or a minute; claimed [n]: the start times of their file before they were located, None
    where it states none with a zone or the windows were cut by them.
    """

    window_id: np.ndarray
    label: np.ndarray
    start: np.ndarray
    end: np.ndarray
    prices: np.ndarray
    grade: np.ndarray
    start_time: np.ndarray
    source: np.ndarray
    instrument: np.ndarray
    position: np.ndarray
    spans_gap: np.ndarray
    interval_s: float
    report: Report
    path: str = ""
    claimed: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.window_id)

    @property
    def bars(self) -> int:
        """K, the window length."""
        return self.prices.shape[1]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.label)))

    @property
    def has_pointer(self) -> np.ndarray:
        return np.isfinite(self.start) & np.isfinite(self.end)

    @cached_property
    def content_hash(self) -> str:
        """Hash of what training reads: ids, labels, pointers and prices."""
        digest = hashlib.sha256("\n".join([*map(str, self.window_id), *map(str, self.label)]).encode())
        for values in (self.start, self.end, self.prices):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def select(self, rows: np.ndarray) -> Windows:
        """The windows at `rows` (a mask or indices), in that order; these themselves where a mask has all of them."""
        if rows.dtype == bool and rows.all():
            return self
        arrays = {
            name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray) and value.ndim
        }
        return replace(self, **arrays)

    def trainable(self, exclude_grades: Sequence[str] = ("D",)) -> tuple[Windows, int]:
        """The windows that take part in training, and how many were left out by their grade."""
        kept = ~np.isin(self.grade.astype(str), list(exclude_grades))
        return self.select(kept), int((~kept).sum())


def load_windows(
    path: str | Path, reading: ReadOptions | None = None, bars: Bars | None = None, labelled: bool = True
) -> Windows:
    """Labelled windows of a file; with labelled=False the label column may be missing, and one class is enough.

    With a `features` column the prices are in the file; otherwise (a CSV, Parquet or Label Studio JSON of times and
    labels) the windows are cut from `bars`. Given bars, windows with prices are located in them.
    Raises DataError that names the file, the rule and the first windows.
    """
    reading = reading or load_reading(path)
    with of_data(str(path)):
        table, notes = labels.read_labels(path, reading, labelled)
    least_classes = 2 if labelled else 1
    with of_data(str(path)), Asking(str(path)) as asking:
        asking.reader = reader_name(path)
        if "features" in table:
            return _from_prices(table, reading, asking, bars, notes, least_classes)
        if bars is None and holds_bars(path, reading):
            bars = load_bars(path, reading)
        if bars is None:
            raise DataError(
                "it holds times and labels but no prices.",
                where=asking.where,
                hint="Name the bars to cut the windows from (--bars FILE).",
            )
        cut, warnings = labels.cut(table, bars, reading, asking)
        return replace(_from_prices(cut, reading, asking, bars, (*notes, *warnings), least_classes), claimed=None)


def windows_from_arrays(prices: np.ndarray, label: Sequence, **columns: Sequence) -> Windows:
    """Windows from arrays, lists, series or tensors; checked as a file is.

    Parameters
    ----------
    prices : array-like of float, shape (n, K, 4)
        Open, high, low and close of each bar.
    label : array-like, shape (n,)
        Classes: texts, whole numbers or truth values.
    **columns : array-like, shape (n,)
        `expansion_start` and `expansion_end` in bars, together; `window_id`, `grade`, `start_time`, `source`, `instrument`.

    Returns
    -------
    Windows

    Raises
    ------
    SpecError, DataError
        Says which argument is wrong, its shape and the expected one, or which windows.
    """
    array = arguments.numeric(prices, "prices", ("windows", "bars", 4))
    given = {name: values for name, values in columns.items() if values is not None}
    arguments.refuse_unknown(given, ARRAYS, "windows_from_arrays")
    arguments.both_or_neither(given, *labels.POINTERS)
    table = pd.DataFrame({"label": arguments.names_of_classes(label, "label", len(array))})
    for name, values in given.items():
        table[name] = pd.Series(arguments.column(values, name, len(array)), dtype=object)
    for name in labels.POINTERS:
        if (
            name in table and not table[name].map(lambda value: isinstance(value, str)).any()
        ):  # texts are read as in a file
            table[name] = arguments.numeric(table[name].to_numpy(), name, (len(array),))
    table["features"] = list(array)
    table = table.rename(columns={"instrument": "contract"})
    with Asking("arrays") as asking:
        return _from_prices(table, ReadOptions(tz="UTC", twice="keep"), asking, None)


def _from_prices(
    table: pd.DataFrame,
    reading: ReadOptions,
    asking: Asking,
    bars: Bars | None,
    warnings: Sequence[str] = (),
    least_classes: int = 2,
) -> Windows:
    """Windows of a table that holds prices: parsed, checked, located."""
    where = asking.where
    tables.require(table, ("label", "features"), where, [str(column) for column in table.columns])
    if not len(table):
        raise DataError("no windows in it.", where=where, hint="Export the file again.")
    parts, turned = matrices(table["features"])
    length = reading.window_bars or most_frequent([len(part) for part in parts])
    if not SHORTEST <= length <= LONGEST:
        raise DataError(f"windows of {length} bars.", where=where, hint=f"A window has {SHORTEST} to {LONGEST} bars.")
    fits = np.array([part.shape == (length, 4) for part in parts])
    columns, spelling = columns_of(table, length, reading, where)
    columns["prices"] = np.stack(
        [part if good else np.full((length, 4), np.nan) for part, good in zip(parts, fits, strict=True)]
    )
    kept, drop_notes = keep(columns, fits, reading, asking)
    twice, contradicting, twice_notes = doubts.given_twice(columns["label"], columns["prices"], kept, reading, asking)
    kept &= twice
    prices = (
        columns["prices"] if kept.all() else columns["prices"][kept]
    )  # of many windows a copy is most of the memory
    position = matching.find(prices, bars.ohlc) if bars is not None else np.full(int(kept.sum()), -1)
    all_located = len(position) > 0 and bool((position >= 0).all())
    of_times = Asking(where) if all_located else asking
    columns["start_time"], time_notes = times_of(table, reading, of_times)
    asking.close()
    near = doubts.list_nearly_equal(columns["window_id"][kept], columns["label"][kept], prices)
    notes = (*warnings, *turned, *spelling, *drop_notes, *twice_notes, *near, *time_notes)
    report = Report("windows", int(kept.sum()), (), notes, asking.reader, contradicting=contradicting)
    none = np.full(len(table), -1, np.int64)
    loaded = Windows(
        **columns, position=none, spans_gap=none > 0, interval_s=MINUTE_S, report=report, path=where
    ).select(kept)
    if len(loaded.classes) < least_classes:
        only = loaded.classes[0] if len(loaded) else "none"
        raise DataError(f"only one class, {only}.", where=where, hint="Two or more classes are needed.")
    if bars is not None:
        claimed = None if of_times.questions else loaded.start_time
        return _of_one_contract(replace(locate(loaded, bars, position), claimed=claimed), bars, least_classes)
    timed = ~np.isnat(loaded.start_time)
    interval_s = matching.interval_s(loaded.prices[timed], loaded.start_time[timed])
    return replace(loaded, interval_s=interval_s or MINUTE_S)


def _of_one_contract(windows: Windows, bars: Bars, least_classes: int) -> Windows:
    """The located windows less those that cross a contract roll, which are named in a warning."""
    crossing = (windows.position >= 0) & contains_break(bars.rolls, windows.position, windows.bars)
    if not crossing.any():
        return windows
    names = ", ".join(map(str, windows.window_id[crossing][:5]))
    note = f"{int(crossing.sum())} windows cross a contract roll and are left out, first {names}."
    kept = windows.select(~crossing)
    if len(kept.classes) < least_classes:
        raise DataError(f"too few are left: {note}", where=windows.path, hint="Label windows within one contract.")
    report = replace(kept.report, rows=len(kept), warnings=(*kept.report.warnings, note))
    return replace(kept, report=report)


def locate(windows: Windows, bars: Bars, position: np.ndarray | None = None) -> Windows:
    """The windows with `position` and `start_time` from `bars`.

    A window is found by the differences of its prices, so bars that were back-adjusted by a constant match too; where none is, by their
    quotients, so that prices divided by a constant match. Windows that are not found keep position -1 and are named in a warning, as is an
    offset that all start times have; those that span a gap or a roll are flagged.
    position [n]: of each window, where it is known already.
    """
    position = matching.find(windows.prices, bars.ohlc) if position is None else position
    notes = list(windows.report.warnings)
    if len(position) and not (position >= 0).any():
        position = matching.find_scaled(windows.prices, bars.ohlc)
        if (position >= 0).any():
            notes.append(
                "The prices of the windows are those of the bars divided by a number of its own for each window."
            )
    located = position >= 0
    notes += _offset_notes(windows.start_time[located], bars.time[position[located]])
    start_time = windows.start_time.copy()
    start_time[located] = bars.time[position[located]]
    spans = located & contains_break(bars.breaks, position, windows.bars)
    if not located.all():
        names = ", ".join(map(str, windows.window_id[~located][:5]))
        notes.append(f"{int((~located).sum())} windows were not found in the bars, first {names}.")
    if spans.any():
        notes.append(f"{int(spans.sum())} windows span a gap or a roll; they are kept and flagged.")
    report = replace(windows.report, warnings=tuple(notes))
    return replace(
        windows, position=position, start_time=start_time, spans_gap=spans, interval_s=bars.interval_s, report=report
    )


def _offset_notes(given: np.ndarray, in_bars: np.ndarray) -> list[str]:
    """A note on start times that are not those of the bars in which the prices were found."""
    known = ~np.isnat(given)
    away = (given[known] - in_bars[known]).astype("timedelta64[s]").astype(np.int64)
    if not (away != 0).any():
        return []
    values, counts = np.unique(away[away != 0], return_counts=True)
    usual = int(values[counts.argmax()])
    return [
        f"{int((away != 0).sum())} of {len(away)} start times differ from those of the bars with the same prices, mostly by "
        f"{usual / 60:+g} minutes; the times of the bars are used."
    ]


def bar_spans(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Which windows share bars: series and first bar within it, both [n], or [n, 2] for windows that are placed in two ways.

    Two windows share bars when they are of one series and their first bars lie closer than K, in either way. Known from positions in
    bars, else from start times and also from equal prices (a copy under another time is still the same window), else from prices alone.
    """
    if len(windows) and (windows.position >= 0).all():
        return np.zeros(len(windows), np.int64), windows.position.astype(np.int64)
    if not len(windows) or np.isnat(windows.start_time).any():
        return matching.overlaps(windows.prices)
    _, instrument = np.unique(windows.instrument.astype(str), return_inverse=True)
    timed = matching.along_time(windows.prices, windows.start_time, instrument, windows.interval_s)
    series, first = matching.overlaps(windows.prices, LEAST_MOVING)
    return np.stack([instrument.astype(np.int64), series], axis=1), np.stack([timed, first], axis=1)


def overlap(windows: Windows) -> Overlap:
    """Which of the windows share bars."""
    return Overlap(*bar_spans(windows), windows.bars)
