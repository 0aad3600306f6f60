"""Tables under our column names, with UTC times."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import day_order
from moola_core.specs import Reading

ALIASES: dict[str, tuple[str, ...]] = {
    "time": (
        "timestamp",
        "datetime",
        "date",
        "time",
        "ts_event",
        "ts",
        "date_time",
        "open_time",
        "index",
        "__index_level_0__",
    ),
    "open": ("open", "o", "op"),
    "high": ("high", "h", "hi"),
    "low": ("low", "l", "lo"),
    "close": ("close", "c", "cl", "last"),
    "volume": ("volume", "vol", "v", "qty"),
    "contract": ("contract", "symbol", "instrument", "instrument_id", "ticker"),
    "window_id": ("window_id", "id", "sample_id"),
    "label": ("label", "class", "pattern"),
    "expansion_start": ("expansion_start", "exp_start"),
    "expansion_end": ("expansion_end", "exp_end"),
    "features": ("features", "ohlc", "bars"),
    "grade": ("grade", "quality"),
    "start_time": ("start_time", "window_start", "start"),
    "end_time": ("end_time", "window_end", "end"),
    "source": ("source", "batch"),
}
LEAST_EPOCH = 1e8  # smaller numbers are no times: as seconds, this is March 1973
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?")
_NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_EPOCH_UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (0.0, "s"))


def rename(table: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """`table` under our column names: the reading's map first, then the usual names in any case."""
    table = table.reset_index() if isinstance(table.index, pd.DatetimeIndex) else table
    table = table if "time" in reading.column_map else _join_clock(table)
    given = {theirs: ours for ours, theirs in reading.column_map.items()}
    taken = set(given.values())
    columns = {column: given[column] for column in table.columns if column in given}
    lowered = {str(column).strip().lower(): column for column in table.columns}
    for ours, names in ALIASES.items():
        theirs = next((lowered[name] for name in names if name in lowered and lowered[name] not in columns), None)
        if ours not in taken and theirs is not None:
            columns[theirs] = ours
    if table.index.name is None and "time" not in columns.values() and "index" in lowered:
        columns[lowered["index"]] = "time"
    return table[list(columns)].rename(columns=columns)


def _join_clock(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with a column of days and one of clock times made one column, where it has no other times."""
    lowered = {str(column).strip().lower(): column for column in table.columns}
    others = set(ALIASES["time"]) - {"date", "time", "index"}
    if not {"date", "time"} <= lowered.keys() or lowered.keys() & others or not len(table):
        return table
    clock = table[lowered["time"]].astype(str).str.strip()
    if not _CLOCK.fullmatch(clock.iloc[0]):
        return table
    whole = table[lowered["date"]].astype(str).str.replace(" 00:00:00", "") + " " + clock
    return table.drop(columns=lowered["date"]).assign(**{str(lowered["time"]): whole})


def require(table: pd.DataFrame, columns: tuple[str, ...], where: str, have: list[str]) -> None:
    """Raise DataError when `table` lacks one of `columns`; `have` are the file's own column names."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise DataError(
            f"no column for {', '.join(missing)}; the file has {', '.join(map(str, have)) or 'none'}.",
            where=where,
            hint=f"Map it, for example --column {missing[0]}=<name in the file>.",
        )


def parse_times(values: pd.Series, reading: Reading, where: str) -> tuple[np.ndarray, list[str]]:
    """Times as datetime64[ns] in UTC (NaT where they cannot be read), and what had to be assumed.

    Numbers are epoch seconds, milliseconds, microseconds or nanoseconds by their size; text may carry offsets; a naive
    time is in the reading's `tz` (UTC is assumed, with a warning). Raises DataError when the times are ambiguous.
    """
    parse = _parse_numbers if pd.api.types.is_numeric_dtype(values) else _parse_text
    parsed, warnings = parse(values, reading, where)
    return parsed.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]"), warnings


def utc_times(values: pd.Series, reading: Reading, where: str) -> tuple[np.ndarray, list[str]]:
    """`parse_times`, but raises DataError that names the first rows whose times cannot be read."""
    times, warnings = parse_times(values, reading, where)
    rows = np.flatnonzero(np.isnat(times))
    if len(rows):
        raise DataError(
            f"{len(rows)} times cannot be read, first in rows {', '.join(map(str, rows[:5]))}.",
            where=where,
            hint="Write times as ISO 8601 or as epoch numbers.",
        )
    return times, warnings


