"""The most frequent class and the median expansion."""

from __future__ import annotations

from typing import Any

from sklearn.dummy import DummyClassifier, DummyRegressor

from moola_core.estimators.estimator import ESTIMATORS
from moola_core.estimators.tabular import TabularEstimator


@ESTIMATORS.register("majority")
class Majority(TabularEstimator):
    """Predicts the share of each class, and the median start and end, for every window."""

    def classifier(self) -> Any:
        return DummyClassifier(strategy="prior")

    def regressor(self) -> Any:
        return DummyRegressor(strategy="median")
