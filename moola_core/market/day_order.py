"""Dates written in numbers, such as 05/02/2024: which of them is the day and which the month."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd

from moola_core.errors import DataError

ORDERS = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year/month/day"}
SAMPLE = 100
# A date of three numbers without the year in front in four digits; a weekday or a clock may stand before it.
_DATE = re.compile(r"(?<![\d:.])(\d{1,2})([./\- ])(\d{1,2})\2(\d{4}|\d{2})(?![\d:])")
_WEEKDAY = re.compile(r"(?i)\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?,?")
_HALF_DAY = re.compile(r"(\d{1,2}):(\d\d(?::\d\d(?:\.\d+)?)?)\s*([AaPp])\.?[Mm]\.?")
_OFFSET = re.compile(r"\s*(?:GMT|UTC)?\s*([+-]\d{2}):?(\d{2})$")
_YEAR_FIRST = re.compile(r"\d{4}[./\- ]\d{1,2}[./\- ]\d{1,2}|\d{8}")
_MONTH_NAME = re.compile(r"(?i)jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_LEAST_DAYS = 6  # so many days are in order by chance once in 720 times
_ROWS_PER_DAY = 10  # more than this are bars within a day, which run on from one day to the next
_NEAR_DAYS, _FAR_DAYS = 10.0, 20.0


def has_order(values: pd.Series) -> bool:
    """Whether the texts hold dates whose order of day, month and year has to be known."""
    texts = values.dropna().head(SAMPLE)
    return any(_split(text) is not None and not _MONTH_NAME.search(text) for text in texts)


def _split(text: object) -> tuple[str, str] | None:
    """The date in numbers and the rest of the text; None where there is no such date, or a year stands before it."""
    match = _DATE.search(text) if isinstance(text, str) else None
    if match is None or _YEAR_FIRST.search(match.string):
        return None
    return match[0], match.string[: match.start()] + match.string[match.end() :]


def year_first(values: pd.Series, order: str | None, where: str) -> tuple[pd.Series, str]:
    """The texts with their dates as year-month-day, and how the order was inferred when no single date shows it.

    order: `dmy`, `mdy` or `ymd` where it is known. Otherwise all dates of the column decide: a number above 12 is no month,
    and bars run on from one day to the next. Raises DataError that asks for the order when they do not decide.
    """
    parts = [_split(text) for text in values.tolist()]
    rows = np.flatnonzero([part is not None for part in parts])
    # Few dates and few clock times make up many rows, so that only these few are looked at.
    day, dates = pd.factorize(np.array([part[0] for part in parts if part], object))
    hour, clocks = pd.factorize(np.array([part[1] for part in parts if part], object))
    candidates = {name: _dates(dates, name) for name in ([order] if order else ORDERS)}
    possible = list(candidates) if order else _possible(candidates, dates, where)
    clock = np.array([_clock(text) for text in clocks], object)[hour]

    def written(name: str) -> np.ndarray:
        texts = np.array(
            [None if day == "NaT" else f"{day} " for day in np.datetime_as_string(candidates[name])], object
        )
        return np.array(
            [None if day is None else day + rest for day, rest in zip(texts[day], clock, strict=True)], object
        )

    selected = possible[0] if len(possible) == 1 else _inferred({name: _moments(written(name)) for name in possible})
    if selected is None:
        raise _question(dates, {name: candidates[name] for name in possible}, where)
    rewritten = values.astype(object).copy()
    rewritten.iloc[rows] = written(selected)
    note = f"Dates are read as {ORDERS[selected]}, because only then do the rows follow one another."
    return rewritten, note if len(possible) > 1 else ""


def _dates(texts: np.ndarray, order: str) -> np.ndarray:
    """The dates [n] as days; NaT where the order makes no date of them."""
    parts = [_DATE.fullmatch(text).group(1, 3, 4) for text in texts]  # type: ignore[union-attr]
    days = np.full(len(texts), np.datetime64("NaT", "D"))
    for i, numbers in enumerate(parts):
        written = dict(zip(order, numbers, strict=True))
        year = written["y"]
        if len(year) in (2, 4):
            full = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 69 else 1900)
            with suppress(ValueError):  # no such day
                days[i] = np.datetime64(f"{full:04d}-{int(written['m']):02d}-{int(written['d']):02d}", "D")
    return days


def _possible(candidates: dict[str, np.ndarray], texts: np.ndarray, where: str) -> list[str]:
    """The orders that read every date which any of them reads; of orders that agree on all dates, the first."""
    fits = {name: ~np.isnat(dates) for name, dates in candidates.items()}
    readable = np.any(list(fits.values()), axis=0)
    possible: list[str] = []
    for name in candidates:
        same = (np.array_equal(candidates[name], candidates[other], equal_nan=True) for other in possible)
        if (fits[name] | ~readable).all() and not any(same):
            possible.append(name)
    if possible:
        return possible
    shown = [texts[np.flatnonzero(fits[a] & ~fits[b])] for a, b in (("dmy", "mdy"), ("mdy", "dmy"))]
    listed = " and others such as ".join(str(some[0]) for some in shown if len(some))
    raise DataError(
        f"its dates are in different orders: some are such as {listed}.",
        where=where,
        hint="Write all dates in one way, best as 2024-02-13.",
    )


def _clock(text: str) -> str:
    """What stands next to the date, as ISO 8601 writes it: 24 hours, an offset with a colon."""
    clock = _WEEKDAY.sub("", text).strip(" T,;")
    clock = _HALF_DAY.sub(lambda half: f"{int(half[1]) % 12 + 12 * (half[3].lower() == 'p'):02d}:{half[2]}", clock)
    return re.sub(r"\s*(?:GMT|UTC|Z)$", "Z", _OFFSET.sub(r"\1:\2", clock))


def _moments(texts: np.ndarray) -> np.ndarray:
    """Times [n] of texts with the year first, as their own clock shows them."""
    plain = [re.sub(r"(?:Z|[+-]\d{2}:\d{2})$", "", text).strip() for text in texts if text is not None]
    return pd.to_datetime(pd.Series(plain), errors="coerce", format="ISO8601").dropna().to_numpy("datetime64[s]")


def _inferred(times: dict[str, np.ndarray]) -> str | None:
    """The one order under which the rows follow one another; None when several or none do."""
    days = {name: np.unique(moments.astype("M8[D]")) for name, moments in times.items()}
    if min(map(len, days.values())) < 2:
        return None
    steps = {name: np.diff(moments).astype(float) / 86400 for name, moments in times.items()}
    ordered = [name for name, step in steps.items() if (step >= 0).all() or (step <= 0).all()]
    within_days = all(len(moments) >= _ROWS_PER_DAY * len(days[name]) for name, moments in times.items())
    if len(ordered) == 1 and (within_days or len(days[ordered[0]]) >= _LEAST_DAYS):
        return ordered[0]
    if not within_days:
        return None
    breaks = {}
    for name, moments in times.items():
        day = moments.astype("M8[D]")
        breaks[name] = np.abs(steps[name][day[1:] != day[:-1]])
    near = [name for name in ordered if (breaks[name] <= _NEAR_DAYS).all()]
    others_far = all((breaks[name] >= _FAR_DAYS).all() for name in times if name not in near)
    return near[0] if len(near) == 1 and others_far else None


def _question(texts: np.ndarray, candidates: dict[str, np.ndarray], where: str) -> DataError:
    first, *others = candidates.values()
    row = int(np.flatnonzero(np.any([other != first for other in others], axis=0))[0])
    may_be = _either(f"{pd.Timestamp(days[row]):%-d %B %Y} ({ORDERS[name]})" for name, days in candidates.items())
    flags = _either(f"--date-order {name}" for name in candidates)
    return DataError(
        f"the date {texts[row]} may be {may_be}, and nothing in the file decides it.",
        where=where,
        hint=f"Choose one with {flags}, or in the app: Overview, Read a new file, Order of day and month.",
    )


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}"
