"""What the bars before, in and after a span look like: what the class is read from.

The bars are oriented, so that the move through the span goes up, and scaled by the window's mean range. Where a window has fewer than
two bars in a stretch, its statistics are missing (nan).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from moola_core.estimators.spans.units import LEAST_RANGE, in_mean_ranges

SCALES_BARS = (5, 10, 20, 30, 45, 60)
# Stretches before the span: they begin and end so many bars before it.
PIECES_BARS = (
    (60, 45),
    (50, 35),
    (45, 30),
    (40, 25),
    (35, 20),
    (30, 15),
    (25, 10),
    (15, 5),
    (20, 0),
    (30, 0),
    (40, 20),
    (60, 30),
)
LEAST_MOVE = 0.5
MOVE, BEFORE, AFTER, BACK = GROUPS = ("move, place and length", "bars before", "bars after", "given back and gone on")


def group_numbers(window_bars: int) -> np.ndarray:
    """The number of the group in `GROUPS` of each statistic, shape (D,)."""
    bars, first = np.ones((1, window_bars, 4)), np.zeros(1, int)
    return np.concatenate([[GROUPS.index(group)] * len(columns) for group, columns in _all(bars, first, first)])


def shape_statistics(prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Statistics of one span in each window.

    Parameters
    ----------
    prices : ndarray, shape (n, K, 4)
        Open, high, low, close.
    start, end : ndarray of int, shape (n,)
        First and last bar of the span.

    Returns
    -------
    ndarray of float32, shape (n, D)
    """
    columns = [column for _, part in _all(prices, start, end) for column in part]
    return np.stack(columns, axis=1).astype(np.float32)


def _all(prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Statistics [n] each, with the group that they belong to."""
    opened, high, low, close = _oriented(prices, start, end)
    rows = np.arange(len(prices))
    bars = prices.shape[1]
    first, last = opened[rows, start], close[rows, end]
    move = last - first
    yield MOVE, [move, end - start, move / np.sqrt(end - start + 1), (start + end) / 2 / bars]
    series = (opened, high, low, close)
    size = np.maximum(move, LEAST_MOVE)
    for k in SCALES_BARS:
        yield BEFORE, _stretch(series, np.maximum(0, start - k), start, first, k)
        after = _stretch(series, end + 1, np.minimum(bars, end + 1 + k), last, k)
        yield AFTER, after
        yield BACK, [-after[3] / size, after[2] / size]  # as shares of the move
    for a, z in PIECES_BARS:
        yield BEFORE, _piece(series, np.maximum(0, start - a), start - z)


def _oriented(prices: np.ndarray, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, ...]:
    """Open, high, low, close [n, K] each, scaled, with the move through the span upwards."""
    opened, high, low, close = in_mean_ranges(prices)
    rows = np.arange(len(prices))
    down = (close[rows, end] < opened[rows, start])[:, None]
    return (
        np.where(down, -opened, opened),
        np.where(down, -low, high),
        np.where(down, -high, low),
        np.where(down, -close, close),
    )


def _stretch(
    series: tuple[np.ndarray, ...], a: np.ndarray, z: np.ndarray, reference: np.ndarray, most: int
) -> list[np.ndarray]:
    """Nine statistics [n] of bars a to z - 1, at most `most` of them, about a reference price [n]."""
    bars = series[0].shape[1]
    at = np.minimum(a[:, None] + np.arange(most), bars - 1)
    has = np.arange(most) < (z - a)[:, None]
    opened, high, low, close = (np.take_along_axis(one, at, 1) for one in series)
    n = (z - a).astype(float)
    few = n < 2
    n[few] = 2
    top = np.where(has, high, -np.inf).max(1) - reference
    bottom = np.where(has, low, np.inf).min(1) - reference
    ranges = np.where(has, high - low, 0).sum(1)
    path = np.where(has, np.abs(close - opened), 0).sum(1)
    final = np.take_along_axis(close, np.maximum(z - a - 1, 0)[:, None], 1)[:, 0]
    net = final - opened[:, 0]
    mean = np.where(has, close, 0).sum(1) / n
    spread = np.sqrt(np.where(has, (close - mean[:, None]) ** 2, 0).sum(1) / n)
    root = np.sqrt(n)
    values = [
        net / root,
        (top - bottom) / root,
        top,
        bottom,
        np.log(ranges / n + LEAST_RANGE),
        net / (path + 1e-3),
        spread,
        mean - reference,
        (top - bottom) / (ranges + 1e-3),
    ]
    return [np.where(few, np.nan, value) for value in values]


def _piece(series: tuple[np.ndarray, ...], a: np.ndarray, z: np.ndarray) -> list[np.ndarray]:
    """Move per root bar, and logarithm of the mean range, of bars a to z - 1."""
    opened, high, low, close = series
    rows, few = np.arange(len(a)), z - a < 2
    last = np.maximum(z, 1)
    n = np.where(few, 2, z - a)
    running = np.concatenate([np.zeros((len(a), 1)), (high - low).cumsum(1)], axis=1)
    mean = (running[rows, last] - running[rows, a]) / n
    move = (close[rows, last - 1] - opened[rows, a]) / np.sqrt(n)
    return [np.where(few, np.nan, move), np.where(few, np.nan, np.log(np.maximum(mean, 0) + LEAST_RANGE))]
