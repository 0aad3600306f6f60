"""The class, read from the bars around a span and averaged over the spans that the expansion may be."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from moola_core.estimators.spans.shapes import shape_statistics

LOGISTIC_C = 0.03
TREES, LEAVES, LEAST_WINDOWS = 60, 6, 10


def linear_model() -> Pipeline:
    """Missing statistics at their median, standardised, and a penalised logistic regression."""
    return make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=LOGISTIC_C, max_iter=500)
    )


class SpanClassifier:
    """The mean of a logistic regression and a small boosted forest on the statistics of one span of each window."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, prices: np.ndarray, start: np.ndarray, end: np.ndarray, y: np.ndarray) -> SpanClassifier:
        """Fit to prices [n, K, 4], one span start, end [n] (int) of each window, and classes y [n]."""
        described = shape_statistics(prices, start, end)
        self.kept_ = np.isfinite(described).any(0)  # in short windows some stretches hold no bars at all
        self.models_ = [
            linear_model(),
            HistGradientBoostingClassifier(
                max_iter=TREES,
                learning_rate=0.08,
                max_leaf_nodes=LEAVES,
                min_samples_leaf=LEAST_WINDOWS,
                l2_regularization=1.0,
                random_state=self.seed,
                early_stopping=False,
            ),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of constant columns: the predictions show enough
            for model in self.models_:
                model.fit(described[:, self.kept_], y)
        self.classes_ = self.models_[0].classes_
        return self

    def predict_proba(self, prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Probabilities [n, C] of the classes, in the order of `classes_`."""
        return self.predict_described(self.describe(prices, start, end))

    def describe(self, prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """The statistics [n, D] that the class is read from."""
        return shape_statistics(prices, start, end)[:, self.kept_]

    def predict_described(self, described: np.ndarray) -> np.ndarray:
        """The same probabilities from statistics [n, D]."""
        return np.mean([model.predict_proba(described) for model in self.models_], axis=0)

    def medians(self) -> np.ndarray:
        """The median of each statistic over the training windows, shape (D,)."""
        return np.asarray(self.models_[0][0].statistics_)
