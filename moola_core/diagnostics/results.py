"""Every result that a diagnostic computes: frozen, plain, storable as strict JSON.

Pages and charts read these and nothing else of the diagnostics, so this module imports numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (ddof=1; 0 with one repeat) of a metric over repeats."""

    mean: float | None
    std: float | None


@dataclass(frozen=True)
class Confusion:
    """Counts of windows: rows are true classes, columns predicted ones, in the order of `classes`.

    `repeat` None means summed over all repeats.
    """

    repeat: int | None
    classes: tuple[str, ...]
    counts: np.ndarray


@dataclass(frozen=True)
class FoldShare:
    """Share of each predicted class in one test fold: `shares` [C] sums to 1; `constant` when one class is all of it."""

    repeat: int
    fold: int
    windows: int
    shares: tuple[float, ...]
    constant: bool


@dataclass(frozen=True)
class PointerBaseline:
    """Errors of a constant pointer (the median of the other folds), pooled: what any pointer head must beat."""

    center_mae_bars: float
    length_mae_bars: float
    hit_at_3: float
    hit_at_5: float
    start_mae_bars: float | None = None
    end_mae_bars: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """How well the out-of-fold predictions of a run match the labels.

    metrics: name to Spread over repeats, each pooled out of fold within its repeat; per-class ones nest by class.
    by_repeat: one dict of plain numbers a repeat, same names.
    majority: accuracy and macro F1 of always answering the commonest class.
    """

    classes: tuple[str, ...]
    windows: int
    metrics: dict[str, Any]
    by_repeat: tuple[dict[str, Any], ...]
    majority: dict[str, float]
    confusions: tuple[Confusion, ...]
    fold_shares: tuple[FoldShare, ...]
    pointer_baseline: PointerBaseline | None


@dataclass(frozen=True)
class FeatureError:
    """Mean absolute error at hidden bars of one feature, in its `unit`.

    model: as trained; covered: with the hidden bars surely covered; feature_mean and carry_forward: of the trivial predictors;
    noise_floor: what noise in the windows leaves to anyone.
    """

    name: str
    unit: str
    model: float
    covered: float
    feature_mean: float
    carry_forward: float
    noise_floor: float


@dataclass(frozen=True)
class Reconstruction:
    """A validation window: when it starts (ISO, UTC), `truth` and `guess` [K, F] in the features' units, `hidden` [K] bool."""

    start_time: str
    truth: np.ndarray
    guess: np.ndarray
    hidden: np.ndarray


@dataclass(frozen=True)
class Measure:
    """One figure beside what needs no learning; `better` is higher or lower."""

    name: str
    value: float
    trivial: float
    better: str


@dataclass(frozen=True)
class ProbeScore:
    """Out-of-fold AUROC of a linear probe on one representation: mean and standard deviation over `by_repeat`."""

    representation: str
    mean: float
    std: float
    by_repeat: tuple[float, ...]


@dataclass(frozen=True)
class Probe:
    """How well a linear probe tells the labels from what an encoder makes of `windows` labelled windows."""

    windows: int
    scores: tuple[ProbeScore, ...]


@dataclass(frozen=True)
class Learned:
    """What pre-training learned, on validation windows.

    features: errors by feature (masked objective only); masked_mae, trivial {feature_mean, carry_forward} and noise_floor are
    their means over the features; measures: figures of the other objectives; counts: windows by what became of them.
    """

    objective: str
    best_epoch: int
    features: tuple[FeatureError, ...]
    masked_mae: float | None
    covered_mae: float | None
    trivial: dict[str, float]
    noise_floor: float | None
    measures: tuple[Measure, ...]
    examples: tuple[Reconstruction, ...]
    probe: Probe | None
    counts: dict[str, int]
