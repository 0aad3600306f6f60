"""Where the expansion is: a softmax over all candidate spans of a window, linear in their statistics.

A conditional logit (McFadden 1974), which is a semi-Markov conditional random field of one segment (Sarawagi and Cohen 2004). The label
is the true span plus noise; the likelihood sums over true spans.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.special import softmax

from moola_core.estimators.spans.conditional_logit import standardise
from moola_core.estimators.spans.selection import Described, select
from moola_core.estimators.spans.statistics import GROUPS, group_numbers, span_statistics
from moola_core.spans.candidates import Candidates, plausible
from moola_core.spans.decoding import SpanPrediction, predict
from moola_core.spans.noise import LabelNoise

ROWS = 500
# Of a fitted locator, what is stored as it is.
FITTED = ("general_", "penalty_", "sharpness_", "mean_", "std_", "coef_")


class SpanLocator:
    """A linear score of spans with the noise of the labels that it was fitted to.

    Parameters
    ----------
    penalty : float or None
        Weight of half the squared norm of the coefficients, on standardised statistics; None compares some on held-out windows.
    noise : LabelNoise or None
        The labels' noise; None estimates it from held-out windows of the training data.
    general : bool or None
        Whether the more general statistics take part; None compares both on held-out windows of the training data.
    """

    def __init__(
        self, penalty: float | None = None, noise: LabelNoise | None = None, general: bool | None = None
    ) -> None:
        self.penalty, self.noise, self.general = penalty, noise, general

    def fit(self, prices: np.ndarray, start: np.ndarray, end: np.ndarray, group: np.ndarray) -> SpanLocator:
        """Fit to prices [n, K, 4] and labelled spans start, end [n]; windows that share bars have the same group [n]."""
        spans = self.candidates_ = plausible(start, end, prices.shape[1])
        plain, general = (partial(Described, spans, prices, start, end, group, general=g) for g in (False, True))
        choice, described = select(plain(), self, general)
        self.general_, self.penalty_, self.noise_, self.sharpness_ = (
            choice.general,
            choice.penalty,
            choice.noise,
            choice.sharpness,
        )
        self.mean_, self.std_ = described.mean, described.std
        self.coef_ = described.fit(choice.penalty, choice.noise, choice.start)
        return self

    def refitted(self, prices: np.ndarray, start: np.ndarray, end: np.ndarray, group: np.ndarray) -> SpanLocator:
        """A locator of the same candidates and settings that is fitted to other windows."""
        described = Described(self.candidates_, prices, start, end, group, self.general_)
        coef = described.fit(self.penalty_, self.noise_, self.coef_)
        own = {"mean_": described.mean, "std_": described.std, "coef_": coef}
        return SpanLocator.restored(self.candidates_, self.noise_, self.plain() | own)

    def plain(self) -> dict[str, Any]:
        """What was fitted, less candidates and noise."""
        return {name: getattr(self, name) for name in FITTED}

    @classmethod
    def restored(cls, candidates: Candidates, noise: LabelNoise, content: Mapping[str, Any]) -> SpanLocator:
        """The fitted locator that `plain` described."""
        locator = cls()
        locator.candidates_, locator.noise_ = candidates, noise
        for name in FITTED:
            setattr(locator, name, content[name])
        return locator

    def scores(self, prices: np.ndarray) -> np.ndarray:
        """The score of every candidate, shape (n, S); chunked, so that memory stays small."""
        parts = []
        for i in range(0, len(prices), ROWS):
            described = span_statistics(prices[i : i + ROWS], self.candidates_, self.general_)
            standardise(described, self.mean_, self.std_)
            parts.append(described @ self.coef_.astype(np.float32))
        return np.concatenate(parts).astype(float) if parts else np.empty((0, len(self.candidates_)))

    def contributions(self, prices: np.ndarray) -> np.ndarray:
        """What each group of statistics adds to the score of every candidate, shape (n, S, G)."""
        described = span_statistics(prices, self.candidates_, self.general_)
        standardise(described, self.mean_, self.std_)
        group = group_numbers(self.candidates_, self.general_)
        return described @ (self.coef_[:, None] * (group[:, None] == np.arange(len(GROUPS))))

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The probability of every candidate to be the true span, shape (n, S), from its score."""
        return softmax(self.sharpness_ * scores, axis=1)

    def posterior(self, prices: np.ndarray) -> np.ndarray:
        """The probability of every candidate to be the true span, shape (n, S)."""
        return self.probabilities(self.scores(prices))

    def read(self, posterior: np.ndarray) -> SpanPrediction:
        """What probabilities of the candidates, shape (n, S), say of the expansion."""
        return predict(posterior, self.candidates_, self.noise_)

    def posterior_given(self, prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """The same, given noisy labels start, end [n]; nan where a window has none."""
        p = self.posterior(prices)
        known = np.isfinite(start) & np.isfinite(end)
        p[known] *= self.noise_.likelihood(self.candidates_, start[known], end[known])
        return p / p.sum(1, keepdims=True)
