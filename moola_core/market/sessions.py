"""Which part of the trading day a bar belongs to, in the exchange's own time."""

from __future__ import annotations

import numpy as np
import pandas as pd

# The regular hours of US markets on the clocks in which people keep them; those of other zones are not known.
REGULAR = {
    **dict.fromkeys(("America/New_York", "US/Eastern"), ("09:30", "16:00")),
    **dict.fromkeys(("America/Chicago", "US/Central"), ("08:30", "15:00")),
}
KINDS = ("regular hours", "overnight", "both")


def within(time: np.ndarray, hours: tuple[str, str], zone: str) -> np.ndarray:
    """Whether each UTC time [n] lies in [opens, closes) of the zone's clock; hours that close before they open run over midnight."""
    local = pd.DatetimeIndex(time, tz="UTC").tz_convert(zone)
    minute = np.asarray(local.hour * 60 + local.minute)
    opens, closes = (int(text[:2]) * 60 + int(text[3:5]) for text in hours)
    return (minute >= opens) & (minute < closes) if opens < closes else (minute >= opens) | (minute < closes)


def kinds(first: np.ndarray, last: np.ndarray, zone: str) -> np.ndarray:
    """Of spans from bar `first` to bar `last` [n] (UTC starts): in regular hours, overnight, or both; empty where that is not known."""
    named = np.full(len(first), "", object)
    hours = REGULAR.get(zone)
    known = ~(np.isnat(first) | np.isnat(last))
    if hours is None or not known.any():
        return named
    day = np.array([pd.DatetimeIndex(edge[known], tz="UTC").tz_convert(zone).normalize() for edge in (first, last)])
    starts, ends = (within(edge[known], hours, zone) for edge in (first, last))
    one = (starts == ends) & ((day[0] == day[1]) | ~starts)
    named[known] = np.where(one, np.where(starts, KINDS[0], KINDS[1]), KINDS[2])
    return named
