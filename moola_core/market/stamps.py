"""Whether the time of a bar is its start or its end."""

from __future__ import annotations

import numpy as np

from moola_core.market import zones
from moola_core.market.questions import Asking, Question
from moola_core.market.vendors import Vendor

HALF_HOUR_S = 1800
DAY_S = 86400
MINUTE_NS, JUST_BEFORE_NS = 60 * 10**9, (10**9, 10**6, 10**3)
BREAK_S = 1800  # longer holes end a session
FEW, CHANCE = 5, 1.5  # of more sessions, so many standard deviations are more than chance


def interval_s(times: np.ndarray) -> float:
    """Seconds between bars: the most frequent step of the times [n] datetime64; nan where there are fewer than two."""
    steps = np.abs(np.diff(times).astype("timedelta64[ns]").astype(np.int64))
    steps = steps[(steps > 0) & ~np.isnat(times[1:]) & ~np.isnat(times[:-1])]
    if not len(steps):
        return float("nan")
    values, counts = np.unique(steps, return_counts=True)
    return float(values[counts.argmax()] / 1e9)


def one_bar(interval_s: float) -> np.timedelta64:
    """The time between bars, to be added to times."""
    return np.timedelta64(int(interval_s * 1e9), "ns")


def before_the_edge(times: np.ndarray) -> np.timedelta64:
    """How long before a full minute all times [n] lie, as ends of bars are often written: a second, a milli- or microsecond; else nothing."""
    known = times[~np.isnat(times)].astype("datetime64[ns]").astype(np.int64)
    before = [moment for moment in JUST_BEFORE_NS if len(known) and ((known + moment) % MINUTE_NS == 0).all()]
    return np.timedelta64(before[0] if before else 0, "ns")


def _look_like_ends(times: np.ndarray, step_s: float) -> bool | None:
    """Whether the sessions begin and end on full or half hours if the times are ends (True) or starts (False); None if neither shows."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    step = int(step_s)
    opens = np.r_[True, np.diff(seconds) > max(BREAK_S, 5 * step)]
    first, last = seconds[opens], seconds[np.r_[opens[1:], True]]
    opened = np.array([(first % HALF_HOUR_S == 0).sum(), ((first - step) % HALF_HOUR_S == 0).sum()])
    closed = np.array([((last + step) % HALF_HOUR_S == 0).sum(), (last % HALF_HOUR_S == 0).sum()])
    starts, ends = opened + closed if np.diff(opened + closed) else opened  # a file may be cut anywhere at its end
    if abs(starts - ends) <= (CHANCE * np.sqrt(starts + ends) if len(first) > FEW else 0):
        return None
    return bool(ends > starts)


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
    if before_the_edge(times):
        return "end", ["Times lie just before a full minute, as ends of bars do; the starts are one bar earlier."]
    step_s = interval_s(times)
    long = not np.isfinite(step_s) or step_s >= HALF_HOUR_S
    looks = None if long or step_s < 1 else _look_like_ends(times, step_s)
    if step_s < 1:  # no bars; they are refused
        return "start", []
    if vendor.stamp and looks != (vendor.stamp == "start"):
        reason = f"{type(vendor).__name__} writes the end of each bar; the starts are one bar earlier."
        return vendor.stamp, [reason] if vendor.stamp == "end" else []
    if long:
        return "start", ["Times are read as the start of each bar."] if np.isfinite(step_s) and step_s < DAY_S else []
    if looks is False and vendor.stamp is None:
        return "start", []
    step = one_bar(step_s)
    before, shown, after = (str(moment)[11:19] for moment in (times[0] - step, times[0], times[0] + step))
    asking.ask(
        Question(
            "stamp",
            f"Its times, the first of which is {shown}, may be the start or the end of each bar.",
            {
                "start": f"the first bar lasts from {shown} to {after}",
                "end": f"the first bar lasts from {before} to {shown}",
            },
            "--stamp",
        )
    )
    return "start", []
