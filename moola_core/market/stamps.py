"""Whether the time of a bar is its start or its end."""

from __future__ import annotations

import numpy as np

from moola_core.market import zones
from moola_core.market.questions import Asking, Question
from moola_core.market.vendors import Vendor

HALF_HOUR_S = 1800
BREAK_S = 1800  # longer holes end a session
CLEAR = 0.6


def interval_s(times: np.ndarray) -> float:
    """Seconds between bars: the most frequent step of the times [n] datetime64; nan where there are fewer than two."""
    steps = np.abs(np.diff(times).astype("timedelta64[ns]").astype(np.int64))
    steps = steps[(steps > 0) & ~np.isnat(times[1:]) & ~np.isnat(times[:-1])]
    if not len(steps):
        return float("nan")
    values, counts = np.unique(steps, return_counts=True)
    return float(values[counts.argmax()] / 1e9)


def looks_like_ends(times: np.ndarray, step_s: float) -> bool | None:
    """Whether the sessions begin one bar after a full or half hour, as they do where times are ends; None where nothing shows it."""
    if not np.isfinite(step_s) or step_s >= HALF_HOUR_S or step_s < 1 or len(times) < 2:
        return None
    seconds = times.astype("datetime64[s]").astype(np.int64)
    first = seconds[np.r_[True, np.diff(seconds) > max(BREAK_S, 5 * step_s)]]
    starts = float(np.mean(first % HALF_HOUR_S == 0))
    ends = float(np.mean((first - int(step_s)) % HALF_HOUR_S == 0))
    if ends > CLEAR and starts < 1 - CLEAR:
        return True
    return False if starts > CLEAR else None


def stamp(times: np.ndarray, name: str, vendor: Vendor, given: str | None, asking: Asking) -> tuple[str, list[str]]:
    """`start` or `end`, and why where it is the end; asked where the times contradict what the source writes, or nothing is known of it.

    times [n] as the file has them, in order; name: of their column; given: what the user has set.
    """
    if given:
        return given, [
            "Times are the ends of the bars, as set; the starts are one bar earlier."
        ] if given == "end" else []
    if zones.is_end(name):
        return "end", [f"The column {name} holds the end of each bar; the starts are one bar earlier."]
    step_s = interval_s(times)
    looks = looks_like_ends(times, step_s)
    if vendor.stamp and looks != (vendor.stamp == "start"):
        reason = f"{type(vendor).__name__} writes the end of each bar; the starts are one bar earlier."
        return vendor.stamp, [reason] if vendor.stamp == "end" else []
    if looks is None or (looks is False and vendor.stamp is None):
        return "start", []
    step = np.timedelta64(int(step_s * 1e9), "ns")
    first = times[0]
    before, after = (str(moment)[11:19] for moment in (first - step, first + step))
    shown = str(first)[11:19]
    asking.ask(
        Question(
            "stamp",
            f"Its sessions begin at times such as {shown}: its times may be the start or the end of each bar.",
            {
                "start": f"the first bar lasts from {shown} to {after}",
                "end": f"the first bar lasts from {before} to {shown}",
            },
            "--stamp",
        )
    )
    return "start", []
