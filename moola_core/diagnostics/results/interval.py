"""Estimates with their intervals, and what an interval says of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["supported", "opposed", "open", "unmeasured"]
SUPPORTED: Outcome = "supported"
OPPOSED: Outcome = "opposed"
OPEN: Outcome = "open"
UNMEASURED: Outcome = "unmeasured"


@dataclass(frozen=True)
class Interval:
    """An estimate, `value`, with its confidence interval from `low` to `high` (95% unless stated otherwise where it is used)."""

    value: float
    low: float
    high: float


def above(interval: Interval | None, than: float = 0.0, at_most: float | None = None) -> Outcome:
    """Whether the interval supports the claim that the quantity is larger than `than`.

    supported: all of it lies above; opposed: all of it lies below (or below `at_most`, where a gain smaller than that is as good as
    none); open: it cannot be told; unmeasured: there is no interval, as in results of older versions.
    """
    if interval is None:
        return UNMEASURED
    if interval.low > than:
        return SUPPORTED
    return OPPOSED if interval.high < (than if at_most is None else at_most) else OPEN


ONE_BAR = 1.0


def of_pointer(part: str, gain: Interval) -> Outcome:
    """Whether a part of the pointer, center or length, beats a constant: by how many bars its error is smaller.

    A center that is less than one bar better is as good as none. Lengths often vary by a few bars in all, so that a bar is much there:
    only a length that is surely worse is opposed.
    """
    return above(gain, at_most=ONE_BAR if part == "center" else None)
