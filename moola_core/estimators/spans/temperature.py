"""Temperature scaling of class probabilities (Guo et al. 2017), by windows that the probabilities were not fitted to."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

LEAST_P = 1e-7
RANGE = (0.5, 3.0)  # where all held-out windows are right, likelihood alone would have no limit


def fit_temperature(p: np.ndarray, target: np.ndarray) -> float:
    """The temperature of the largest likelihood, for probabilities [n, C] and class numbers [n]."""
    logs, rows = np.log(np.maximum(p, LEAST_P)), np.arange(len(p))

    def loss(log_t: float) -> float:
        return -float(log_softmax(logs * np.exp(-log_t), axis=1)[rows, target].mean())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(RANGE), method="bounded").x))


def tempered(p: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities [..., C] at a temperature: above 1 less sure, below 1 surer."""
    return softmax(np.log(np.maximum(p, LEAST_P)) / temperature, axis=-1)