def _parse_numbers(values: pd.Series, reading: Reading, where: str) -> tuple[pd.Series, list[str]]:
    """Epoch numbers, each by its own size: an export may change its unit in the middle."""
    size = np.nan_to_num(np.abs(values.to_numpy(float, na_value=np.nan)), posinf=np.inf)
    _refuse_other_numbers(values, size, where)
    floors = np.array([floor for floor, _ in _EPOCH_UNITS])
    unit = np.argmax(size[:, None] >= floors, axis=1)
    parsed = pd.Series(pd.NaT, index=values.index, dtype="datetime64[ns, UTC]")
    counts = {}
    for i, (_, name) in enumerate(_EPOCH_UNITS):
        rows = unit == i
        if not rows.any():
            continue
        these = values[rows]
        fits = these.abs() <= np.iinfo(np.int64).max // _NANOSECONDS[name]
        if not fits.all():  # pandas ends on what is beyond all times, asked to coerce or not
            these = (these.convert_dtypes() if pd.api.types.is_integer_dtype(these) else these).where(fits)
        parsed[rows] = pd.to_datetime(these, unit=name, utc=True, errors="coerce")
        counts[name] = int((these.notna() & (size[rows] > 0)).sum())
    mixed = {name: count for name, count in counts.items() if count}
    listed = ", ".join(f"{count} in {name}" for name, count in mixed.items())
    return parsed, [f"The times change their unit ({listed}); each is read by its size."] if len(mixed) > 1 else []


def _refuse_other_numbers(values: pd.Series, size: np.ndarray, where: str) -> None:
    """Raise DataError for numbers that are no epoch: days of a spreadsheet, dates without separators, bar numbers."""
    known = size[(size > 0) & np.isfinite(size)]
    if not len(known):
        return
    typical = float(np.median(known))
    digits = f"{typical:.0f}"
    written = len(digits) in (8, 12, 14) and re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d*", digits)
    if not written and typical >= LEAST_EPOCH:
        return
    kind = "dates without separators" if written else "days of a spreadsheet" if 2e4 < typical < 8e4 else "row numbers"
    first = next(number for number, one in zip(values, size, strict=True) if one > 0)
    raise DataError(
        f"its times are numbers such as {first}: they look like {kind}, not like seconds since 1970.",
        where=where,
        hint="Write date and time of day in one column as text, such as 2024-02-13 09:30, or map another with --column time=<name in the file>.",
    )


def _parse_text(values: pd.Series, reading: Reading, where: str) -> tuple[pd.Series, list[str]]:
    notes: list[str] = []
    if pd.api.types.is_datetime64_any_dtype(values):
        parsed = values
    else:
        if day_order.has_order(values):
            values, inferred = day_order.year_first(values, reading.date_order, where)
            notes += [inferred] * bool(inferred)
        try:
            parsed = pd.Series(pd.to_datetime(values, errors="coerce", format="ISO8601"))
            if parsed.isna().all():
                parsed = pd.Series(pd.to_datetime(values, errors="coerce"))
        except (ValueError, TypeError, OverflowError):  # offsets that differ from row to row (summer time), or no times
            parsed = pd.Series(pd.to_datetime(values.astype(str), errors="coerce", utc=True))
    if getattr(parsed.dt, "tz", None) is not None:
        return parsed, notes
    zone = reading.tz or "UTC"
    if not reading.tz:
        hint = "Set the time zone under Overview > Read a new file, or with --tz."
        notes.append(f"Times carry no time zone; UTC is assumed. {hint}")
    try:
        # The hour that a clock shows twice in autumn is read in order; the one it skips in spring moves forward.
        return parsed.dt.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward"), notes
    except (KeyError, ValueError) as error:
        if "ambiguous" in str(error).lower() or "dst" in str(error).lower():
            twice = parsed.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna() & parsed.notna()
            notes.append(
                f"{int(twice.sum())} times may be either of two, because the clock shows that hour twice when summer "
                f"time ends; they are read as the second (standard time), first {str(parsed[twice].iloc[0])[:16]}."
            )
            return parsed.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward"), notes
        raise DataError(
            f"unknown time zone {zone!r}.", where=where, hint="Use a name such as America/New_York."
        ) from None
