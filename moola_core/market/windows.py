"""Labelled windows: K consecutive bars each, with a class and, where known, the pointer of the expansion inside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import doubts, labels, matching, tables
from moola_core.market import times as moments
from moola_core.market.bars import MOST_DROPPED_FRAC, Bars, crosses, load_bars
from moola_core.market.checks import Report, price_faults, problem, refuse
from moola_core.market.library import holds_bars
from moola_core.market.questions import Asking
from moola_core.market.readers import reader_name
from moola_core.market.settings import load_reading
from moola_core.specs import Reading

SHORTEST, LONGEST = 10, 500
NO_TIME = np.datetime64("NaT", "ns")
MINUTE_S = 60.0
FEW = 2  # so many bad windows may be dropped without a question, however few there are
LEAST_MOVING = 4  # bars with a range: a market that stands still repeats its bars, which says nothing against the times


@dataclass(frozen=True, eq=False)
class Windows:
    """n labelled windows of K bars.

    window_id, label, grade, source, instrument [n] str ('' where unknown); start, end [n] float64 pointers in bars, 0-based and
    inclusive (nan: none); prices [n, K, 4] float64; start_time [n] datetime64[ns] UTC (NaT: unknown); position [n] bar
    number of the first bar in the bars they were located in (-1: not located); spans_gap [n] bool; interval_s: of the
    bars, or known from windows that share bars, or a minute.
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
        """The windows at `rows` (a mask or indices), in that order."""
        arrays = {
            name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray) and value.ndim
        }
        return replace(self, **arrays)

    def trainable(self, grades_left_out: Sequence[str] = ("D",)) -> tuple[Windows, int]:
        """The windows that take part in training, and how many were left out by their grade."""
        kept = ~np.isin(self.grade.astype(str), list(grades_left_out))
        return self.select(kept), int((~kept).sum())


def load_windows(
    path: str | Path, reading: Reading | None = None, bars: Bars | None = None, labelled: bool = True
) -> Windows:
    """Labelled windows of a file; with labelled=False the label column may be missing, and one class is enough.

    With a `features` column the prices are in the file; otherwise (a CSV, Parquet or Label Studio JSON of times and
    labels) the windows are cut from `bars`. Given bars, windows with prices are located in them.
    Raises DataError that names the file, the rule and the first windows.
    """
    reading = reading or load_reading(path)
    table, notes = labels.read_labels(path, reading, labelled)
    least_classes = 2 if labelled else 1
    with Asking(str(path)) as asking:
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
        return _from_prices(cut, reading, asking, bars, (*notes, *warnings), least_classes)


def windows_from_arrays(prices: np.ndarray, label: Sequence[str], **columns: Sequence) -> Windows:
    """Windows from arrays: prices [n, K, 4], label [n], and optionally the columns of a file of windows.

    expansion_start and expansion_end [n] in bars, window_id, grade, start_time, source, instrument [n]. Checked as a file is.
    """
    prices = np.asarray(prices, float)
    if prices.ndim != 3 or prices.shape[2] != 4:
        raise DataError(
            f"prices have shape {prices.shape}.",
            where="arrays",
            hint="Give [windows, bars, 4] of open, high, low, close.",
        )
    table = pd.DataFrame({"label": list(label), **{name: list(values) for name, values in columns.items()}})
    table["features"] = list(prices)
    table = table.rename(columns={"instrument": "contract"})
    with Asking("arrays") as asking:
        return _from_prices(table, Reading(tz="UTC", twice="keep"), asking, None)


