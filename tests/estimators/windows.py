"""Random walks with a planted expansion, for tests of estimators."""

from __future__ import annotations

import numpy as np

from moola_core.estimators import TrainingWindows


def make_windows(
    n: int = 60, bars: int = 50, classes: int = 2, seed: int = 0, strength: float = 2.0
) -> TrainingWindows:
    """n windows: noise, a strong move of 5 to 8 bars somewhere, and after it the class: what is given back of the move."""
    rng = np.random.default_rng(seed)
    body = rng.standard_normal((n, bars)) * 0.5
    low = max(1, bars // 5)
    start = rng.integers(low, max(low + 1, bars - bars // 3), n)
    length = rng.integers(min(5, bars // 4), min(9, bars // 4 + 2), n)
    end = np.minimum(start + length - 1, bars - 2)
    target = np.arange(n) % classes
    sign = rng.choice([-1.0, 1.0], n)
    for i in range(n):
        body[i, start[i] : end[i] + 1] = sign[i] * (strength + 0.3 * rng.random(end[i] + 1 - start[i]))
        after = slice(end[i] + 1, min(bars, end[i] + 7))
        body[i, after] -= sign[i] * target[i] * strength * 0.5
    close = 100 + body.cumsum(1)
    opened = np.c_[np.full(n, 100.0), close[:, :-1]]
    wick = 0.2 + 0.2 * rng.random((2, n, bars))
    prices = np.stack([opened, np.maximum(opened, close) + wick[0], np.minimum(opened, close) - wick[1], close], axis=2)
    x = (prices / prices[:, :1, :1] - 1).astype(np.float32)
    span = np.stack([start, end], axis=1).astype(float)
    return TrainingWindows(x, prices, target, span, np.arange(n), classes)
