"""Estimators that read a window as one row of numbers, and predict the class and the two ends by a model each."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any

import numpy as np

from moola_core.estimators.estimator import Coalitions, Estimator, Prediction, TrainingWindows, joined
from moola_core.estimators.forests import FOREST, is_forest, pack, unpack


class TabularEstimator(Estimator):
    """A scikit-learn classifier and a regressor of both ends on `describe`'s rows."""

    @abstractmethod
    def classifier(self) -> Any:
        """A classifier of scikit-learn with probabilities."""

    @abstractmethod
    def regressor(self) -> Any:
        """A regressor of scikit-learn for start and end."""

    def fit_description(self, x: np.ndarray) -> None:
        """Fit what `describe` needs of the training windows x [n, K, F]; nothing by default."""

    def describe(self, x: np.ndarray) -> np.ndarray:
        """Windows x [n, K, F] as rows [n, D]; every bar of every feature by default."""
        return x.reshape(len(x), -1)

    def feature_of(self, described: int, features: int) -> np.ndarray | None:
        """The number of the feature that each of the `described` numbers of a row is read from, shape (D,).

        None, the default, where a number may be read from several of the `features`. Attribution is quicker with it.
        """
        return None

    def fit(self, windows: TrainingWindows) -> TabularEstimator:
        self.classes, self.bars = windows.classes, windows.x.shape[1]
        self.fit_description(windows.x)
        described = self.describe(windows.x)
        self.classifier_ = self.regressor_ = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of constant columns and small classes: the predictions show enough
            if windows.tasks != "pointers":
                self.classifier_ = self.classifier().fit(described, windows.target)
            if windows.tasks != "class" and windows.located.any():
                self.regressor_ = self.regressor().fit(described[windows.located], windows.span[windows.located])
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: pack(value) if is_forest(value) else value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, unpack(value) if isinstance(value, dict) and FOREST in value else value)

    def predict(self, x: np.ndarray, prices: np.ndarray) -> Prediction:
        return self._predict_described(self.describe(x))

    def predict_coalitions(self, window: Coalitions) -> Prediction:
        own, *others = self.describe(np.concatenate([window.x[None], window.background]))
        source = self.feature_of(len(own), window.x.shape[1])
        if source is None:
            return super().predict_coalitions(window)
        other = np.stack(others)
        parts = window.kept_columns()
        return joined([self._predict_described(np.where(part[:, source], own, other[place])) for part, place in parts])

    def _predict_described(self, described: np.ndarray) -> Prediction:
        probabilities = span = None
        if self.classifier_ is not None:
            probabilities = np.zeros((len(described), self.classes))
            probabilities[:, self.classifier_.classes_] = self.classifier_.predict_proba(described)
        if self.regressor_ is not None:
            span = np.sort(np.clip(self.regressor_.predict(described), 0, self.bars - 1), axis=1)
        return Prediction(probabilities, span)