def _from_prices(
    table: pd.DataFrame,
    reading: Reading,
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
    parts, turned = _matrices(table["features"])
    length = reading.window_bars or _most_frequent([len(part) for part in parts])
    if not SHORTEST <= length <= LONGEST:
        raise DataError(f"windows of {length} bars.", where=where, hint=f"A window has {SHORTEST} to {LONGEST} bars.")
    fits = np.array([part.shape == (length, 4) for part in parts])
    columns, spelling = _columns(table, reading, where)
    columns["prices"] = np.stack(
        [part if good else np.full((length, 4), np.nan) for part, good in zip(parts, fits, strict=True)]
    )
    kept, drop_notes = _keep(columns, fits, reading, asking)
    twice, twice_notes = doubts.given_twice(columns["label"], columns["prices"], kept, reading, asking)
    kept &= twice
    position = matching.find(columns["prices"][kept], bars.ohlc) if bars is not None else np.full(int(kept.sum()), -1)
    all_located = len(position) > 0 and bool((position >= 0).all())
    columns["start_time"], time_notes = _times(table, reading, Asking(where) if all_located else asking)
    asking.close()
    notes = (*warnings, *turned, *spelling, *drop_notes, *twice_notes, *time_notes)
    report = Report("windows", int(kept.sum()), (), notes, asking.reader)
    none = np.full(len(table), -1, np.int64)
    loaded = Windows(
        **columns, position=none, spans_gap=none > 0, interval_s=MINUTE_S, report=report, path=where
    ).select(kept)
    if len(loaded.classes) < least_classes:
        only = loaded.classes[0] if len(loaded) else "none"
        raise DataError(f"only one class, {only}.", where=where, hint="Two or more classes are needed.")
    if bars is not None:
        return _of_one_contract(locate(loaded, bars, position), bars, least_classes)
    timed = ~np.isnat(loaded.start_time)
    interval_s = matching.interval_s(loaded.prices[timed], loaded.start_time[timed])
    return replace(loaded, interval_s=interval_s or MINUTE_S)


def _of_one_contract(windows: Windows, bars: Bars, least_classes: int) -> Windows:
    """The located windows less those that cross a contract roll, which are named in a warning."""
    crossing = (windows.position >= 0) & crosses(bars.rolls, windows.position, windows.bars)
    if not crossing.any():
        return windows
    names = ", ".join(map(str, windows.window_id[crossing][:5]))
    note = f"{int(crossing.sum())} windows cross a contract roll and are left out, first {names}."
    kept = windows.select(~crossing)
    if len(kept.classes) < least_classes:
        raise DataError(f"too few are left: {note}", where=windows.path, hint="Label windows within one contract.")
    report = replace(kept.report, rows=len(kept), warnings=(*kept.report.warnings, note))
    return replace(kept, report=report)


def _columns(table: pd.DataFrame, reading: Reading, where: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """The columns of `Windows` that are read as they stand, and notes; half a pointer is none."""
    start, end = (_pointer(table, name, where) for name in labels.POINTERS)
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
    }, notes


def _keep(
    columns: dict[str, np.ndarray], fits: np.ndarray, reading: Reading, asking: Asking
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


def _matrices(column: pd.Series) -> tuple[list[np.ndarray], list[str]]:
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
    try:
        return np.array([np.asarray(row, float) for row in values])  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return np.empty((0, 4))


def _most_frequent(lengths: list[int]) -> int:
    values, counts = np.unique(lengths, return_counts=True)
    return int(values[counts.argmax()])


def _texts(table: pd.DataFrame, name: str) -> np.ndarray:
    if name not in table:
        return np.full(len(table), "", object)
    return np.array(
        ["" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value) for value in table[name]], object
    )


def _pointer(table: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """Pointers as they stand. Raises DataError for times and for fractions, which no bar number is."""
    if name not in table:
        return np.full(len(table), np.nan)
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan)
    lost = np.isnan(numbers) & table[name].notna().to_numpy() & (table[name].astype(str).str.strip() != "").to_numpy()
    known = numbers[np.isfinite(numbers)]
    parts = (np.abs(known) <= 1).all() and (known % 1 != 0).any()
    if lost.any() or parts:
        example = table[name][lost].iloc[0] if lost.any() else known[0]
        raise DataError(
            f"{name} is {example} in a window, which is no bar number.",
            where=where,
            hint="Pointers are bar numbers from 0 to the window length less 1.",
        )
    return numbers


def _times(table: pd.DataFrame, reading: Reading, asking: Asking) -> tuple[np.ndarray, list[str]]:
    times = np.full(len(table), NO_TIME)
    if "start_time" not in table or table["start_time"].isna().all():
        return times, []
    known = table["start_time"].notna().to_numpy()
    times[known], notes = moments.utc_times(
        table["start_time"][known].reset_index(drop=True), reading, asking.where, asking
    )
    return times, notes


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
    spans = located & crosses(bars.breaks, position, windows.bars)
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
    values, counts = np.unique(away, return_counts=True)
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
