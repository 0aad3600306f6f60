"""Which of two barriers the bars of a stretch touch first."""

from __future__ import annotations

import numpy as np


def touched_first(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """0 the lower, 1 neither or both in one bar, 2 the upper, shape (m,); upper, lower: whether each bar touches it, shape (m, bars)."""
    above, below = (np.where(hit.any(1), hit.argmax(1), hit.shape[1]) for hit in (upper, lower))
    return np.where(above < below, 2, np.where(below < above, 0, 1))
