"""How labels scatter about the true spans: normally at each end, and anywhere with a small probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moola_core.spans.candidates import Candidates

# Below this every bar but the labelled one is out of question.
LEAST_SCATTER_BARS = 0.2


@dataclass(frozen=True)
class LabelNoise:
    """scatter_bars: standard deviation of each labelled end about the true one; misplaced_frac: share of labels that lie anywhere."""

    scatter_bars: float = 0.5
    misplaced_frac: float = 0.02

    def likelihood(self, candidates: Candidates, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Probability of the labels start, end [n] given that each candidate is the true span, shape (n, S)."""
        near = _normal(start[:, None] - candidates.start, self._scatter(candidates))
        near *= _normal(end[:, None] - candidates.end, self._scatter(candidates))
        return (1 - self.misplaced_frac) * near + self.misplaced_frac * candidates.elsewhere(end - start)[:, None]

    def center_within(self, candidates: Candidates, twice_center: np.ndarray, bars: float) -> np.ndarray:
        """Probability [S, Q] that the label's center lies within `bars` of each center [Q], when a candidate is the true span."""
        from scipy.special import ndtr

        apart = (twice_center[None, :] - candidates.twice_center[:, None]) / 2
        scatter = self._scatter(candidates) / np.sqrt(2)
        if scatter <= LEAST_SCATTER_BARS:  # labels that hardly scatter: a center is near or it is not
            near = (np.abs(apart) <= bars).astype(float)
        else:
            # A quarter of a bar beyond: centers lie on half bars, and a label exactly `bars` away counts.
            near = ndtr((apart + bars + 0.25) / scatter) - ndtr((apart - bars - 0.25) / scatter)
        anywhere = candidates.share @ (np.abs(apart) <= bars)
        return (1 - self.misplaced_frac) * near + self.misplaced_frac * anywhere[None]

    def of_ends(self, candidates: Candidates) -> np.ndarray:
        """Probability [K, K] that a label's end at each bar (column) belongs to a true end at each bar (row)."""
        bar = np.arange(candidates.window_bars)
        return _normal(bar[None] - bar[:, None], self._scatter(candidates))

    def _scatter(self, candidates: Candidates) -> float:
        """On a coarser grid a label lies up to half a step from the nearest span."""
        return max(self.scatter_bars, LEAST_SCATTER_BARS, 0.6 * (candidates.step_bars - 1))


def label_probabilities(
    posterior: np.ndarray, candidates: Candidates, noise: LabelNoise, least_elsewhere: float = 0.0
) -> np.ndarray:
    """Probability [n, K, K] of each label by first bar and length, from probabilities [n, S] of the true spans.

    least_elsewhere: the share of labels that lie anywhere is at least this.
    """
    n, bars = len(posterior), candidates.window_bars
    first, length = np.indices((bars, bars))
    inside = first + length < bars
    last = np.where(inside, first + length, 0)
    exact = np.zeros((n, bars, bars))
    exact[:, candidates.start, candidates.end] = posterior
    of_ends = noise.of_ends(candidates)
    near = (of_ends.T @ exact @ of_ends)[:, first, last] * inside
    near /= near.sum((1, 2), keepdims=True)
    elsewhere = max(noise.misplaced_frac, least_elsewhere)
    return (1 - elsewhere) * near + elsewhere * inside / inside.sum()


def _normal(distance: np.ndarray, scatter: float) -> np.ndarray:
    """Probability of whole distances in bars under a rounded normal distribution."""
    reach = np.arange(-int(6 * scatter) - 2, int(6 * scatter) + 3)
    return np.exp(-0.5 * (distance / scatter) ** 2) / np.exp(-0.5 * (reach / scatter) ** 2).sum()
