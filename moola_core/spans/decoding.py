"""From probabilities of spans to an answer: the center that is most probably near the labelled one, and ends that go with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moola_core.spans.candidates import Candidates, every
from moola_core.spans.noise import LabelNoise

NEAR_BARS = 3
BEST_SPANS = 10
EXACT = LabelNoise(0.0, 0.0)


def decode(posterior: np.ndarray, candidates: Candidates, noise: LabelNoise) -> tuple[np.ndarray, np.ndarray]:
    """The center with the largest probability that the label's center lies within 3 bars, and the median length of the spans there.

    posterior [n, S]. Returns first and last bar [n, 2], whose mean is that center, and the probability [n]. Exact: every center on half
    bars is compared.
    """
    twice = candidates.twice_center
    centers = np.arange(twice.min(), twice.max() + 1)
    wide = posterior @ noise.center_within(candidates, centers, NEAR_BARS)
    narrow = posterior @ noise.center_within(candidates, centers, 1)  # breaks plateaus
    # Rounded, so that ties do not hang on the order of sums; of centers that are as probable, the middle one.
    value = (wide + 0.05 * narrow).round(12)
    tied = value == value.max(1, keepdims=True)
    best = (2 * tied.cumsum(1) > tied.sum(1, keepdims=True)).argmax(1)
    near = posterior * (np.abs(twice - centers[best][:, None]) <= 2 * NEAR_BARS) + 1e-300
    length = _median(candidates.length, near)
    # Whole bars with exactly this center: an odd sum of the ends goes with an odd length.
    longer = (near * candidates.length).sum(1) / near.sum(1) > length
    odd = (centers[best] - length) % 2 == 1
    length = np.maximum(length + np.where(odd, np.where(longer | (length < 1), 1, -1), 0), 0)
    span = np.stack([centers[best] - length, centers[best] + length], axis=1) // 2
    return span.astype(float), wide[np.arange(len(posterior)), best]


def _median(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighted median [n] of values [S] under weight [n, S]."""
    order = np.argsort(values, kind="stable")
    running = weight[:, order].cumsum(1)
    return values[order][(running < running[:, -1:] / 2).sum(1)]


def best_spans(posterior: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The most probable candidates, shape (n, count), best first, and their probabilities."""
    count = min(count, posterior.shape[1])
    top = np.argpartition(-posterior, count - 1, axis=1)[:, :count]
    order = np.take_along_axis(-posterior, top, 1).argsort(1, kind="stable")
    top = np.take_along_axis(top, order, 1)
    return top, np.take_along_axis(posterior, top, 1)


def per_bar(posterior: np.ndarray, candidates: Candidates) -> np.ndarray:
    """Probability of each bar to be the start, to be the end and to lie inside, shape (n, K, 3)."""
    n, bars = len(posterior), candidates.window_bars
    starts, ends = np.zeros((n, bars)), np.zeros((n, bars))
    np.add.at(starts.T, candidates.start, posterior.T)
    np.add.at(ends.T, candidates.end, posterior.T)
    inside = starts.cumsum(1) - np.concatenate([np.zeros((n, 1)), ends.cumsum(1)[:, :-1]], axis=1)
    return np.stack([starts, ends, inside.clip(0, 1)], axis=2)


@dataclass(frozen=True, eq=False)
class SpanPrediction:
    """What probabilities of spans say of n windows.

    Attributes
    ----------
    span : ndarray, shape (n, 2)
        First and last bar of the expansion.
    p_span : ndarray, shape (n,)
        Stated probability that the labelled center lies within 3 bars of the predicted one.
    per_bar : ndarray, shape (n, K, 3)
        Probability of each bar to be the first, to be the last, and to lie inside.
    best : ndarray, shape (n, k, 3)
        The k most probable spans: first bar, last bar, probability; best first.
    """

    span: np.ndarray
    p_span: np.ndarray
    per_bar: np.ndarray
    best: np.ndarray


def predict(posterior: np.ndarray, candidates: Candidates, noise: LabelNoise) -> SpanPrediction:
    """Everything that is read from probabilities [n, S] of the candidates."""
    span, confidence = decode(posterior, candidates, noise)
    top, p = best_spans(posterior, BEST_SPANS)
    return SpanPrediction(
        span,
        confidence,
        per_bar(posterior, candidates),
        np.stack([candidates.start[top], candidates.end[top], p], axis=2),
    )


def predict_dense(p: np.ndarray) -> SpanPrediction:
    """The same of a network's probabilities [n, K, K] by first bar and length."""
    candidates = every(p.shape[1])
    return predict(p[:, candidates.start, candidates.length].astype(float), candidates, EXACT)
