"""How long something takes, in words."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Seconds as `45 s`, `3 min 10 s` or `2 h 05 min`."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def time_range(low: float, high: float) -> str:
    """What 8 of 10 true times lie between, as `45 s to 2 min 10 s`."""
    first, last = duration(low), duration(high)
    return first if first == last else f"{first} to {last}"


def expected_time(seconds: float, low: float | None = None, high: float | None = None) -> str:
    """An estimate with its range where there is one, as `about 1 min 10 s (8 times in 10 from 45 s to 2 min 10 s)`."""
    if low is None or high is None:
        return f"about {duration(seconds)}"
    return f"about {duration(seconds)} (8 times in 10 from {time_range(low, high)})"
