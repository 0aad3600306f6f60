"""The class from the bars around the likely spans, additive in the statistics: a linear model and steps, as plain arrays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax
from sklearn.ensemble import GradientBoostingClassifier

from moola_core.estimators.spans.classes import linear_model
from moola_core.estimators.spans.locate_then_classify import SPANS, averaged
from moola_core.estimators.spans.shapes import shape_statistics
from moola_core.estimators.spans.temperature import tempered
from moola_core.spans.candidates import Candidates
from moola_core.spans.decoding import best_spans

STEPS, RATE, LEAST_WINDOWS = 120, 0.08, 10
NEVER = -30.0  # the score of a class that the training windows do not have
LEAST_P = 1e-6


@dataclass(frozen=True, eq=False)
class ClassTerm:
    """The mean of a penalised logistic regression and of boosted stumps, each of which is a step in one statistic.

    Attributes
    ----------
    kept : ndarray of int, shape (d,)
        Which shape statistics take part.
    medians : ndarray, shape (d,)
        What takes the place of missing ones.
    coef, intercept : ndarray, shape (C, d) and (C,)
        Of the linear model, on statistics as they are.
    statistic, threshold, value : ndarray, shape (C, T), (C, T) and (C, T, 2)
        Of each step: its statistic, and what it adds up to the threshold and beyond it.
    base : ndarray, shape (C,)
        What the steps are added to.
    temperature : ndarray, shape ()
        Of the probabilities.
    """

    kept: np.ndarray
    medians: np.ndarray
    coef: np.ndarray
    intercept: np.ndarray
    statistic: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    base: np.ndarray
    temperature: np.ndarray = field(default_factory=lambda: np.array(1.0))

    @classmethod
    def fit(cls, prices: np.ndarray, start: np.ndarray, end: np.ndarray, target: np.ndarray, classes: int) -> ClassTerm:
        """Fit to prices [n, K, 4], one span start, end [n] (int) of each window and class numbers [n] below `classes`."""
        described = shape_statistics(prices, start, end)
        kept = np.flatnonzero(np.isfinite(described).any(0))
        described = described[:, kept]
        medians = np.nanmedian(described, axis=0)
        known = np.unique(target)
        coef, intercept = np.zeros((classes, len(medians))), np.full(classes, NEVER)
        statistic, threshold, value = (np.zeros((classes, STEPS, *more)) for more in ((), (), (2,)))
        base = intercept.copy()
        intercept[known] = base[known] = 0.0
        if len(known) > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of constant columns: the predictions show enough
                coef[known], intercept[known] = _linear(described, target)
                described = np.where(np.isnan(described), medians, described).astype(np.float32)
                base[known], statistic[known], threshold[known], value[known] = _steps(described, target)
        return cls(kept, medians, coef, intercept, statistic.astype(int), threshold, value, base)

    def predict_proba(self, described: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, shape (m, C), from all shape statistics, shape (m, D)."""
        described = described[:, self.kept]
        described = np.where(np.isnan(described), self.medians, described).astype(np.float32)
        steps = self.base + _added_up(described, self.statistic, self.threshold, self.value)
        return (softmax(described @ self.coef.T + self.intercept, axis=1) + softmax(steps, axis=1)) / 2

    def __call__(self, prices: np.ndarray, posterior: np.ndarray, candidates: Candidates) -> np.ndarray:
        """Logarithms of the probabilities of the classes, shape (n, C), averaged over the most probable candidates."""
        top, p = best_spans(posterior, SPANS)
        spans = top.ravel()
        described = shape_statistics(
            np.repeat(prices, top.shape[1], axis=0), candidates.start[spans], candidates.end[spans]
        )
        mean = averaged(p, self.predict_proba(described).reshape(*top.shape, -1))
        return logarithms(mean, float(self.temperature))


def logarithms(p: np.ndarray, temperature: float) -> np.ndarray:
    """Logarithms, float32, of probabilities of the classes, shape (n, C), at a temperature."""
    return np.log(np.maximum(tempered(p, temperature), LEAST_P)).astype(np.float32)


def _linear(described: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients [c, d] and intercepts [c] of the classes that there are, on statistics as they are."""
    _, scaler, logistic = linear_model().fit(described, target)
    coef, intercept = logistic.coef_ / scaler.scale_, logistic.intercept_
    if len(intercept) == 1:  # of two classes scikit-learn keeps the difference alone
        coef, intercept = np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2
    return coef, intercept - coef @ scaler.mean_


def _steps(described: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Base [c], and statistic, threshold [c, T] and values [c, T, 2] of the steps, of the classes that there are."""
    model = GradientBoostingClassifier(
        n_estimators=STEPS, learning_rate=RATE, max_depth=1, min_samples_leaf=LEAST_WINDOWS, random_state=0
    ).fit(described, target)
    trees = [[tree.tree_ for tree in column] for column in model.estimators_.T]
    statistic = np.array([[max(tree.feature[0], 0) for tree in column] for column in trees])
    threshold = np.array([[tree.threshold[0] for tree in column] for column in trees])
    # A tree that could not be split has its root alone.
    value = RATE * np.array(
        [[tree.value[[1, 2] if tree.node_count > 1 else [0, 0], 0, 0] for tree in column] for column in trees]
    )
    scores = model.decision_function(described[:1]).reshape(-1)
    base = scores - _added_up(described[:1], statistic, threshold, value)[0]
    if len(base) > 1:
        return base, statistic, threshold, value
    twice = (np.concatenate([part, part]) for part in (statistic, threshold))
    return np.concatenate([-base, base]) / 2, *twice, np.concatenate([-value, value]) / 2


def _added_up(described: np.ndarray, statistic: np.ndarray, threshold: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The sum of the steps, shape (m, c)."""
    beyond = described[:, statistic] > threshold
    return np.where(beyond, value[:, :, 1], value[:, :, 0]).sum(2)
