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
    """An estimate, `value`, with its confidence interval from `low` to `high` (95% unless said otherwise where it is used)."""

    value: float
    low: float
    high: float


def above(found: Interval | None, than: float = 0.0, at_most: float | None = None) -> Outcome:
    """Whether the interval supports the claim that the quantity is larger than `than`.

    supported: all of it lies above; opposed: all of it lies below (or below `at_most`, where a gain smaller than that is as good as
    none); open: it cannot be told; unmeasured: there is no interval, as in results of older versions.
    """
    if found is None:
        return UNMEASURED
    if found.low > than:
        return SUPPORTED
    return OPPOSED if found.high < (than if at_most is None else at_most) else OPEN
