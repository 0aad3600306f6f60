"""Times written as text: taken apart into days and times of day, of which a long column has few different ones."""

from __future__ import annotations

import datetime
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import day_order, zones
from moola_core.market.questions import Asking

SAMPLE = 200
SHEET_START = np.datetime64("1899-12-30", "ns")
DAYS_OF_A_SHEET = (2e4, 8e4)  # 1954 to 2119, counted as spreadsheets do
_DAY = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{8}(?!\d)|\d{1,2}([-/. ])\d{1,2}\1(\d{4}|\d{2})(?![\d:])"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9}\.? \d{1,2},? \d{4}"
)
_WEEKDAY = re.compile(r"(?i)^(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?,?\s*")
_CLOCK = re.compile(
    r"[\sT,_-]*(?:(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,:](\d{1,9}))?)?|(\d\d)(\d\d)(\d\d)?)"
    r"\s*([AaPp])?(?:\.?[Mm]\.?)?\s*(?:(?:GMT|UTC)?\s*([+-]\d\d):?(\d\d)?|([A-Za-z][A-Za-z_/]*))?\s*,?\s*"
)
_NUMBERS = re.compile(r"\d{3,6}|0|\d{1,2}")


@dataclass(frozen=True, eq=False)
class Moments:
    """times [n] datetime64[ns]: in UTC where `absolute`, else as the clock of an unknown place (or of `zone`) shows them."""

    times: np.ndarray
    absolute: bool
    notes: tuple[str, ...] = ()
    zone: str | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """Texts [n] as days and the rest: codes into the different ones, -1 where a text holds no day."""

    day: np.ndarray
    days: list[str]
    clock: np.ndarray
    clocks: list[str]


def kind(values: pd.Series) -> str:
    """What a column of times holds: `absolute` moments, naive `moment`s, a `day` or a `clock` alone, a `number`, or `other`."""
    if pd.api.types.is_datetime64_any_dtype(values):
        if getattr(values.dt, "tz", None) is not None:
            return "absolute"
        return "day" if (values.dt.normalize() == values).all() else "moment"
    sample = values.dropna().head(SAMPLE)
    if not len(sample):
        return "other"
    if all(isinstance(value, datetime.time) for value in sample):  # of a spreadsheet
        return "clock"
    texts = [str(value).strip().removesuffix(".0") for value in sample]
    if all(re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])", text) for text in texts):
        return "day"
    if pd.api.types.is_numeric_dtype(values):
        size = float(np.abs(sample.astype(float)).median())
        written = re.match(r"(19|20)\d\d(0[1-9]|1[0-2])", f"{size:.0f}") and len(f"{size:.0f}") in (12, 14)
        if size >= 1e8:
            return "moment" if written else "absolute"
        if DAYS_OF_A_SHEET[0] < size < DAYS_OF_A_SHEET[1]:
            return "day" if (sample == sample.astype(float).round()).all() else "moment"
        return "number"
    if all(re.fullmatch(r"\d{10}(\.\d+)?|\d{13}|\d{16}|\d{19}", text) for text in texts):
        return "absolute"
    if all(_NUMBERS.fullmatch(text) for text in texts):
        return "number"
    if all(_CLOCK.fullmatch(text) for text in texts):
        return "clock"
    days = [_DAY.search(_WEEKDAY.sub("", text)) for text in texts]
    if not all(days):
        return "other"
    rest = [text[match.end() :] for text, match in zip(texts, days, strict=True) if match]
    if all(not one.strip() or re.fullmatch(r"[ T]?00:00(:00)?(\.0+)?", one) for one in rest):
        return "day"
    return "absolute" if all(re.search(r"(Z|UTC|[+-]\d\d:?\d\d)$", one) for one in rest) else "moment"


def joined(day: pd.Series, clock: pd.Series) -> pd.Series:
    """A column of days and one of times of day as one of texts. Clocks may be numbers: 930 and 93000 are half past nine."""
    if pd.api.types.is_numeric_dtype(clock) and (clock.dropna() < 1).all():
        seconds = np.round(clock.to_numpy(float, na_value=np.nan) * 86400)
        clock = (pd.Timestamp(0) + pd.to_timedelta(pd.Series(seconds, index=clock.index), unit="s")).dt.strftime(
            "%H:%M:%S"
        )
    elif pd.api.types.is_numeric_dtype(clock) or _all_digits(clock):
        codes, unique = pd.factorize(pd.to_numeric(clock))
        width = 6 if len(unique) and float(np.nanmax(unique)) > 2359 else 4
        texts = np.array([f"{int(number):0{width}d}" for number in unique], object)
        clock = pd.Series(texts[codes], index=clock.index)
    if pd.api.types.is_numeric_dtype(day) and float(day.median()) < DAYS_OF_A_SHEET[1]:
        day = pd.Timestamp(SHEET_START) + pd.to_timedelta(day, unit="D")
    codes, unique = pd.factorize(day)
    texts = np.array([re.sub(r"[ T]00:00(:00)?(\.0+)?$|\.0$", "", str(value)) for value in unique], object)
    return pd.Series(texts[codes], index=day.index, dtype="str") + " " + clock.astype("str").str.strip()


def _all_digits(values: pd.Series) -> bool:
    return all(str(value).strip().isdigit() for value in values.dropna().head(SAMPLE))


