"""What the training windows say about their own labels: the noise, the sharpness of the scores, and which statistics help.

All of it is read from windows that were held out within the training windows: on those that were fitted, labels look less noisy than
they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax
from sklearn.model_selection import GroupKFold

from moola_core.estimators.spans.conditional_logit import curvature, fit_weights, scale, standardise
from moola_core.estimators.spans.statistics import span_statistics
from moola_core.spans.candidates import Candidates
from moola_core.spans.noise import LabelNoise

if TYPE_CHECKING:
    from moola_core.estimators.spans.locator import SpanLocator

PARTS = 3
FIRST_PENALTY = 4.0
PENALTIES = (1.0, 4.0, 16.0)
FIRST_NOISE = LabelNoise(0.7, 0.1)
ASSUMED = (LabelNoise(0.3, 0.02), LabelNoise(1.5, 0.1), LabelNoise(3.0, 0.15))
SCATTER_BARS = (0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
MISPLACED = (0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
SHARPNESS = (0.6, 0.8, 1.0, 1.25)
TIE = 0.05  # log-likelihood a window
LEAST_GAIN = 0.02  # log-likelihood a window that the general statistics must add


@dataclass(frozen=True, eq=False)
class Choice:
    """What was selected, and what the last fit needs.

    value: mean log-likelihood of held-out labels (nan: nothing was held out); general: whether the general statistics take part; penalty;
    noise; sharpness: factor of the scores; start [D]: where the last fit begins.
    """

    value: float
    general: bool
    penalty: float
    noise: LabelNoise
    sharpness: float
    start: np.ndarray | None = None


class Described:
    """The statistics of all candidate spans of the training windows, and fits to parts of them.

    Parameters
    ----------
    spans : Candidates
        S spans.
    prices : ndarray, shape (n, K, 4)
    start, end, group : ndarray, shape (n,)
        Labels in bars; equal groups for windows that share bars.
    general : bool
        Whether the general statistics take part.
    """

    def __init__(
        self,
        spans: Candidates,
        prices: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        group: np.ndarray,
        general: bool,
    ) -> None:
        self.spans, self.start, self.end, self.group, self.general = spans, start, end, group, general
        self.values = span_statistics(prices, spans, general)
        self.mean, self.std = scale(self.values)
        standardise(self.values, self.mean, self.std)
        self.shape: np.ndarray | None = None

    @property
    def few(self) -> bool:
        """Whether there are too few windows to hold any out."""
        return len(np.unique(self.group)) < PARTS or len(self.group) < 2 * PARTS

    def fit(self, penalty: float, noise: LabelNoise, start: np.ndarray | None = None) -> np.ndarray:
        """The coefficients [D] on all windows."""
        likelihood = noise.likelihood(self.spans, self.start, self.end)
        weights = fit_weights(self.values, likelihood, penalty, start, self.shape)
        if self.shape is None:
            self.shape = curvature(self.values, weights, penalty)
        return weights

    def held_out(self, penalty: float, noise: LabelNoise, fixed: LabelNoise | None, start: np.ndarray) -> Choice:
        """Fit to two thirds of the windows, and read noise and sharpness from the last third, in turn."""
        likelihood = noise.likelihood(self.spans, self.start, self.end)
        scores = np.empty(self.values.shape[:2])
        for train, test in GroupKFold(PARTS).split(scores, groups=self.group):
            weights = fit_weights(self.values[train], likelihood[train], penalty, start, self.shape)
            scores[test] = self.values[test] @ weights.astype(np.float32)
        value, read, sharpness = _best(scores, self.spans, self.start, self.end, fixed)
        return Choice(value, self.general, penalty, read, sharpness, start)


def select(plain: Described, locator: SpanLocator, with_general: Callable[[], Described]) -> tuple[Choice, Described]:
    """The settings that held-out windows of the training data prefer, where the locator leaves them open."""
    fixed = locator.noise
    if locator.general:
        plain = with_general()
    if plain.few:
        return Choice(np.nan, plain.general, locator.penalty or FIRST_PENALTY, fixed or FIRST_NOISE, 1.0), plain
    penalty = locator.penalty or FIRST_PENALTY
    rough = plain.fit(penalty, fixed or FIRST_NOISE)
    # Scattered labels are explained about as well by a vague model of exact labels: of such ties the scatter is taken.
    tried = [plain.held_out(penalty, noise, fixed, rough) for noise in ((fixed,) if fixed else ASSUMED)]
    most = max(one.value for one in tried)
    noise = max((one.noise for one in tried if one.value >= most - TIE), key=lambda one: one.scatter_bars)
    penalties = (locator.penalty,) if locator.penalty else PENALTIES
    tried = [plain.held_out(one, noise, fixed, rough) for one in penalties]
    best, described = max(tried, key=lambda one: one.value), plain
    if locator.general is None:
        other = with_general()
        start = other.fit(best.penalty, best.noise)
        second = other.held_out(best.penalty, best.noise, fixed, start)
        if second.value > best.value + LEAST_GAIN:
            best, described = second, other
    return best, described


def _best(
    scores: np.ndarray, spans: Candidates, start: np.ndarray, end: np.ndarray, fixed: LabelNoise | None
) -> tuple[float, LabelNoise, float]:
    """The largest mean log-likelihood over a grid of noises and sharpnesses."""
    best = (-np.inf, fixed or FIRST_NOISE, 1.0)
    elsewhere = spans.elsewhere(end - start)
    for scatter in (fixed.scatter_bars,) if fixed else SCATTER_BARS:
        near = LabelNoise(scatter, 0.0).likelihood(spans, start, end)
        for sharpness in SHARPNESS:
            hit = (softmax(sharpness * scores, axis=1) * near).sum(1)
            for misplaced in (fixed.misplaced_frac,) if fixed else MISPLACED:
                value = float(np.log((1 - misplaced) * hit + misplaced * elsewhere).mean())
                if value > best[0]:
                    best = (value, LabelNoise(scatter, misplaced), sharpness)
    return best
