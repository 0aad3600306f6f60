"""How far the labelled windows are from the bars that pre-training sees."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results.interval import Interval


@dataclass(frozen=True)
class FeatureShift:
    """One feature's window means, labelled windows against others: Kolmogorov–Smirnov distance with its bootstrap interval and p,
    population stability index (below 0.1 little, above 0.25 much), and both means."""

    feature: str
    ks: float
    low: float
    high: float
    p: float
    psi: float
    mean: float
    other_mean: float


@dataclass(frozen=True)
class OutOfDistribution:
    """A labelled window and how confidently a classifier separates it from the other bars."""

    window_id: str
    probability: float


@dataclass(frozen=True)
class Domain:
    """A classifier that tells labelled windows from the others, cross-validated: its AUROC, where it would lie if there were no
    difference (95% of `draws` shuffles), the numbers that it relies on with their weights, and the labelled windows it is most confident of.

    interval: of the AUROC, 95% over windows, those that share bars taken together; None where it was not measured.
    """

    auc: float
    null_low: float
    null_high: float
    draws: int
    drivers: tuple[tuple[str, float], ...]
    out_of_distribution: tuple[OutOfDistribution, ...]
    interval: Interval | None = None


@dataclass(frozen=True)
class Shift:
    """Labelled windows against windows of the same bars (`bars`), and against windows of grades left out (`left_out`).

    counts: windows of each kind; domain: None without bars; first_bars: difference of each feature's mean in a window's first 15
    bars from the rest, in standard deviations: large where the state has not settled.
    """

    counts: dict[str, int]
    bars: tuple[FeatureShift, ...]
    left_out: tuple[FeatureShift, ...]
    domain: Domain | None
    first_bars: dict[str, float]
