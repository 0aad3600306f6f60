"""Dates written in numbers, such as 05/02/2024: which of them is the day and which the month."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market.questions import Asking, Question
from moola_core.specs.data import DATE_ORDERS

ORDERS = {"dmy": "day/month/year", "mdy": "month/day/year", "ymd": "year/month/day"}
FLAGS = {order: flag for flag, order in DATE_ORDERS.items()}
# A date of three numbers without the year in front in four digits.
_DATE = re.compile(r"(\d{1,2})([./\- ])(\d{1,2})\2(\d{4}|\d{2})")
_YEAR_FIRST = re.compile(r"(\d{4})[./\- ](\d{1,2})[./\- ](\d{1,2})|(\d{4})(\d\d)(\d\d)")
_LEAST_DAYS = 6  # so many days are in order by chance once in 720 times
_ROWS_PER_DAY = 10  # more than this are bars within a day, which run on from one day to the next
_NEAR_DAYS, _FAR_DAYS = 10.0, 20.0


def days(
    texts: Sequence[str], day: np.ndarray, clock_ns: np.ndarray, order: str | None, where: str, asking: Asking
) -> tuple[np.ndarray, str]:
    """The different dates of a column as days (NaT where one is none), and how their order was inferred when no date shows it.

    texts: the dates; day, clock_ns [n]: which of them each row has (-1: none), and its time of day. order: `dmy`, `mdy` or `ymd` where it
    is known. Otherwise all dates of the column decide: a number above 12 is no month, and bars run on from one day to the next.
    Asks for the order when they do not decide.
    """
    known = np.array([_named(text) for text in texts], "datetime64[D]") if len(texts) else np.empty(0, "datetime64[D]")
    open_ = np.array([bool(_DATE.fullmatch(text)) for text in texts], bool)
    if not open_.any():
        return known, ""
    dates = np.array(texts, object)[open_]
    candidates = {name: _dates(dates, name) for name in ([order] if order else ORDERS)}
    possible = list(candidates) if order else _possible(candidates, dates, where)

    def filled(name: str) -> np.ndarray:
        whole = known.copy()
        whole[open_] = candidates[name]
        return whole

    def moments(name: str) -> np.ndarray:
        times = np.append(filled(name), np.datetime64("NaT", "D"))[day].astype("datetime64[s]")
        times = times + (np.where(clock_ns < 0, 0, clock_ns) // 10**9).astype("timedelta64[s]")
        return times[~np.isnat(times)]

    selected = possible[0] if len(possible) == 1 else _inferred({name: moments(name) for name in possible})
    if selected is None:
        asking.ask(_question(dates, {name: candidates[name] for name in possible}))
        return filled(possible[0]), ""
    note = f"Dates are read as {ORDERS[selected]}, because only then do the rows follow one another."
    return filled(selected), note if len(possible) > 1 else ""


def _named(text: str) -> np.datetime64:
    """A day whose order is plain: the year in front, or a month in words; NaT otherwise."""
    match = _YEAR_FIRST.fullmatch(text)
    if match:
        numbers = [int(number) for number in match.groups() if number]
    elif re.search(r"[A-Za-z]", text):
        moment = pd.to_datetime(re.sub(r"[-,]+", " ", text), errors="coerce")
        numbers = [] if moment is pd.NaT else [moment.year, moment.month, moment.day]
    else:
        numbers = []
    with suppress(ValueError):  # no such day
        if numbers:
            return np.datetime64(f"{numbers[0]:04d}-{numbers[1]:02d}-{numbers[2]:02d}", "D")
    return np.datetime64("NaT", "D")


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


def _question(texts: np.ndarray, candidates: dict[str, np.ndarray]) -> Question:
    first, *others = candidates.values()
    row = int(np.flatnonzero(np.any([other != first for other in others], axis=0))[0])
    answers = {
        FLAGS[name]: f"{texts[row]} is {pd.Timestamp(dates[row]):%-d %B %Y}" for name, dates in candidates.items()
    }
    return Question(
        "date_order",
        f"The order of day and month in dates such as {texts[row]} is open: all dates of the file fit both.",
        answers,
        "--dates",
    )
