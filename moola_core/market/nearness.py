"""Windows that are nearly equal: the same prices up to a constant and noise of a tick, whatever time they claim."""

from __future__ import annotations

import numpy as np

BLOCKS = 8  # parts of a window whose means are compared first
LEAST_RANGE_TICKS = 8  # quieter windows look alike by accident
RANGE_FRAC = 0.01  # of the window's range: noise where prices have no tick


def nearly_equal(prices: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (a, b) of windows [n, K, 4] whose prices differ by a constant and at most a tick, or one hundredth of their range.

    Windows that hardly move are in no pair.
    """
    n, length = prices.shape[:2]
    if n < 2:
        return []
    close = prices[:, :, 3]
    level = close - np.median(close, axis=1, keepdims=True)
    tick = np.array([_tick(window) for window in prices])
    extent = np.ptp(close, axis=1)
    moving = (extent >= LEAST_RANGE_TICKS * tick) & ((np.diff(close, axis=1) != 0).sum(1) >= length // 4)
    noise = np.maximum(1.01 * tick, RANGE_FRAC * extent)
    means = np.stack([part.mean(1) for part in np.array_split(level, BLOCKS, axis=1)], axis=1)
    order = np.argsort(means[:, 0], kind="stable")
    first = means[order, 0]
    most = 4 * noise.max()  # each of two windows' own median may be off by its noise
    ends = np.searchsorted(first, first + most, side="right")
    # In this order the candidates lie side by side, and their last parts leave few of them to be compared by all.
    last, own_noise, may = means[order, -1], noise[order], moving[order]
    pairs = []
    for place in np.flatnonzero(may):
        a, those = order[place], slice(place + 1, ends[place])
        allowed = 4 * np.maximum(own_noise[place], own_noise[those])
        near = (np.abs(last[those] - last[place]) <= allowed) & may[those]
        others = order[those][near]
        others = others[(np.abs(means[others] - means[a]) <= allowed[near, None]).all(1)]
        for b in others:
            gap = prices[a] - prices[b]
            if np.abs(gap - np.median(gap)).max() <= max(noise[a], noise[b]):
                pairs.append((int(min(a, b)), int(max(a, b))))
    return sorted(pairs)


def _tick(window: np.ndarray) -> float:
    """The smallest difference of prices within a bar of the window [K, 4] that is more than rounding."""
    size = np.abs(window[:, :3] - window[:, 3:])
    real = size[size > 1e-6 * np.abs(window).max()]
    return float(real.min()) if len(real) else 0.0
