"""What a table of predictions supports, each with its interval: it beats chance, the most frequent class, a constant pointer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from moola_core.diagnostics.intervals import auroc, of_windows, within_folds
from moola_core.diagnostics.results import Interval
from moola_core.runs.predictions import Grid

Groups = Mapping[str, int] | None


def beats_chance(grid: Grid, group: np.ndarray) -> Interval | None:
    """AUROC among the windows of a fold, or among all where each is in a fold of its own. group [n]: windows that share bars."""
    fold = grid.fold
    if all(len(np.unique(own[own >= 0])) == (own >= 0).sum() for own in fold):
        fold = np.where(fold >= 0, 0, fold)
    return auroc(within_folds(grid.target, grid.probabilities(), fold), group)


def beats_majority(grid: Grid, group: np.ndarray) -> Interval | None:
    """Accuracy less that of always predicting the most frequent class."""
    label = grid.label
    right = np.where(grid.present, grid.words("predicted") == label, np.nan)
    names, counts = np.unique(label, return_counts=True)
    return of_windows(right - (label == names[counts.argmax()]), group)


def beats_constant(grid: Grid, group: np.ndarray) -> dict[str, Interval] | None:
    """By how many bars the errors of center and length are smaller than those of the other folds' median pointer.

    None without pointers, or with one fold, where no other fold gives a constant.
    """
    true, predicted = ([grid.numbers(f"{side}_{kind}") for side in ("start", "end")] for kind in ("true", "pred"))
    constant = [other_folds_median(values, grid.fold) for values in true]
    gains = {}
    for name, scale, sign in (("center", 0.5, 1), ("length", 1.0, -1)):
        # (start + end) / 2, and end − start up to a sign that an absolute error does not see.
        errors = [np.abs(scale * (a - c + sign * (b - d))) for (a, b), (c, d) in ((predicted, true), (constant, true))]
        gain = of_windows(errors[1] - errors[0], group)
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
