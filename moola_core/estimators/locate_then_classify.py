"""The span model as a member of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from moola_core.estimators.convolutions import MiniRocketRidge, Quant
from moola_core.estimators.estimator import ESTIMATORS, Coalitions, Estimator, Prediction, TrainingWindows
from moola_core.estimators.spans.coalitions import OF_CLASS, OF_SPAN, classify, locate
from moola_core.estimators.spans.locate_then_classify import LocateThenClassify
from moola_core.estimators.tabular import TabularEstimator

WHOLE: tuple[Any, ...] = (MiniRocketRidge, Quant)


@ESTIMATORS.register("locate_then_classify")
class LocateThenClassifyEstimator(Estimator):
    """Finds the expansion by a softmax over all candidate spans, then reads the class from the bars around it.

    Where no window has an expansion, the class is the mean of MiniRocket and QUANT on the whole window.
    """

    part = "spans"

    def fit(self, windows: TrainingWindows) -> LocateThenClassifyEstimator:
        self.tasks, self.classes = windows.tasks, windows.classes
        self.whole_: list[TabularEstimator] = []
        if not windows.located.any():
            self.whole_ = [kind(self.seed).fit(windows) for kind in WHOLE]
            return self
        self.model_ = LocateThenClassify(seed=self.seed, **self.settings)
        target = None if windows.tasks == "pointers" else windows.target
        self.model_.fit(windows.prices, target, windows.span, windows.group)
        return self

    def predict(self, x: np.ndarray, prices: np.ndarray) -> Prediction:
        if self.whole_:
            each = [model.predict(x, prices).probabilities for model in self.whole_]
            return Prediction(np.mean([one for one in each if one is not None], axis=0))
        posterior, probabilities = self.model_.locator_.posterior(prices), None
        if self.tasks != "pointers":
            probabilities = self._of_all_classes(self.model_.classify(prices, posterior))
        if self.tasks == "class":
            return Prediction(probabilities)
        spans = self.model_.locator_.read(posterior)
        return Prediction(probabilities, spans.span, spans)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in ("seed", "settings", "tasks", "classes")}
        state["whole"] = [model.__getstate__() for model in self.whole_]
        if not self.whole_:
            state |= self.model_.plain()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name in ("seed", "settings", "tasks", "classes"):
            setattr(self, name, state[name])
        self.whole_ = []
        for kind, own in zip(WHOLE, state["whole"], strict=False):
            model = kind.__new__(kind)
            model.__setstate__(own)
            self.whole_.append(model)
        if not self.whole_:
            self.model_ = LocateThenClassify.from_plain(state)

    def groups(self, columns: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
        """Groups of the statistics of spans, and of those that the class is read from."""
        if self.whole_:
            return super().groups(columns)
        return OF_SPAN if self.tasks == "pointers" else OF_SPAN + OF_CLASS

    def predict_coalitions(self, window: Coalitions) -> Prediction:
        if self.whole_:
            return super().predict_coalitions(window)
        of_span, place = np.unique(window.kept[:, : len(OF_SPAN)], axis=0, return_inverse=True)
        posterior, span = locate(self.model_, window.prices, of_span)
        probabilities = None
        if self.tasks != "pointers":
            of_class, row = np.unique(window.kept[:, len(OF_SPAN) :], axis=0, return_inverse=True)
            each = classify(self.model_, window.prices, posterior, of_class)
            probabilities = self._of_all_classes(each[row.ravel(), place.ravel()])
        return Prediction(probabilities, None if self.tasks == "class" else span[place.ravel()])

    def label_noise(self) -> dict[str, float] | None:
        return None if self.whole_ else asdict(self.model_.locator_.noise_)

    def _of_all_classes(self, known: np.ndarray) -> np.ndarray:
        """Probabilities [n, C] from those of the classes that the training windows had."""
        probabilities = np.zeros((len(known), self.classes))
        probabilities[:, self.model_.classes_] = known
        return probabilities
