"""How honest predicted probabilities are."""

from __future__ import annotations

import numpy as np

BINS = 10
SMALLEST = 1e-15


def ece(probabilities: np.ndarray, true: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error: top-label, equal-width bins, pooled.

    probabilities [n, C]; true [n] class indices. Naeini et al. 2015; Guo et al. 2017. Bins are (low, high], as in torchmetrics.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == true
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(true))


def brier(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Mean squared distance between the probabilities and the truth, summed over classes (Brier 1950): 0 to 2."""
    return float(((probabilities - np.eye(probabilities.shape[1])[true]) ** 2).sum(1).mean())


def log_loss(probabilities: np.ndarray, true: np.ndarray) -> float:
    """Mean of −log p(true class), nats."""
    return float(losses(probabilities, true).mean())


def losses(probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """−log p(true class) of each window [n], nats."""
    return -np.log(np.maximum(probabilities[np.arange(len(true)), true], SMALLEST))
