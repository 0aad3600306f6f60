"""The span model as a member of the registry."""

from __future__ import annotations

from typing import Any

import numpy as np

from moola_core.estimators.convolutions import MiniRocketRidge, Quant
from moola_core.estimators.estimator import ESTIMATORS, Estimator, Prediction, TrainingWindows
from moola_core.estimators.spans.locate_then_classify import LocateThenClassify
from moola_core.estimators.tabular import TabularEstimator
from moola_core.spans.decoding import predict

WHOLE: tuple[Any, ...] = (MiniRocketRidge, Quant)


@ESTIMATORS.register("locate_then_classify")
class LocateThenClassifyEstimator(Estimator):
    """Finds the expansion by a softmax over all candidate spans, then reads the class from the bars around it.

    Where no window has an expansion, the class is the mean of MiniRocket and QUANT on the whole window.
    """

    title = "locate then classify"
    reads_prices = True
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
        probabilities = None
        if self.tasks != "pointers":
            probabilities = np.zeros((len(prices), self.classes))
            probabilities[:, self.model_.classes_] = self.model_.predict_proba(prices)
        if self.tasks == "class":
            return Prediction(probabilities)
        locator = self.model_.locator_
        spans = predict(locator.posterior(prices), locator.candidates_, locator.noise_)
        return Prediction(probabilities, spans.span, spans.p_span, spans.per_bar, spans.best)

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
