"""Simple models on the same folds: what the windows give without a network, next to what a run's model made of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from moola_core.diagnostics.doctor.flips import flip_rate
from moola_core.diagnostics.doctor.reading import LabelledInputs
from moola_core.diagnostics.intervals import auroc, of_windows, within_folds
from moola_core.diagnostics.results import Interval
from moola_core.estimators.extra_trees import trees
from moola_core.estimators.logistic import linear
from moola_core.estimators.spans.shapes import shape_statistics
from moola_core.metrics import Predictions, measure
from moola_core.runs.folds import Folds
from moola_core.runs.predictions import PredictionTable

MOST_REPEATS = 3
MOST_KEPT = 8
_kept: dict[str, np.ndarray] = {}
FIFTHS = 5


def aggregated(x: np.ndarray, parts: int = 1) -> np.ndarray:
    """Mean of each feature over each of `parts` parts of a window, and its deviation over the whole: [n, K, F] → [n, (parts + 1) F]."""
    return np.concatenate([*(part.mean(1) for part in np.array_split(x, parts, axis=1)), x.std(1)], axis=1)


def around_spans(prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """What the bars around the marked spans look like [n, D], from prices [n, K, 4] and the spans' ends [n]; None where not every window has one."""
    if not (np.isfinite(start) & np.isfinite(end)).all():
        return None
    described = shape_statistics(prices, start.astype(int), end.astype(int))
    return described[:, np.isfinite(described).all(0)]  # some windows are too short for some stretches


def out_of_fold(model: Callable[[], Any], described: np.ndarray, folds: Folds, label: np.ndarray) -> np.ndarray:
    """Probabilities [R, n, C] of a simple model of label [n] on described [n, D], of (at most the first 3) repeats; nan where none.

    The last few answers are kept: the arms of a study have the same windows and folds.
    """
    label = label.astype(str)
    repeats = sorted({repeat for repeat, _ in folds})[:MOST_REPEATS]
    parts = [(repeats.index(r), folds.rows(r, f).fitting, folds.rows(r, f).test) for r, f in folds if r in repeats]
    key = joblib.hash((repr(model()), described, label, parts))
    if key not in _kept:
        if len(_kept) == MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = _out_of_fold(model, described, label, parts)
    return _kept[key].copy()


def _out_of_fold(
    model: Callable[[], Any], described: np.ndarray, label: np.ndarray, parts: list[tuple[int, np.ndarray, np.ndarray]]
) -> np.ndarray:
    classes = np.unique(label)
    probabilities = np.full((max(part[0] for part in parts) + 1, len(label), len(classes)), np.nan)
    for repeat, train, test in parts:
        if len(np.unique(label[train])) < len(classes):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = model().fit(described[train], label[train])
        probabilities[repeat, test] = fitted.predict_proba(described[test])
    return probabilities


def reference_facts(predictions: pd.DataFrame, folds: pd.DataFrame, seen: LabelledInputs) -> dict[str, Any]:
    """AUROC among the windows of a fold, of the run and of two simple models, with 95% intervals of each and of the differences.

    reference: a linear model on means and deviations; trees: extra trees on the means of fifths. flip_*: how many labels these, the run and a
    linear model on the bars around the marked spans together contradict; best_auroc: of whichever of them tells the classes best,
    probabilities averaged over the repeats first.
    Empty where no fold was trained on windows of every class.
    """
    classes = tuple(str(name) for name in np.unique(seen.label.astype(str)))
    divided = Folds(folds, seen.window_id)
    grid = PredictionTable(predictions).grid()
    shared = grid.shared(divided.shared)
    place = {name: i for i, name in enumerate(divided.window_id)}
    rows = np.array([place[name] for name in grid.windows])
    target = np.searchsorted(np.array(classes), seen.label.astype(str)[rows])
    simple = {
        "reference": out_of_fold(linear, aggregated(seen.x), divided, seen.label)[:, rows],
        "trees": out_of_fold(trees, aggregated(seen.x, FIFTHS), divided, seen.label)[:, rows],
    }
    probabilities = grid.probabilities(classes)
    own = within_folds(target, probabilities, grid.fold)
    facts = _interval("auroc", auroc(own, shared))
    for name, p in simple.items():
        theirs = within_folds(target, p, grid.fold[: len(p)])
        facts |= _interval(f"{name}_auroc", auroc(theirs, shared))
        facts |= _interval(f"{name}_gap", of_windows(own[: len(p)] - theirs, shared))
    if seen.around is not None:
        simple["around"] = out_of_fold(linear, seen.around, divided, seen.label)[:, rows]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", RuntimeWarning
        )  # a window that no fold tested has no mean, and is left out below
        means = [np.nanmean(p, axis=0) for p in (probabilities, *simple.values())]
    known = np.isfinite(means).all(axis=(0, 2))
    if not known.any():
        return facts
    scores = [measure(Predictions(classes, target[known], p[known]), names=["auroc"])["auroc"] for p in means]
    best = max((float(score) for score in scores if np.isfinite(score)), default=None)
    return facts | {"best_auroc": best} | flip_rate(target[known], [p[known] for p in means])


def _interval(name: str, interval: Interval | None) -> dict[str, float]:
    """The estimate and the ends of its interval as facts; none where there is no interval."""
    return (
        {} if interval is None else {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    )
