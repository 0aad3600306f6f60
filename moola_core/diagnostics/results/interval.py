"""Estimates with their intervals, and what an interval says of a claim."""

from __future__ import annotations

from collections.abc import Iterable
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

    def within(self, least: float = 0.0, most: float = 1.0) -> Interval:
        """Without what the quantity cannot be: by default that of a share."""
        return Interval(self.value, max(self.low, least), min(self.high, most))


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


@dataclass(frozen=True)
class Claim:
    """The claim that a quantity is larger than a threshold: what a sentence that judges rests on.

    quantity: what was estimated, in words; interval: the estimate, None where it was not measured; than, at_most: as in `above`.
    """

    quantity: str
    interval: Interval | None
    than: float = 0.0
    at_most: float | None = None

    @property
    def outcome(self) -> Outcome:
        """What the interval says of the claim."""
        return above(self.interval, self.than, self.at_most)


def exactly(quantity: str, value: float, than: float) -> Claim:
    """A claim about a number that was counted and not sampled, such as a share of the steps that were taken."""
    return Claim(quantity, Interval(value, value, value), than)


def decided(claims: Iterable[Claim]) -> bool:
    """Whether any of the claims is supported or opposed by its interval."""
    return any(claim.outcome in (SUPPORTED, OPPOSED) for claim in claims)


ONE_BAR = 1.0


def beats_constant(part: str, gain: Interval) -> Claim:
    """That a part of the pointer, center or length, beats a constant: by how many bars its error is smaller.

    A center that is less than one bar better is as good as none. Lengths often vary by a few bars in all, so that a bar is much there:
    only a length that is surely worse is opposed.
    """
    return Claim(f"bars by which the error of the {part} is smaller", gain, 0.0, ONE_BAR if part == "center" else None)
