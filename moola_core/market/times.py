"""Times in a table: texts, epoch numbers, days of a spreadsheet, a date and a clock in two columns; in UTC in the end."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import clocks, zones
from moola_core.market.clocks import DAYS_OF_A_SHEET, SAMPLE, SHEET_START, Moments
from moola_core.market.questions import Asking, which_zone
from moola_core.market.tables import BAR_NAMES, plain
from moola_core.specs import ReadOptions

LEAST_EPOCH = 1e8  # smaller numbers are no times: as seconds, this is March 1973
_NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
_EPOCH_UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (0.0, "s"))
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?\s?(Z|UTC|[+-]\d\d:?\d\d)?")
_OFFSET = r"(?:Z|UTC|[+-]\d\d:?\d\d)$"
_AS_DIGITS = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d*")


def parse_times(
    values: pd.Series, reading: ReadOptions, where: str, asking: Asking | None = None
) -> tuple[np.ndarray, list[str]]:
    """Times as datetime64[ns] in UTC (NaT where they cannot be read), and what had to be decided.

    Numbers are epoch seconds, milliseconds, microseconds or nanoseconds by their size; text may carry offsets; a naive
    time is in the reading's `tz`. What the values leave open is asked through `asking`, or raises OpenQuestions without it.
    """
    own = asking or Asking(where)
    moments = parse(values, reading.date_order, where, own)
    times, notes = moments.times, list[str]()
    if not moments.absolute:
        zone = reading.tz or moments.zone
        if zone is None:
            own.ask(which_zone(example(moments.times)))
        times, notes = zones.to_utc(times, zone or "UTC", where)
    if asking is None:
        own.close()
    return times, [*moments.notes, *notes]


def utc_times(
    values: pd.Series, reading: ReadOptions, where: str, asking: Asking | None = None
) -> tuple[np.ndarray, list[str]]:
    """`parse_times`, but raises DataError that names the first rows whose times cannot be read."""
    times, warnings = parse_times(values, reading, where, asking)
    rows = np.flatnonzero(np.isnat(times))
    if len(rows):
        listed = ", ".join(f"{row} ({values.iloc[row]})" for row in rows[:5])
        raise DataError(
            f"{len(rows)} times cannot be read, first in rows {listed}.",
            where=where,
            hint="Write times as ISO 8601, such as 2024-02-13T09:30:00Z, or as epoch numbers.",
        )
    return times, warnings


def example(times: np.ndarray) -> pd.Timestamp | None:
    known = times[~np.isnat(times)]
    return pd.Timestamp(known[0]).floor("s") if len(known) else None


def parse(values: pd.Series, order: str | None, where: str, asking: Asking) -> Moments:
    """The values as moments; whether they are absolute is seen in the values themselves."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return _of_dtype(values)
    if pd.api.types.is_numeric_dtype(values):
        return _of_numbers(values, where)
    sample = [text for text in values.dropna().head(SAMPLE) if isinstance(text, str)]
    digits = [text.strip() for text in sample if re.fullmatch(r"\s*\d+(\.\d+)?\s*", text)]
    if sample and len(digits) == len(sample):
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().mean() > 0.5:
            return _of_numbers(numbers, where)
    if sample and all(_ISO.fullmatch(text.strip()) for text in sample):
        return _of_iso(values, sample, where)
    return clocks.of_texts(values, order, where, asking)


def _of_dtype(values: pd.Series) -> Moments:
    aware = getattr(values.dt, "tz", None) is not None
    times = values.dt.tz_convert("UTC").dt.tz_localize(None) if aware else values
    return Moments(times.to_numpy("datetime64[ns]"), aware)


def _of_iso(values: pd.Series, sample: list[str], where: str) -> Moments:
    texts = values.astype("str").str.strip()
    offset = [bool(re.search(_OFFSET, text.strip()[10:])) for text in sample]
    if any(offset):
        without = ~texts.str.contains(_OFFSET, regex=True) & values.notna()
        clocks.refuse_without_offset(values, without.to_numpy(), where)
        texts = texts.str.replace(r"\s?UTC$", "Z", regex=True)
    parsed = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    return Moments(parsed.dt.tz_localize(None).to_numpy("datetime64[ns]"), any(offset))


