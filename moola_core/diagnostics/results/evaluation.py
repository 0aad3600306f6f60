"""What cross-validated predictions are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moola_core.diagnostics.results.interval import Interval


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
    """Share of each predicted class in one test fold: `shares` [C] sums to 1.

    constant: one class is all of it, and that is more than chance: of a fold of its size, with classes predicted as often as they occur, it
    would be so in under 5%, or the whole repeat predicts that class alone.
    """

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
class Chance:
    """The probability, from 0 to 1, that a metric is above the threshold on windows like these."""

    threshold: float
    probability: float


@dataclass(frozen=True)
class Sampled:
    """A metric with its 95% interval over windows (those that share bars taken together) and repeats, and chances of being above thresholds.

    freedom: the degrees of freedom of Student's t that the interval is of; None of older versions.
    """

    interval: Interval
    chances: tuple[Chance, ...]
    freedom: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """How well the out-of-fold predictions of a run match the labels.

    metrics: name to Spread over repeats, each pooled out of fold within its repeat; per-class ones nest by class.
    by_repeat: one dict of plain numbers a repeat, same names.
    majority: accuracy and macro F1 of always predicting the most frequent class.
    auroc_within_folds: AUROC among the windows of a fold; over_majority: accuracy less the most frequent class's; pointer_gains: by how
    many bars the error of the center and of the length is smaller than that of the constant pointer. Each with its 95% interval over
    windows, those that share bars taken together, and repeats; None where it was not measured, as by older versions.
    sampled: by metric (`NAME CLASS` for the value of one class), how far it may differ on new windows, and the chances of passing its
    thresholds; None of older versions.
    brier_convention: whose Brier score it is; None for the sum over classes, as older versions stored it.
    """

    classes: tuple[str, ...]
    windows: int
    metrics: dict[str, Any]
    by_repeat: tuple[dict[str, Any], ...]
    majority: dict[str, float]
    confusions: tuple[Confusion, ...]
    fold_shares: tuple[FoldShare, ...]
    pointer_baseline: PointerBaseline | None
    auroc_within_folds: Interval | None = None
    over_majority: Interval | None = None
    pointer_gains: dict[str, Interval] | None = None
    brier_convention: str | None = None
    sampled: dict[str, Sampled] | None = None
