"""Logistic regression on means and deviations."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from moola_core.estimators.estimator import ESTIMATORS
from moola_core.estimators.tabular import TabularEstimator

LAST_BARS = 20
LOGISTIC_C = 0.01  # also of the linear probes and of the doctor: what is compared has one penalty
RIDGE_ALPHA = 100.0


def linear(class_weight: str | None = None) -> Pipeline:
    """A standardised logistic regression with the penalty that serves a few hundred windows."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=LOGISTIC_C, class_weight=class_weight, max_iter=2000))


@ESTIMATORS.register("logistic")
class Logistic(TabularEstimator):
    """Logistic and ridge regression on each feature's mean, deviation and mean over the last 20 bars."""

    def describe(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x.mean(1), x.std(1), x[:, -LAST_BARS:].mean(1)], axis=1)

    def feature_of(self, described: int, features: int) -> np.ndarray:
        return np.arange(described) % features

    def classifier(self) -> Any:
        return linear()

    def regressor(self) -> Any:
        return make_pipeline(StandardScaler(), Ridge(RIDGE_ALPHA))