def of_texts(values: pd.Series, order: str | None, where: str, asking: Asking) -> Moments:
    """Texts as moments. Which number is the day and which the month is inferred from the whole column, or asked."""
    texts = values.astype("str").str.strip()
    parts = _uniform(texts) or _one_by_one(texts)
    clock_ns, offset_ns, zone = _clocks(parts.clocks)
    clock = np.append(clock_ns, np.iinfo(np.int64).min)[parts.clock]
    days, note = day_order.days(parts.days, parts.day, clock, order, where, asking)
    day = np.append(days, np.datetime64("NaT", "D"))[parts.day]
    times = day.astype("datetime64[ns]") + np.where(clock < 0, 0, clock).astype("timedelta64[ns]")
    times[clock == np.iinfo(np.int64).min] = np.datetime64("NaT", "ns")
    if np.isnat(times).all() and len(times):
        times = _guessed(values)
    notes = (note,) if note else ()
    if not len(offset_ns) or np.isnan(offset_ns).all():
        return Moments(times, False, notes, zones.one_zone(zone))
    offset = np.append(offset_ns, np.nan)[parts.clock]
    refuse_without_offset(values, np.isnan(offset) & ~np.isnat(times), where)
    return Moments(times - np.nan_to_num(offset).astype(np.int64).astype("timedelta64[ns]"), True, notes)


def refuse_without_offset(values: pd.Series, without: np.ndarray, where: str) -> None:
    """Raise DataError when some times [n], marked in `without` [n], carry no offset where others do."""
    if without.any():
        row = int(np.flatnonzero(without)[0])
        raise DataError(
            f"some of its times carry an offset and {int(without.sum())} do not, first {values.iloc[row]} in row {row}.",
            where=where,
            hint="Write all times in one way.",
        )


def _guessed(values: pd.Series) -> np.ndarray:
    """What pandas makes of texts in which no date was recognised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            parsed = pd.to_datetime(values, errors="coerce", utc=False)
        except (ValueError, TypeError, OverflowError):
            parsed = pd.to_datetime(values.astype(str), errors="coerce", utc=True)
    if getattr(parsed.dt, "tz", None) is not None:
        parsed = parsed.dt.tz_convert("UTC").dt.tz_localize(None)
    return parsed.to_numpy("datetime64[ns]")


def _uniform(texts: pd.Series) -> Parts | None:
    """The parts where every text is a day, then a clock: cut at one place, or at the first space; None where they are not."""
    sample = [text for text in texts.head(SAMPLE) if isinstance(text, str)]
    matches = [_DAY.match(text) for text in sample]
    if not sample or not all(matches):
        return None
    for head, rest in _cut_in_two(texts, [match for match in matches if match]):
        day, days = pd.factorize(head)
        clock, clocks = pd.factorize(rest)
        if all(_DAY.fullmatch(text) for text in days) and all(not c.strip() or _CLOCK.fullmatch(c) for c in clocks):
            return Parts(day, list(days), clock, list(clocks))
    return None


def _cut_in_two(texts: pd.Series, days: list[re.Match[str]]) -> Iterator[tuple[pd.Series, pd.Series]]:
    """The texts cut after the day: where all days of the sample end at one place, else at the first space, which takes longer."""
    ends = {match.end() for match in days}
    if len(ends) == 1:
        end = ends.pop()
        yield texts.str.slice(0, end), texts.str.slice(end)
    if " " not in days[0][0]:
        halves = texts.str.partition(" ")
        yield halves[0], halves[2]


def _one_by_one(texts: pd.Series) -> Parts:
    """The parts of texts that are written in different ways: a weekday, or the clock, may stand before the day."""
    heads: list[str | None] = []
    rests: list[str | None] = []
    for text in texts:
        plain = _WEEKDAY.sub("", text) if isinstance(text, str) else ""
        match = _DAY.search(plain)
        rest = (plain[: match.start()] + plain[match.end() :]).strip() if match else ""
        fits = match is not None and (not rest or _CLOCK.fullmatch(rest))
        heads.append(match[0] if match and fits else None)
        rests.append(rest if fits else None)
    day, days = pd.factorize(np.array(heads, object))
    clock, clocks = pd.factorize(np.array(rests, object))
    return Parts(day, list(days), clock, list(clocks))


def _clocks(texts: list[str]) -> tuple[np.ndarray, np.ndarray, set[str]]:
    """Times of day [n] in ns, offsets from UTC [n] in ns (nan: none), and the names of zones that stand behind them."""
    clock = np.zeros(len(texts), np.int64)
    offset = np.full(len(texts), np.nan)
    names = set()
    for i, text in enumerate(texts):
        match = _CLOCK.fullmatch(text)
        if match is None:
            continue
        hour, minute, second = (int(match[a] or match[b] or 0) for a, b in ((1, 5), (2, 6), (3, 7)))
        fraction = int((match[4] or "0").ljust(9, "0"))
        if match[8]:
            hour = hour % 12 + 12 * (match[8].lower() == "p")
        valid = hour < 24 and minute < 60 and second < 61
        clock[i] = (hour * 3600 + minute * 60 + second) * 10**9 + fraction if valid else np.iinfo(np.int64).min
        if match[9]:
            sign = -1 if match[9][0] == "-" else 1
            offset[i] = sign * (abs(int(match[9])) * 3600 + int(match[10] or 0) * 60) * 1e9
        elif (match[11] or "").upper() in ("Z", "UTC", "GMT"):
            offset[i] = 0
        else:
            names.add(match[11] or "")
    return clock, offset, names