def _of_numbers(values: pd.Series, where: str) -> Moments:
    """Epoch numbers, days of a spreadsheet, or dates written without separators."""
    size = np.nan_to_num(np.abs(values.to_numpy(float, na_value=np.nan)), posinf=np.inf)
    known = size[(size > 0) & np.isfinite(size)]
    typical = float(np.median(known)) if len(known) else LEAST_EPOCH
    digits = f"{typical:.0f}"
    if len(digits) in (8, 12, 14) and _AS_DIGITS.fullmatch(digits):
        form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}[len(digits)]
        codes, unique = pd.factorize(values)
        texts = [f"{number:.0f}" if np.isfinite(number) else "" for number in unique.astype(float)]
        days = pd.to_datetime(pd.Series(texts), format=form, errors="coerce").to_numpy("datetime64[ns]")
        return Moments(np.append(days, np.datetime64("NaT", "ns"))[codes], False)
    if DAYS_OF_A_SHEET[0] < typical < DAYS_OF_A_SHEET[1]:
        seconds = np.round(values.to_numpy(float, na_value=np.nan) * 86400)
        times = np.full(len(values), np.datetime64("NaT", "ns"))
        fits = np.isfinite(seconds) & (size < DAYS_OF_A_SHEET[1])
        times[fits] = SHEET_START + seconds[fits].astype("timedelta64[s]")
        return Moments(times, False, ("Times are read as days of a spreadsheet, to the second.",))
    if typical < LEAST_EPOCH:
        first = next(number for number, one in zip(values, size, strict=True) if one > 0)
        raise DataError(
            f"its times are numbers such as {first}: they look like row numbers, not like seconds since 1970.",
            where=where,
            hint="Write date and time of day in one column, such as 2024-02-13 09:30, or map another with --column time=<name in the file>.",
        )
    return _of_epoch(values, size, where)


def _of_epoch(values: pd.Series, size: np.ndarray, where: str) -> Moments:
    """Epoch numbers, each by its own size: an export may change its unit once, where two files were joined."""
    floors = np.array([floor for floor, _ in _EPOCH_UNITS])
    unit = np.argmax(size[:, None] >= floors, axis=1)
    parsed = np.full(len(values), np.datetime64("NaT", "ns"))
    counts = {}
    for i, (_, name) in enumerate(_EPOCH_UNITS):
        rows = unit == i
        if not rows.any():
            continue
        these = values[rows]
        fits = (these.abs() <= np.iinfo(np.int64).max // _NANOSECONDS[name]) & these.notna()
        if not fits.all():  # pandas ends on what is beyond all times, asked to coerce or not
            these = (these.convert_dtypes() if pd.api.types.is_integer_dtype(these) else these).where(fits)
        parsed[rows] = pd.to_datetime(these, unit=name, errors="coerce").to_numpy("datetime64[ns]")
        counts[name] = int((these.notna() & (size[rows] > 0)).sum())
    mixed = {name: count for name, count in counts.items() if count}
    listed = ", ".join(f"{count} in {name}" for name, count in mixed.items())
    readable = unit[(size >= LEAST_EPOCH) & np.isfinite(size)]
    if int((np.diff(readable) != 0).sum()) > 1:
        raise DataError(
            f"the unit of its times changes from row to row ({listed}).",
            where=where,
            hint="Write all times in one unit, such as milliseconds.",
        )
    return Moments(
        parsed, True, (f"The times change their unit ({listed}); each is read by its size.",) if len(mixed) > 1 else ()
    )


def one_column(table: pd.DataFrame, reading: ReadOptions) -> tuple[pd.DataFrame, str]:
    """`table` with its times in one column, and the name of that column in the file; an empty name where it has none.

    Of several columns with times one that is absolute is taken, such as epoch seconds; else a date and a clock are joined.
    """
    if "time" in reading.column_map:
        return table, reading.column_map["time"]
    known: dict[str, str] = {}
    for column in table.columns:
        known.setdefault(plain(column), column)
    if {"year", "month", "day", "hour", "minute"} <= known.keys() and len(table):
        parts = {
            name: table[known[name]] for name in ("year", "month", "day", "hour", "minute", "second") if name in known
        }
        return table.assign(time=pd.to_datetime(pd.DataFrame(parts), errors="coerce")), "time"
    named = [known[name] for name in BAR_NAMES["time"] if name in known]
    named += [
        c
        for name, c in known.items()
        if c not in named and re.search(r"(^|_)(date|time|datetime|timestamp)(_|$)", name)
    ]
    at_start = [name for name in named if not zones.is_end(name)] or named
    if not len(table) or not at_start:
        return table, at_start[0] if at_start else ""
    kinds = {name: clocks.kind(table[name]) for name in at_start}
    absolute = [name for name in at_start if kinds[name] == "absolute"]
    if absolute:
        return table, absolute[0]
    days = [name for name in at_start if kinds[name] == "day"]
    hours = [name for name in at_start if kinds[name] in ("clock", "number")]
    whole = [name for name in at_start if kinds[name] == "moment"]
    if days and hours and not whole:
        joined = clocks.joined(table[days[0]], table[hours[0]])
        return table.drop(columns=days[0]).assign(**{hours[0]: joined}), hours[0]
    return table, (whole or days or at_start)[0]
