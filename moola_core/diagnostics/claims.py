"""What a table of predictions supports, each with its interval: it beats chance, the most frequent class, a constant pointer."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.intervals import auroc, of_windows, within_folds
from moola_core.diagnostics.results import Interval
from moola_core.overlap import Overlap
from moola_core.runs.predictions import Grid


def beats_chance(grid: Grid, shared: Overlap) -> Interval | None:
    """AUROC among the windows of a fold."""
    return auroc(within_folds(grid.target, grid.probabilities(), grid.fold), shared)


def beats_majority(grid: Grid, shared: Overlap) -> Interval | None:
    """Accuracy less that of always predicting the most frequent class."""
    label = grid.label
    right = np.where(grid.present, grid.words("predicted") == label, np.nan)
    names, counts = np.unique(label, return_counts=True)
    return of_windows(right - (label == names[counts.argmax()]), shared)


def beats_constant(grid: Grid, shared: Overlap) -> dict[str, Interval] | None:
    """By how many bars the errors of center and length are smaller than those of the other folds' median pointer.

    None without pointers, or with one fold, where no other fold gives a constant.
    """
    true, predicted = ([grid.numbers(f"{side}_{kind}") for side in ("start", "end")] for kind in ("true", "pred"))
    constant = [other_folds_median(values, grid.fold) for values in true]
    gains = {}
    for name, scale, sign in (("center", 0.5, 1), ("length", 1.0, -1)):
        # (start + end) / 2, and end − start up to a sign that an absolute error does not see.
        errors = [np.abs(scale * (a - c + sign * (b - d))) for (a, b), (c, d) in ((predicted, true), (constant, true))]
        gain = of_windows(errors[1] - errors[0], shared)
        if gain is not None:
            gains[name] = gain
    return gains or None


def other_folds_median(values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """For each repeat and window, the median over the windows of the other folds; nan where there are none."""
    medians = np.full(values.shape, np.nan)
    for row, place, out in zip(values, fold, medians, strict=True):
        for number in np.unique(place):
            others = row[(place != number) & np.isfinite(row)]
            if len(others):
                out[place == number] = np.median(others)
    return medians
