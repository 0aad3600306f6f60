"""Extremely randomised trees on every bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from moola_core.estimators.estimator import ESTIMATORS
from moola_core.estimators.tabular import TabularEstimator

TREES, LEAF = 200, 3


def trees(seed: int = 0) -> ExtraTreesClassifier:
    """Extremely randomised trees (Geurts, Ernst and Wehenkel 2006)."""
    return ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)


@ESTIMATORS.register("extra_trees")
class ExtraTrees(TabularEstimator):
    """Extra trees for the class and for both ends, on every feature of every bar."""

    def feature_of(self, described: int, features: int) -> np.ndarray:
        return np.arange(described) % features

    def classifier(self) -> Any:
        return trees(self.seed)

    def regressor(self) -> Any:
        return ExtraTreesRegressor(TREES, max_features="sqrt", min_samples_leaf=5, random_state=self.seed)
