"""Windows that are nearly equal: the same prices up to a constant and noise of a tick, whatever time they claim."""

from __future__ import annotations

import numpy as np

BLOCKS = 8  # parts of a window whose means are compared first
LEAST_RANGE_TICKS = 8  # quieter windows look alike by accident
RANGE_FRAC = 0.01  # of the window's range: noise where prices have no tick
TICK_NOISE = 1.01  # ticks that the noise may have
ROUNDING = 1e-6
AT_ONCE = 4096  # windows whose differences are held at once


def nearly_equal(prices: np.ndarray) -> list[tuple[int, int]]:
    """Pairs (a, b) of windows [n, K, 4] whose prices differ by a constant and at most a tick, or one hundredth of their range.

    Windows that hardly move are in no pair.
    """
    n, length = prices.shape[:2]
    if n < 2:
        return []
    close = prices[:, :, 3]
    tick = _ticks(prices)
    extent = np.ptp(close, axis=1)
    moving = (extent >= LEAST_RANGE_TICKS * tick) & ((np.diff(close, axis=1) != 0).sum(1) >= length // 4)
    # By their extents, which differ by at most twice the noise: few others are then looked at, however many windows there are.
    order = np.flatnonzero(moving)[np.argsort(extent[moving], kind="stable")]
    extent, tick, close = extent[order], tick[order], close[order]
    noise = np.maximum(TICK_NOISE * tick, RANGE_FRAC * extent)
    level = close - np.median(close, axis=1, keepdims=True)
    means = np.stack([part.mean(1) for part in np.array_split(level, BLOCKS, axis=1)])
    largest = np.maximum(extent / (1 - 2 * RANGE_FRAC), extent + 2 * TICK_NOISE * tick.max(initial=0.0))
    stops = np.searchsorted(extent, largest * (1 + ROUNDING), side="right")
    pairs = []
    for place, stop in enumerate(stops):
        others = np.arange(place + 1, stop)
        # Each of two windows' own median may be off by its noise.
        allowed = 4 * np.maximum(noise[place], noise[place + 1 : stop])
        for block in means:
            near = np.abs(block[others] - block[place]) <= allowed
            others, allowed = others[near], allowed[near]
        for other in others:
            a, b = sorted((int(order[place]), int(order[other])))
            gap = prices[a] - prices[b]
            if np.abs(gap - np.median(gap)).max() <= max(noise[place], noise[other]):
                pairs.append((a, b))
    return sorted(pairs)


def _ticks(prices: np.ndarray) -> np.ndarray:
    """Of each window [K, 4] the smallest difference of prices within a bar that is more than rounding; 0 where there is none."""
    ticks = np.empty(len(prices))
    for first in range(0, len(prices), AT_ONCE):
        some = prices[first : first + AT_ONCE]
        size = np.abs(some[:, :, :3] - some[:, :, 3:])
        is_real = size > ROUNDING * np.abs(some).max(axis=(1, 2), keepdims=True)
        least = np.where(is_real, size, np.inf).min(axis=(1, 2))
        ticks[first : first + AT_ONCE] = np.where(np.isfinite(least), least, 0.0)
    return ticks
