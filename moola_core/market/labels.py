"""Tables of labels: with prices, or with times to cut windows from bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import bar_labels, clocks, intervals, readers, tables, times
from moola_core.market.bars import Bars, contains_break
from moola_core.market.questions import Asking
from moola_core.market.settings import load_reading
from moola_core.specs import ReadOptions, build

UNLABELLED = "unlabelled"
POINTERS = ("expansion_start", "expansion_end")
WHOLE = 1e-6
SERIES_COLUMNS = 20  # a table of so many numbers a row and no names holds one series in each
_NUMBERS = {"start_time": "start_bar", "end_time": "end_bar"}


def read_labels(path: str | Path, reading: ReadOptions, labelled: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """The file's rows under our column names, one row a window, and what had to be decided or left out on the way.

    Without a label column all rows are `unlabelled`, where that is allowed.
    """
    table, notes = readers.read_labels(path, reading)
    if "start_time" not in table and "time" in table:
        table = table.rename(columns={"time": "start_time"})
    for name, number in _NUMBERS.items():
        if name in table and number not in table and _are_bar_numbers(table[name]):
            table = table.rename(columns={name: number})
    table, half = _whole_pointers(table)
    notes = [*notes, *half]
    if not labelled and "label" not in table:
        return table.assign(label=UNLABELLED), notes
    if "label" not in table:
        columns = readers.read_header(path, reading).columns
        _refuse_series(columns, str(path))
        tables.require(table, ("label",), str(path), columns)
    return table, notes


def _whole_pointers(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """`table` with the last bar of each expansion where it has the first and a number of bars; a note where only half a pointer is there."""
    given = [name for name in POINTERS if name in table and table[name].notna().any()]
    if given == ["expansion_start"] and "expansion_bars" in table and _are_bar_numbers(table["expansion_start"]):
        bars = pd.to_numeric(table["expansion_bars"], errors="coerce")
        return table.assign(expansion_end=table["expansion_start"] + bars - 1), []
    missing = "" if len(given) != 1 else next(name for name in POINTERS if name not in given)
    return table, [f"There is {given[0]} and no {missing}: no expansion is read."] if missing else []


def _are_bar_numbers(values: pd.Series) -> bool:
    """Whether the values are numbers too small for times and no days of a spreadsheet with a time of day."""
    if not pd.api.types.is_numeric_dtype(values) or not values.notna().any():
        return False
    known = values.dropna().astype(float)
    return bool(
        known.abs().max() < times.LEAST_EPOCH and (known == known.round()).all() and clocks.kind(values) != "day"
    )


def _refuse_series(columns: list[str], where: str) -> None:
    """Raise DataError for a table of one series a row, as the UCR archive and aeon write them."""
    if len(columns) > SERIES_COLUMNS and columns[0] == "column 1":
        raise DataError(
            f"it holds a class and one series of {len(columns) - 1} values a row, without open, high, low and close.",
            where=where,
            hint="Give the windows with four prices for each bar (features: bars × [open, high, low, close]), or the times of "
            "the windows and the bars to cut them from.",
        )


def are_naive(path: str | Path) -> bool:
    """Whether the times in a file of labels carry no time zone, or cannot be known before other questions are answered."""
    try:
        table, _ = read_labels(path, load_reading(path), labelled=False)
    except DataError:
        return True
    columns = [table[name] for name in ("start_time", "end_time") if name in table and table[name].notna().any()]
    return any(clocks.kind(column) in ("moment", "day") for column in columns)


def cut(table: pd.DataFrame, bars: Bars, reading: ReadOptions, asking: Asking) -> tuple[pd.DataFrame, list[str]]:
    """The rows of `table` with `features` cut from `bars`, and warnings that list the rows that matched no bars.

    A window is given by its start, its end or both: as times, as numbers of bars, or as seconds from the first bar. Expansions
    may be numbers of bars, of the window or of the file, or times.
    """
    table = bar_labels.as_windows(table, bars, reading, asking)
    start, start_notes = _placed(table, "start", bars, reading, asking)
    end, end_notes = _placed(table, "end", bars, reading, asking)
    if start is None and end is None:
        tables.require(table, ("start_time",), asking.where, table.attrs.get("columns", list(table.columns)))
    count = len(table)
    given = {name: _bars_of_times(table, name, bars, reading, asking) for name in POINTERS}
    first = start.bar if start is not None else np.full(count, -1)
    last = intervals.last_bars(first, end, reading, asking) if end is not None else np.full(count, -1)
    lengths = None if end is not None else _lengths(table, bars.interval_s, asking.where)
    if lengths is not None:
        last = np.where((first >= 0) & np.isfinite(lengths), first + np.nan_to_num(lengths).astype(np.int64) - 1, -1)
    if start is None:
        length, spans = reading.window_bars or intervals.DEFAULT_BARS, list[str]()
        first = np.where(last >= 0, last - length + 1, -1)
    else:
        reach = np.where(last >= 0, last - first, intervals.DEFAULT_BARS)
        pointers = {name: _pointers(table, name, first, reach, given) for name in POINTERS}
        center = (pointers["expansion_start"] + pointers["expansion_end"]) / 2
        first, length, spans = intervals.cut_places(first, last, center, reading, asking)
    matched = (first >= 0) & (first + length <= len(bars)) & ~contains_break(bars.rolls, first, length)
    warnings = [*start_notes, *end_notes, *spans, *_unmatched(table, matched, length, asking)]
    reach = np.full(count, length - 1)
    pointers = {name: _pointers(table, name, first, reach, given) for name in POINTERS}
    asking.close()
    kept, starts = table[matched].reset_index(drop=True), first[matched]
    kept["features"] = [bars.ohlc[i : i + length] for i in starts]
    kept["start_time"] = pd.Series(bars.time[starts]).dt.tz_localize("UTC")
    for name in POINTERS:
        if name in kept:
            kept[name] = pointers[name][matched] - starts
    return kept, warnings


def _lengths(table: pd.DataFrame, interval_s: float, where: str) -> np.ndarray | None:
    """How many bars long the windows [n] are (nan: not known), by a column of bars, minutes, seconds or durations; None without one."""
    for name, seconds in (("length_bars", interval_s), ("length_min", 60.0), ("length_s", 1.0)):
        if name in table and table[name].notna().any():
            length = pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan) * seconds
            break
    else:
        if "duration" not in table or table["duration"].isna().all():
            return None
        if pd.api.types.is_numeric_dtype(table["duration"]):
            raise DataError(
                f"its durations are numbers such as {table['duration'].dropna().iloc[0]:g}: bars, minutes or seconds.",
                where=where,
                hint="Say which with --column length_bars=<its name in the file>, length_min=… or length_s=….",
            )
        length = pd.to_timedelta(table["duration"], errors="coerce").dt.total_seconds().to_numpy(float)
    counts = length / interval_s
    broken = np.abs(counts - np.round(counts)) > WHOLE
    if broken.any():
        raise DataError(
            f"a window of {length[broken][0]:g} s is no whole number of bars of {interval_s:g} s.",
            where=where,
            hint="Give the length of the windows in bars (length_bars).",
        )
    return np.round(counts)


def _placed(
    table: pd.DataFrame, side: str, bars: Bars, reading: ReadOptions, asking: Asking
) -> tuple[intervals.Placed | None, list[str]]:
    """In which bars the windows start or end, by the first of time, bar number and seconds that the table has."""
    time, bar, seconds = f"{side}_time", f"{side}_bar", f"{side}_s"
    if time in table and table[time].notna().any():
        moments, notes = _within(table[time], bars, reading, asking)
        placed = intervals.place(moments, bars)
        if side == "start" and placed.inside.any():
            notes.append(f"{int(placed.inside.sum())} windows start inside a bar; they are moved to its start.")
        return placed, notes
    if bar in table and table[bar].notna().any():
        numbers = pd.to_numeric(table[bar], errors="coerce").to_numpy(float, na_value=np.nan)
        fits = np.isfinite(numbers) & (numbers >= 0) & (numbers <= len(bars))
        places = np.where(fits, np.nan_to_num(numbers), -1).astype(np.int64)
        note = f"{bar} is read as the number of a bar in the file, the first being 0."
        return intervals.Placed(places, np.zeros(len(table), bool)), [note] * (side == "start")
    if seconds in table and table[seconds].notna().any():
        offset = pd.to_numeric(table[seconds], errors="coerce").to_numpy(float, na_value=np.nan)
        moments = np.full(len(table), np.datetime64("NaT", "ns"))
        moments[np.isfinite(offset)] = bars.time[0] + (offset[np.isfinite(offset)] * 1e9).astype("timedelta64[ns]")
        return intervals.place(moments, bars), [f"{seconds} is read as seconds from the first bar."] * (side == "start")
    return None, []


def _within(values: pd.Series, bars: Bars, reading: ReadOptions, asking: Asking) -> tuple[np.ndarray, list[str]]:
    """Times [n] of labels in UTC, and notes. Where the order of day and month is all that is open, the one that lies in the bars counts."""
    own = Asking(asking.where)
    moments, notes = times.parse_times(values, reading, asking.where, own)
    if [question.id for question in own.questions] == ["date_order"]:
        read = {
            order: times.parse_times(
                values, build(ReadOptions, reading.model_dump() | {"date_order": order}), asking.where
            )[0]
            for order in own.questions[0].answers
        }
        fitting = [order for order in read if (intervals.place(read[order], bars).bar >= 0).any()]
        if len(fitting) == 1:
            note = f"Dates are read {fitting[0]}, because only then do they lie in the bars."
            return read[fitting[0]], [*notes, note]
    for question in own.questions:
        asking.ask(question)
    return moments, notes


def _unmatched(table: pd.DataFrame, matched: np.ndarray, length: int, asking: Asking) -> list[str]:
    """A warning that lists the rows without bars. Raises DataError when there are no others."""
    shown = next((name for name in ("start_time", "end_time", "start_bar", "end_bar") if name in table), None)
    if not matched.any():
        raise DataError(
            "no row matches the bars.",
            where=asking.where,
            hint="Check the time zones (--tz, and --bars-tz where the bars have another) and that the bars cover these times.",
        )
    if matched.all():
        return []
    rows = np.flatnonzero(~matched)
    listed = ", ".join(
        f"row {i} ({str(table[shown].iloc[i])[:16].replace(' ', 'T')})" if shown else f"row {i}" for i in rows[:10]
    )
    return [
        f"{len(rows)} rows match no {length} bars of one contract and are left out: {listed}. "
        "If bars and labels are in different time zones, set them with --tz and --bars-tz."
    ]


def _bars_of_times(
    table: pd.DataFrame, name: str, bars: Bars, reading: ReadOptions, asking: Asking
) -> np.ndarray | None:
    """Pointers [n] that are times, as bar numbers of the file (nan: none); None where they are numbers, or there are none."""
    if name not in table or table[name].isna().all() or _are_small(table[name]):
        return None
    values = table[name]
    known = values.notna().to_numpy()
    moments, _ = times.utc_times(values[known].reset_index(drop=True), reading, asking.where, asking)
    result = np.full(len(values), np.nan)
    result[known] = np.searchsorted(bars.time, moments, side="right") - 1
    return result


def _are_small(values: pd.Series) -> bool:
    numbers = pd.to_numeric(values, errors="coerce").dropna().abs()
    return len(numbers) > 0 and float(numbers.median()) < times.LEAST_EPOCH


def _pointers(
    table: pd.DataFrame, name: str, first: np.ndarray, reach: np.ndarray, given: dict[str, np.ndarray | None]
) -> np.ndarray:
    """Pointers [n] as bar numbers of the file (nan: none): numbers count from the window's `first` bar, or in the whole file where more
    of them lie within `reach` bars of it then."""
    of_times = given[name]
    if of_times is not None:
        return of_times
    if name not in table:
        return np.full(len(table), np.nan)
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        in_window = (numbers >= 0) & (numbers <= reach)
        in_file = (numbers >= first) & (numbers <= first + reach)
    return numbers if in_file.sum() > in_window.sum() else numbers + first
