"""Find the expansion, then read the class from the bars around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupKFold
from sklearn.utils.validation import check_is_fitted

from moola_core.estimators.spans.classes import SpanClassifier
from moola_core.estimators.spans.locator import SpanLocator
from moola_core.estimators.spans.temperature import fit_temperature, tempered
from moola_core.spans.candidates import Candidates
from moola_core.spans.decoding import SpanPrediction, best_spans
from moola_core.spans.noise import LabelNoise

SPANS = 10
PARTS = 3


class LocateThenClassify(ClassifierMixin, BaseEstimator):
    """A softmax over candidate spans for the expansion, and a class model on the bars around the likely ones.

    Parameters
    ----------
    penalty : float or None, default None
        Penalty of the span scores' coefficients; None compares some on held-out windows of the training data.
    scatter_bars, misplaced_frac : float or None, default None
        Standard deviation of each labelled end about the true one, and share of labels that lie anywhere. None reads them from
        held-out windows of the training data; give both or none.
    general : bool or None, default None
        Whether the more general statistics of a span take part; None lets held-out windows of the training data decide.
    seed : int, default 0
        Random seed of the class model.

    Attributes
    ----------
    classes_ : ndarray, shape (C,)
        The classes; absent when fitted without `y`.
    locator_ : SpanLocator
        Absent when fitted without any span.
    temperature_ : float
        Of the class probabilities, read from held-out windows of the training data; absent when fitted without `y`.

    Notes
    -----
    Sources: McFadden (1974) for the choice model, Sarawagi and Cohen (2004) for segments. Prices are oriented by the move and scaled
    by the window's mean range, so that a window turned upside down or in another unit has the same answer.
    """

    def __init__(
        self,
        penalty: float | None = None,
        scatter_bars: float | None = None,
        misplaced_frac: float | None = None,
        general: bool | None = None,
        seed: int = 0,
    ) -> None:
        self.penalty = penalty
        self.scatter_bars = scatter_bars
        self.misplaced_frac = misplaced_frac
        self.general = general
        self.seed = seed

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray | None = None,
        spans: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> LocateThenClassify:
        """Fit.

        Parameters
        ----------
        X : ndarray, shape (n, K, 4)
            Open, high, low, close of each bar.
        y : ndarray, shape (n,), optional
            Classes.
        spans : ndarray, shape (n, 2)
            First and last bar of each expansion, inclusive; nan where a window has none.
        groups : ndarray, shape (n,), optional
            Windows that share bars have the same number; each its own by default.
        """
        if spans is None or not np.isfinite(spans).all(1).any():
            raise ValueError("LocateThenClassify needs the expansion of at least one window; give spans.")
        start, end = np.asarray(spans, float).T
        known = np.isfinite(start) & np.isfinite(end)
        group = np.arange(len(X)) if groups is None else groups
        noise = None if self.scatter_bars is None else LabelNoise(self.scatter_bars, self.misplaced_frac or 0.0)
        self.locator_ = SpanLocator(self.penalty, noise, self.general)
        self.locator_.fit(X[known], start[known], end[known], group[known])
        if y is not None:
            self._fit_class(X, y, start, end, self.seed)
            self.temperature_ = self._held_out_temperature(X, y, start, end, group)
        return self

    def _fit_class(self, X: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray, seed: int) -> None:
        top = self.locator_.posterior_given(X, start, end).argmax(1)
        candidates = self.locator_.candidates_
        self.classifier_ = SpanClassifier(seed).fit(X, candidates.start[top], candidates.end[top], y)
        self.classes_, self.temperature_ = self.classifier_.classes_, 1.0

    def _held_out_temperature(
        self, X: np.ndarray, y: np.ndarray, start: np.ndarray, end: np.ndarray, group: np.ndarray
    ) -> float:
        """The temperature of the class by thirds of the windows that are held out in turn; 1 where they cannot be."""
        known, held_out, rows = np.isfinite(start) & np.isfinite(end), [], []
        if len(np.unique(group)) < PARTS:
            return 1.0
        for train, test in GroupKFold(PARTS).split(X, groups=group):
            located = train[known[train]]
            if not len(located) or set(y[train]) != set(self.classes_):
                continue
            part = LocateThenClassify()
            part.locator_ = self.locator_.refitted(X[located], start[located], end[located], group[located])
            part._fit_class(X[train], y[train], start[train], end[train], self.seed)
            held_out.append(part.classify(X[test], part.locator_.posterior(X[test])))
            rows.append(test)
        if not rows:
            return 1.0
        return fit_temperature(np.concatenate(held_out), np.searchsorted(self.classes_, y[np.concatenate(rows)]))

    def predict_spans(self, X: np.ndarray) -> SpanPrediction:
        """The span of each window, with the probability that its center lies within 3 bars of the labelled one, and the runners-up."""
        check_is_fitted(self, "locator_")
        return self.locator_.read(self.locator_.posterior(X))

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, shape (n, C), averaged over the most probable spans."""
        check_is_fitted(self, "classifier_")
        return self.classify(X, self.locator_.posterior(X))

    def classify(self, X: np.ndarray, posterior: np.ndarray) -> np.ndarray:
        """The same from the probabilities of the candidates, shape (n, S)."""
        candidates = self.locator_.candidates_
        top, p = best_spans(posterior, SPANS)
        windows, spans = np.repeat(X, top.shape[1], axis=0), top.ravel()
        each = self.classifier_.predict_proba(windows, candidates.start[spans], candidates.end[spans])
        return tempered(averaged(p, each.reshape(*top.shape, -1)), self.temperature_)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most probable class of each window, shape (n,)."""
        return self.classes_[self.predict_proba(X).argmax(1)]

    def plain(self) -> dict[str, Any]:
        """Parameters, and what was fitted as arrays, numbers and models of scikit-learn."""
        locator = self.locator_
        content: dict[str, Any] = {
            "parameters": self.get_params(),
            "candidates": dict(vars(locator.candidates_)),
            "noise": dict(vars(locator.noise_)),
            "locator": locator.plain(),
        }
        if hasattr(self, "classifier_"):
            content |= {"classifier": dict(vars(self.classifier_)), "temperature": self.temperature_}
        return content

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> LocateThenClassify:
        """The fitted model that `plain` described."""
        model = cls(**content["parameters"])
        model.locator_ = SpanLocator.restored(
            Candidates(**content["candidates"]), LabelNoise(**content["noise"]), content["locator"]
        )
        if "classifier" in content:
            model.classifier_ = SpanClassifier()
            vars(model.classifier_).update(content["classifier"])
            model.classes_ = model.classifier_.classes_
            model.temperature_ = content.get("temperature", 1.0)  # earlier versions had none
        return model


def averaged(p: np.ndarray, each: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, shape (n, C): the mean of those of each span [n, k, C] under the spans' probabilities p [n, k]."""
    return np.einsum("nk,nkc->nc", p / p.sum(1, keepdims=True), each)
