"""aeon's classifiers of whole series, with a ridge for the ends."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from moola_core.estimators.estimator import ESTIMATORS
from moola_core.estimators.tabular import TabularEstimator

ALPHAS = np.logspace(-3, 3, 10)
CALIBRATION_PARTS = 3
QUANT_TREES = 200


def _channels(x: np.ndarray) -> np.ndarray:
    """Windows x [n, K, F] as aeon reads them: [n, F, K]."""
    return np.ascontiguousarray(x.transpose(0, 2, 1), dtype=np.float32)


@ESTIMATORS.register("minirocket")
class MiniRocketRidge(TabularEstimator):
    """MiniRocket (Dempster, Schmidt and Webb 2021) with a ridge, calibrated by folds of the training windows."""

    def fit_description(self, x: np.ndarray) -> None:
        from aeon.transformations.collection.convolution_based import MiniRocket

        with threadpool_limits():
            self.transform_ = MiniRocket(random_state=self.seed).fit(_channels(x))

    def describe(self, x: np.ndarray) -> np.ndarray:
        # Where numba starts its threads it gives OpenMP their number, and every other library of the process would go on with it.
        with threadpool_limits():
            return np.asarray(self.transform_.transform(_channels(x)))

    def classifier(self) -> Any:
        ridge = make_pipeline(StandardScaler(with_mean=False), RidgeClassifierCV(ALPHAS))
        return CalibratedClassifierCV(ridge, cv=CALIBRATION_PARTS)

    def regressor(self) -> Any:
        return make_pipeline(StandardScaler(with_mean=False), RidgeCV(ALPHAS))


@ESTIMATORS.register("quant")
class Quant(TabularEstimator):
    """QUANT (Dempster, Schmidt and Webb 2024): quantiles of intervals, read by extra trees."""

    def describe(self, x: np.ndarray) -> np.ndarray:
        from aeon.transformations.collection.interval_based import QUANTTransformer

        channels = _channels(x)
        # Its intervals depend on the shape alone, so nothing fitted is kept.
        return np.asarray(QUANTTransformer().fit(channels[:1]).transform(channels))

    def feature_of(self, described: int, features: int) -> np.ndarray:
        return np.repeat(np.arange(features), described // features)

    def classifier(self) -> Any:
        return ExtraTreesClassifier(QUANT_TREES, max_features=0.1, criterion="entropy", random_state=self.seed)

    def regressor(self) -> Any:
        return ExtraTreesRegressor(QUANT_TREES, max_features=0.1, min_samples_leaf=5, random_state=self.seed)
