"""Ranges of seconds: what finished runs say of the next one, and sums of parts that a busy host slows down together.

Everything is lognormal: a run that takes twice as long is as likely as one that takes half as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

TENTH = 1.2816  # standard deviations from the median to the 10% and the 90% point of a normal distribution
NOISE = 0.2  # of the logarithm of seconds, between equal runs on one host, as if NOISE_RUNS had shown it
NOISE_RUNS = 6
# Of the variance of what the base is off by: what all work on this host shares, kinds of work, sizes of a kind, settings of a size.
LEVELS = (0.4, 0.35, 0.17, 0.08)
NEWEST = 8  # of a group: what the host does now counts
FAR = 1.5  # standard deviations beyond which a run counts less, as one on a busy host would
LEAST_LEFT = 0.02  # of the whole: a run that has not ended takes at least so long
TOGETHER = 0.6  # correlation between the parts of a whole: they run on the same host


@dataclass(frozen=True)
class Observed:
    """One finished run: how far its seconds were from the base's, as a logarithm, and what it was.

    key: kind of work, size and settings, so that runs with a longer common beginning are more alike.
    """

    key: tuple[str, ...]
    off: float


@dataclass(frozen=True)
class Seconds:
    """A lognormal distribution of seconds: the logarithm of its median, and its standard deviation there."""

    log_median: float
    deviation: float

    @classmethod
    def about(cls, median: float, deviation: float) -> Seconds:
        return cls(math.log(max(median, 1e-6)), deviation)

    @property
    def median(self) -> float:
        return math.exp(self.log_median)

    @property
    def low(self) -> float:
        """The true time is below it in one case of ten."""
        return math.exp(self.log_median - TENTH * self.deviation)

    @property
    def high(self) -> float:
        """The true time is above it in one case of ten."""
        return math.exp(self.log_median + TENTH * self.deviation)

    @property
    def mean(self) -> float:
        return math.exp(self.log_median + self.deviation**2 / 2)

    @property
    def spread(self) -> float:
        """The standard deviation in seconds."""
        return self.mean * math.sqrt(math.expm1(self.deviation**2))

    def left(self, elapsed_s: float) -> Seconds:
        """What is left after so many seconds, given that it has not ended: about the median and limits of what the distribution leaves."""
        if elapsed_s <= 0 or self.deviation <= 0:
            return Seconds.about(max(self.median - elapsed_s, 0.02 * self.median), self.deviation)
        normal = NormalDist(self.log_median, self.deviation)
        gone = min(normal.cdf(math.log(elapsed_s)), 0.999)
        quantiles = [math.exp(normal.inv_cdf(gone + share * (1 - gone))) - elapsed_s for share in (0.1, 0.5, 0.9)]
        low, median, high = (max(one, LEAST_LEFT * self.median) for one in quantiles)
        return Seconds(math.log(median), max(math.log(high / low) / (2 * TENTH), 1e-3))

    @classmethod
    def between(cls, low: float, high: float) -> Seconds:
        """The distribution with these 10% and 90% points."""
        return cls((math.log(low) + math.log(high)) / 2, max(math.log(high / low) / (2 * TENTH), 1e-3))

    def times(self, factor: float) -> Seconds:
        return Seconds(self.log_median + math.log(max(factor, 1e-9)), self.deviation)


NOTHING = Seconds.about(0.0, 0.0)


def total(parts: Sequence[Seconds]) -> Seconds:
    """The sum, as the lognormal distribution of the same mean and variance (Fenton 1960)."""
    mean = sum(part.mean for part in parts)
    if mean <= 0:
        return NOTHING
    apart = sum(part.spread**2 for part in parts)
    variance = (1 - TOGETHER) * apart + TOGETHER * sum(part.spread for part in parts) ** 2
    deviation = math.sqrt(math.log1p(variance / mean**2))
    return Seconds(math.log(mean) - deviation**2 / 2, deviation)


def corrected(base_s: float, unsure: float, key: tuple[str, ...], observed: Sequence[Observed]) -> Seconds:
    """The base's seconds, corrected by finished runs, newest first: the nearer in kind, the more they count.

    unsure: standard deviation of the logarithm of the base before any run is known.
    """
    off, variance, (noise, free) = 0.0, 0.0, _noise(observed)
    for depth in range(len(key) + 1):
        variance += LEVELS[depth] * unsure**2
        others: dict[tuple[str, ...], list[float]] = {}
        for one in observed:  # those that share this much with it, and no more: the nearer ones come next
            if one.key[:depth] == key[:depth] and (depth == len(key) or one.key[depth] != key[depth]):
                others.setdefault(one.key, []).append(one.off)
        groups = [_center(offs[:NEWEST], noise) for offs in others.values()]
        off, variance = _updated((off, variance), groups, sum(LEVELS[depth + 1 : len(key) + 1]) * unsure**2)
    # Student's t: the noise itself is known from few runs (expansion of its quantile, Fisher and Cornish 1960).
    wider = 1 + (TENTH**2 + 1) / (4 * free)
    return Seconds.about(base_s, math.sqrt(variance + noise**2) * wider).times(math.exp(off))


def _updated(prior: tuple[float, float], groups: Sequence[tuple[float, float]], between: float) -> tuple[float, float]:
    """Mean and variance after groups (center, variance of it) that lie apart by the variance `between`."""
    mean, variance = prior
    precision = 1 / max(variance, 1e-9)
    weighed = mean * precision
    for center, own in groups:
        weight = 1 / (own + between)
        precision, weighed = precision + weight, weighed + weight * center
    return weighed / precision, 1 / precision


def _center(offs: Sequence[float], noise: float) -> tuple[float, float]:
    """Where equal runs lie, and the variance of that; those far from the others count less (Huber 1964)."""
    center = sorted(offs)[len(offs) // 2] if len(offs) % 2 else sum(sorted(offs)[len(offs) // 2 - 1 :][:2]) / 2
    weights = [1.0] * len(offs)
    for _ in range(5):
        weights = [min(1.0, FAR * noise / max(abs(off - center), 1e-9)) for off in offs]
        center = sum(weight * off for weight, off in zip(weights, offs, strict=True)) / sum(weights)
    return center, noise**2 / sum(weights)


def _noise(observed: Sequence[Observed]) -> tuple[float, int]:
    """The standard deviation between equal runs, and on how many it rests: that of this store, held to what is usual while it has few."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for one in observed:
        groups.setdefault(one.key, []).append(one.off)
    squares, free = NOISE_RUNS * NOISE**2, NOISE_RUNS
    for offs in (offs[:NEWEST] for offs in groups.values() if len(offs) > 1):
        center, _ = _center(offs, NOISE)
        squares += sum(min(abs(off - center), 3 * NOISE) ** 2 for off in offs)
        free += len(offs) - 1
    return math.sqrt(squares / free), free
