"""Labelled intervals: from which bar to which, and how windows of one length are cut from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moola_core.errors import DataError
from moola_core.market.bars import Bars
from moola_core.market.questions import Asking, Question
from moola_core.market.stamps import one_bar
from moola_core.specs import ReadOptions

DEFAULT_BARS = 105
LEAST_PAIRS = 2  # of intervals that follow one another, so that their common edge shows which end is meant


@dataclass(frozen=True, eq=False)
class Placed:
    """Moments in bars: bar [n] number of the bar that holds each moment (-1: none), and whether it lies `inside` it, after its start."""

    bar: np.ndarray
    inside: np.ndarray


def place(moments: np.ndarray, bars: Bars) -> Placed:
    """In which bar each moment [n] lies; the end of the last bar counts as the start of one more."""
    known = ~np.isnat(moments)
    bar = np.searchsorted(bars.time, moments, side="right") - 1
    step = one_bar(bars.interval_s)
    there = np.clip(bar, 0, len(bars) - 1)
    after = moments - bars.time[there]
    ended = known & (bar >= 0) & (after == step)  # the end of a bar before a hole
    inside = known & (bar >= 0) & (after > np.timedelta64(0)) & (after < step)
    on = known & (bar >= 0) & (after == np.timedelta64(0))
    return Placed(np.where(inside | on, bar, np.where(ended, bar + 1, -1)), inside)


def last_bars(first: np.ndarray, end: Placed, reading: ReadOptions, asking: Asking) -> np.ndarray:
    """The last bar [n] of intervals from `first` [n] (-1: unknown) to `end`; asks whether an end is the moment after the last bar.

    An end inside a bar is a click on that bar. Of ends on the edge of two bars, the default length, intervals that follow one another and
    intervals without a bar decide which of the two is the last one.
    """
    bar = end.bar
    edge = (bar >= 0) & ~end.inside
    ends = reading.ends or (_which_end(first, bar, edge, reading) if edge.any() else "inclusive")
    if ends is None:
        asking.ask(
            Question(
                "ends",
                "The end of its windows may be the moment after the last bar, or that bar itself.",
                {
                    "exclusive": "the bar that starts at the end is no part of the window",
                    "inclusive": "the bar that starts at the end is the last of the window",
                },
                "--ends",
            )
        )
    return np.where(edge & (ends != "inclusive"), bar - 1, bar)


def _which_end(first: np.ndarray, bar: np.ndarray, edge: np.ndarray, reading: ReadOptions) -> str | None:
    """`exclusive` or `inclusive` where something shows it, None where both fit."""
    known = edge & (first >= 0)
    if not known.any():
        return None
    length = (bar - first)[known]
    if (length <= 0).any():
        return "inclusive"
    order = np.argsort(first[known], kind="stable")
    step = first[known][order][1:] - bar[known][order][:-1]
    if (step == 0).sum() >= LEAST_PAIRS or (step == 1).sum() >= LEAST_PAIRS:
        return "exclusive" if (step == 0).sum() > (step == 1).sum() else "inclusive"
    if len(np.unique(length)) > 1:
        return "exclusive"  # of intervals of any length the README says which
    wanted = reading.window_bars or DEFAULT_BARS
    return {wanted: "exclusive", wanted - 1: "inclusive"}.get(int(length[0]))


def cut_places(
    first: np.ndarray, last: np.ndarray, center: np.ndarray, reading: ReadOptions, asking: Asking
) -> tuple[np.ndarray, int, list[str]]:
    """First bars [n] of windows of one length K, K, and notes, for intervals from `first` to `last` [n] (last -1: unknown).

    center [n]: the middle of each expansion as a bar number, nan without one. Intervals of one length are windows of that
    length; of others the windows are cut around the middle or the expansion, or from the start, as the reading says, else asked.
    """
    known = (last >= 0) & (first >= 0)
    lengths = np.unique((last - first + 1)[known])
    if not len(lengths):
        return first, reading.window_bars or DEFAULT_BARS, []
    if len(lengths) == 1 and reading.window_bars in (None, int(lengths[0])):
        return first, int(lengths[0]), []
    length = reading.window_bars or DEFAULT_BARS
    range_ = f"{lengths[0]} to {lengths[-1]} bars" if len(lengths) > 1 else f"{lengths[0]} bars"
    how = reading.lengths
    if how == "refuse":
        raise DataError(
            f"its labelled intervals have {range_}, and all windows of a run have one length.",
            where=asking.where,
            hint="Cut them with --lengths center, start or expansion.",
        )
    if how is None:
        answers = {
            "center": f"windows of {length} bars around the middle of each interval",
            "start": f"windows of {length} bars from the start of each interval",
        }
        if np.isfinite(center).any():
            answers["expansion"] = f"windows of {length} bars around each expansion"
        answers["refuse"] = "refuse the file"
        asking.ask(
            Question("lengths", f"Its labelled intervals have {range_}; windows need one length.", answers, "--lengths")
        )
    middle = np.where(known, (first + last + 1) // 2, first + length // 2)
    if how == "expansion":
        middle = np.where(np.isfinite(center), np.nan_to_num(center).astype(np.int64), middle)
    start = middle - length // 2 if how in ("center", "expansion") else first
    note = f"The labelled intervals have {range_}; windows of {length} bars are cut " + {
        "center": "around their middle.",
        "expansion": "around their expansions.",
    }.get(how or "", "from their start.")
    return np.where(known | (how == "expansion"), start, first), length, [note]
