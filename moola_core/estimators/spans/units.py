"""Prices in units of the window's own mean range: what the span model reads does not depend on how a market is quoted."""

from __future__ import annotations

import numpy as np

LEAST_RANGE = 0.05  # below it the logarithm of a range says nothing


def in_mean_ranges(prices: np.ndarray) -> tuple[np.ndarray, ...]:
    """Open, high, low, close [n, K] each, of prices [n, K, 4] less the window's first open."""
    unit = (prices[:, :, 1] - prices[:, :, 2]).mean(1)
    unit = np.where(unit > 0, unit, np.maximum(np.abs(prices[:, :, 3]).mean(1) * 1e-4, 1e-12))  # bars without range
    return tuple(np.moveaxis((prices - prices[:, :1, :1]) / unit[:, None, None], 2, 0))
