"""What a table of predictions supports, each with its interval: it beats chance, the commonest class, a constant pointer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from moola_core.diagnostics.intervals import auroc, of_windows, within_folds
from moola_core.diagnostics.results import Interval

Groups = Mapping[str, int] | None


class Table:
    """The predictions as arrays [R, n]: repeats, and windows in the order of their names (nan where a repeat lacks one).

    group: by window, which windows share bars; where that is not known, each stands for itself.
    """

    def __init__(self, predictions: pd.DataFrame, group: Groups = None) -> None:
        named = "window_id" in predictions
        window = predictions["window_id"].astype(str) if named else predictions.groupby("repeat").cumcount()
        self._wide = predictions.assign(window_id=window).set_index(["repeat", "window_id"]).unstack("window_id")
        self.windows = self._wide["fold"].columns
        found = [group.get(name) for name in self.windows] if group else [None]
        self.group = np.array(range(len(self.windows)) if None in found else found, int)
        self.fold = np.nan_to_num(self["fold"], nan=-1).astype(int)

    def __getitem__(self, column: str) -> np.ndarray:
        return self._wide[column].to_numpy(float)

    @property
    def answers(self) -> pd.DataFrame:
        """The predicted classes."""
        return self._wide["predicted"]

    def words(self, column: str) -> np.ndarray:
        """The column [n] of the first repeat that has each window, as texts."""
        return self._wide[column].bfill().iloc[0].astype(str).to_numpy()

    def target(self, classes: tuple[str, ...]) -> np.ndarray:
        """The number of each window's class [n]."""
        return np.array([classes.index(name) for name in self.words("label")])

    def probabilities(self, classes: tuple[str, ...]) -> np.ndarray:
        """[R, n, C]"""
        return np.stack([self[f"p_{name}"] for name in classes], axis=2)


def beats_chance(table: Table, classes: tuple[str, ...]) -> Interval | None:
    """AUROC among the windows of a fold."""
    return auroc(within_folds(table.target(classes), table.probabilities(classes), table.fold), table.group)


def beats_majority(table: Table) -> Interval | None:
    """Accuracy less that of always answering the commonest class."""
    label, answer = table.words("label"), table.answers
    right = np.where(answer.notna(), answer.astype(str) == label, np.nan)
    names, counts = np.unique(label, return_counts=True)
    return of_windows(right - (label == names[counts.argmax()]), table.group)


def beats_constant(table: Table) -> dict[str, Interval] | None:
    """By how many bars the errors of center and length are smaller than those of the other folds' median pointer.

    None without pointers, or with one fold, where no other fold gives a constant.
    """
    true, said = ([table[f"{side}_{kind}"] for side in ("start", "end")] for kind in ("true", "pred"))
    constant = [_other_folds_median(values, table.fold) for values in true]
    gains = {}
    for name, scale, sign in (("center", 0.5, 1), ("length", 1.0, -1)):
        # (start + end) / 2, and end − start up to a sign that an absolute error does not see.
        errors = [np.abs(scale * (a - c + sign * (b - d))) for (a, b), (c, d) in ((said, true), (constant, true))]
        found = of_windows(errors[1] - errors[0], table.group)
        if found is not None:
            gains[name] = found
    return gains or None


def _other_folds_median(values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """For each repeat and window, the median over the windows of the other folds; nan where there are none."""
    found = np.full(values.shape, np.nan)
    for row, place, out in zip(values, fold, found, strict=True):
        for number in np.unique(place):
            others = row[(place != number) & np.isfinite(row)]
            if len(others):
                out[place == number] = np.median(others)
    return found
