"""Finding windows in bars, and bars that windows share, by their prices alone."""

from __future__ import annotations

import numpy as np

KEY_BARS = 6
SHARED_BARS = 2
_PRIME = np.uint64(1099511628211)


def find(prices: np.ndarray, ohlc: np.ndarray) -> np.ndarray:
    """The bar number at which each window [n, K, 4] starts in `ohlc` [m, 4]; -1 where it does not occur.

    Compares differences of prices, so a constant shift of the bars does not matter. The first of several places is taken.
    """
    n, length = prices.shape[:2]
    if len(ohlc) < length:
        return np.full(n, -1, np.int64)
    keys = _rolling(_shape_hash(ohlc), KEY_BARS)[: len(ohlc) - length + 1]
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    position = np.full(n, -1, np.int64)
    for i, window in enumerate(prices):
        key = _rolling(_shape_hash(window[:KEY_BARS]), KEY_BARS)[0]
        low, high = np.searchsorted(ordered, key, "left"), np.searchsorted(ordered, key, "right")
        shape = window - window[0, 3]
        for start in order[low:high]:
            piece = ohlc[start : start + length]
            if np.allclose(piece - piece[0, 3], shape, rtol=0, atol=1e-5):
                position[i] = start
                break
    return position


def overlaps(prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Series [n] and first bar [n] of windows [n, K, 4], from runs of equal bars: windows of a series overlap or chain."""
    n, length = prices.shape[:2]
    bars = np.ascontiguousarray(prices).reshape(n * length, 4)
    per_bar = _mix(bars.view(np.uint64))
    keys = np.stack([_rolling(row, SHARED_BARS) for row in per_bar.reshape(n, length)])
    order = np.argsort(keys.ravel(), kind="stable")
    ordered = keys.ravel()[order]
    same = np.flatnonzero(ordered[1:] == ordered[:-1])
    width = keys.shape[1]
    links = {
        (int(a // width), int(b // width), int(a % width - b % width))
        for a, b in zip(order[same], order[same + 1], strict=True)
    }
    return _place(n, [link for link in links if link[0] != link[1] and _agree(prices, *link)])


def _agree(prices: np.ndarray, a: int, b: int, shift: int) -> bool:
    """Whether windows a and b have equal bars wherever they overlap when b starts `shift` bars after a."""
    length = prices.shape[1]
    left, right = (
        (prices[a, shift:], prices[b, : length - shift])
        if shift >= 0
        else (prices[a, : length + shift], prices[b, -shift:])
    )
    return np.array_equal(left, right)


def _place(n: int, links: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Connected windows as series, each window's first bar relative to the series' earliest."""
    neighbours: dict[int, list[tuple[int, int]]] = {i: [] for i in range(n)}
    for a, b, shift in links:
        neighbours[a].append((b, shift))
        neighbours[b].append((a, -shift))
    series, first = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    for root in range(n):
        if series[root] >= 0:
            continue
        series[root], stack = root, [root]
        while stack:
            a = stack.pop()
            for b, shift in neighbours[a]:
                if series[b] < 0:
                    series[b], first[b] = root, first[a] + shift
                    stack.append(b)
        members = series == root
        first[members] -= first[members].min()
    return series, first


def _shape_hash(ohlc: np.ndarray) -> np.ndarray:
    """A hash of each bar's open, high and low less its close."""
    shape = np.round((ohlc[:, :3] - ohlc[:, 3:]) * 1e4).astype(np.int64)
    return _mix(shape.view(np.uint64))


def _mix(values: np.ndarray) -> np.ndarray:
    mixed = np.full(len(values), 14695981039346656037, np.uint64)
    for column in values.T:
        mixed = (mixed ^ (column ^ (column >> np.uint64(29)))) * _PRIME
        mixed ^= mixed >> np.uint64(32)
    return mixed


def _rolling(hashes: np.ndarray, count: int) -> np.ndarray:
    """Hash of each run of `count` consecutive bars."""
    runs = np.zeros(len(hashes) - count + 1, np.uint64)
    for i in range(count):
        runs = runs * _PRIME + hashes[i : len(hashes) - count + 1 + i]
    return runs
