"""Which time zone the clock of a file is in: by its names, by the sessions of its market; and from there to UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from moola_core.errors import DataError

US_BREAK_H, BREAK_S, WEEKEND_S = (
    17,
    3600,
    49 * 3600,
)  # futures in Chicago and New York: daily and weekly, New York's clock
STOCKS_OPEN_MIN, STOCKS_BARS_S = 9 * 60 + 30, 390 * 60
LEAST_DAYS = 3
ABBREVIATIONS = {
    **dict.fromkeys(("utc", "gmt", "z"), "UTC"),
    "est": "Etc/GMT+5",
    "edt": "Etc/GMT+4",
    "cst": "Etc/GMT+6",
    "cdt": "Etc/GMT+5",
    "pst": "Etc/GMT+8",
    "pdt": "Etc/GMT+7",
    "cet": "Etc/GMT-1",
    "cest": "Etc/GMT-2",
    "jst": "Asia/Tokyo",
    "eet": "Etc/GMT-2",
}
_NAMES = {"utc": "UTC", "gmt": "UTC", "eastern": "America/New_York", "et": "America/New_York", "ny": "America/New_York"}
_NAMES |= {"central": "America/Chicago", "ct": "America/Chicago", "chicago": "America/Chicago"}
_END = re.compile(r"close_?time|time_?close|bar_?end|end_?time|(?:bar_|period_)?end|time_period_end", re.IGNORECASE)
_ZONE_COLUMN = re.compile(r"time_?zone|tz|zone|exchange_?tz|time zone", re.IGNORECASE)
_FIXED = [f"Etc/GMT{-hours:+d}" if hours else "UTC" for hours in range(-12, 15)]
_USUAL = ("America/New_York", "America/Chicago", "UTC", "Europe/London", "Europe/Berlin")


def is_end(name: str) -> bool:
    """Whether a column's name says that it holds the end of each bar."""
    return bool(_END.fullmatch(name.strip()))


def of_name(name: str) -> str | None:
    """The time zone that a column's name says, such as `Gmt time` or `datetime_utc`."""
    words = re.split(r"[^a-z]+", name.strip().lower())
    return next((_NAMES[word] for word in words if word in _NAMES), None)


def of_column(table: pd.DataFrame) -> str | None:
    """The time zone that a column of the table names in every row, such as `timezone` with America/New_York; None without one."""
    for name in table.columns:
        if _ZONE_COLUMN.fullmatch(str(name).strip()):
            values = table[name].astype("str").unique()
            if len(values) == 1 and (values[0] in available_timezones() or values[0].lower() in ABBREVIATIONS):
                return ABBREVIATIONS.get(values[0].lower(), values[0])
    return None


def of_sessions(times: np.ndarray) -> tuple[str | None, str]:
    """The zone in which naive `times` [n] keep the sessions of a market that is known, and why; None where they keep none.

    US futures pause for an hour at 17:00 of New York, and US stocks trade from 9:30 to 16:00 there. An offset from UTC that puts the
    breaks of the file there is the only one that does; of zones with that offset at all these days, the usual name is taken.
    """
    step = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    if len(step) < 100 or (step <= 0).any():
        return None, ""
    usual = int(np.median(step))
    gaps = step - usual
    last = times[:-1] + np.timedelta64(usual, "s")  # when the bar before each gap ends
    pause = last[gaps == BREAK_S]
    weekend = last[gaps == WEEKEND_S]
    if len(pause) >= LEAST_DAYS and (gaps > usual * 30).sum() <= 1.3 * (len(pause) + len(weekend)) + 1:
        moments, clock, why = (
            np.r_[pause, weekend],
            US_BREAK_H * 60,
            "the daily break is that of US futures, 17:00 in New York",
        )
    else:
        days = np.unique(times.astype("M8[D]"))
        starts, ends = times[np.r_[True, gaps > 4 * 3600]], last[gaps > 4 * 3600]
        first = starts[: len(ends)]
        if len(days) < LEAST_DAYS or len(ends) < LEAST_DAYS - 1 or usual > 3600:
            return None, ""
        full = (ends - first).astype("timedelta64[s]").astype(np.int64) == STOCKS_BARS_S
        if full.mean() < 0.8:
            return None, ""
        moments, clock, why = (
            first[full],
            STOCKS_OPEN_MIN,
            "the sessions are those of US stocks, 9:30 to 16:00 in New York",
        )
    return _zone_with(moments, clock), why


def _zone_with(moments: np.ndarray, minute_of_day: int) -> str | None:
    """The zone in whose clock the moments are, if New York's clock then shows `minute_of_day`."""
    fitting = []
    for zone in [*_USUAL, *_FIXED]:
        local = pd.DatetimeIndex(moments).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        there = local.tz_convert("America/New_York")
        if (np.asarray(there.hour * 60 + there.minute) == minute_of_day).mean() > 0.9:
            fitting.append(zone)
    return fitting[0] if fitting else None


def to_utc(times: np.ndarray, zone: str, where: str) -> tuple[np.ndarray, list[str]]:
    """Naive times [n] of a zone in UTC, and a note on times that the clock shows twice. Raises DataError for an unknown zone."""
    if zone == "UTC":
        return times, []
    clock = pd.Series(times)
    notes = []
    try:
        # The hour that a clock shows twice in autumn is read in order; the one it skips in spring moves forward.
        placed = clock.dt.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
    except (KeyError, ValueError) as error:
        if not ("ambiguous" in str(error).lower() or "dst" in str(error).lower()):
            raise DataError(
                f"unknown time zone {zone!r}.", where=where, hint="Use a name such as America/New_York."
            ) from None
        twice = clock.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna() & clock.notna()
        notes.append(
            f"{int(twice.sum())} times may be either of two, because the clock shows that hour twice when summer "
            f"time ends; they are read as the second (standard time), first {str(clock[twice].iloc[0])[:16]}."
        )
        placed = clock.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward")
    return placed.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]"), notes


def one_zone(zones: Iterable[str]) -> str | None:
    """The time zone of the names that stand after the times, such as `US/Eastern`; None where there is none or several."""
    names = {ABBREVIATIONS.get(zone.lower(), zone) for zone in zones if zone}
    return names.pop() if len(names) == 1 else None
