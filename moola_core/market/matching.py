"""Finding windows in bars, and bars that windows share, by their prices alone."""

from __future__ import annotations

import numpy as np

from moola_core.market.nearness import nearly_equal

LONGEST_RUN = 64
SHARED_BARS = 2  # equal bars in a row from which windows are taken to share them
SHIFTED_BARS = 16  # and equal moves in a row, where prices are equal only up to a constant
MOVING_BARS = 8  # of these, so many closes must change: quiet bars look alike everywhere
# Prices are multiples of the tick, so quotients lie on a coarse grid: this keeps them off the rounding edges.
_OFF_EDGE = 0.363
SCALED_TOLERANCE = 1e-6
_PRIME = np.uint64(1099511628211)


def find(prices: np.ndarray, ohlc: np.ndarray) -> np.ndarray:
    """The bar number at which each window [n, K, 4] starts in `ohlc` [m, 4]; -1 where it does not occur.

    Compares differences of prices, so a constant shift of the bars does not matter. The first of several places is taken.
    """
    n, length = prices.shape[:2]
    position = np.full(n, -1, np.int64)
    if not n or len(ohlc) < length:
        return position
    tick = _tick(prices)
    run = 1 << (min(length, LONGEST_RUN).bit_length() - 1)
    keys = _run_hash(_shape_hash(ohlc, tick), run)[: len(ohlc) - length + 1]
    wanted, which = np.unique(
        [_run_hash(_shape_hash(window[:run], tick), run)[0] for window in prices], return_inverse=True
    )
    place = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
    starts = np.flatnonzero(wanted[place] == keys)
    starts = starts[np.argsort(place[starts], kind="stable")]
    edges = np.searchsorted(place[starts], np.arange(len(wanted) + 1))
    for i, key in enumerate(which):
        position[i] = _first_match(prices[i], ohlc, starts[edges[key] : edges[key + 1]], 0.1 * tick)
    return position


def find_scaled(prices: np.ndarray, ohlc: np.ndarray) -> np.ndarray:
    """The bar number at which each window [n, K, 4] starts in `ohlc` [m, 4] but for a factor of its own; -1 where it does not occur."""
    n, length = prices.shape[:2]
    position = np.full(n, -1, np.int64)
    starts = len(ohlc) - length + 1
    if starts < 1 or not np.isfinite(prices).all():
        return position
    for i, window in enumerate(prices):
        if window[0, 3] <= 0 or (window[:, 3] == window[0, 3]).all():
            continue
        shape = window / window[0, 3]
        places = np.arange(starts)
        for row in (1, 2, length // 2, length - 1):  # each leaves few of many
            away = np.abs(ohlc[places + row] / ohlc[places, 3:] - shape[row]).max(axis=1)
            places = places[away <= SCALED_TOLERANCE]
        for place in places:
            if np.abs(ohlc[place : place + length] / ohlc[place, 3] - shape).max() <= SCALED_TOLERANCE:
                position[i] = place
                break
    return position


def _first_match(window: np.ndarray, ohlc: np.ndarray, starts: np.ndarray, tolerance: float) -> int:
    """The first of `starts` at which the bars have the window's shape [K, 4], or -1."""
    shape = window - window[0, 3]
    for row in (len(window) - 1, len(window) // 2):  # flat markets offer many starts: most end here, all at once
        away = np.abs(ohlc[starts + row] - ohlc[starts, 3:] - shape[row]).max(axis=1, initial=0)
        starts = starts[away <= tolerance]
    for start in starts:
        piece = ohlc[start : start + len(window)]
        if np.abs(piece - piece[0, 3] - shape).max() <= tolerance:
            return int(start)
    return -1


def _tick(prices: np.ndarray) -> float:
    """The smallest difference of prices within a bar that is more than the noise of single precision."""
    size = np.abs(prices[..., :3] - prices[..., 3:])
    real = size[size > 1e-6 * np.abs(prices).max()]
    return float(real.min()) if len(real) else 1.0


def overlaps(prices: np.ndarray, least_moving: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Series [n] and first bar [n] of windows [n, K, 4], from their prices: windows of a series overlap or chain.

    Windows overlap where two bars or more in a row are equal, or 16 moves or more in a row, which a constant added to the prices does not
    change, and nothing in the overlap contradicts it. least_moving: of equal bars so many must have a range. Windows that are equal but for
    a constant, or nearly so, lie at the same bar.
    """
    if not len(prices):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    distinct, which = np.unique(same(prices), return_inverse=True)
    kinds = prices[distinct]
    links = [link for link in _equal_bars(kinds) if _moving(kinds, *link) >= least_moving]
    copies = [(a, b, 0) for a, b in nearly_equal(kinds)]
    series, first = _place(len(kinds), links + _equal_moves(kinds) + copies)
    return series[which], first[which]


def same(prices: np.ndarray) -> np.ndarray:
    """For each window [n, K, 4] the number [n] of the first one that has the same prices, but for a constant that is added to all of them."""
    steps = np.floor((prices - prices[:, :1, 3:]) / _tick(prices) + _OFF_EDGE).reshape(len(prices), -1)
    _, first, which = np.unique(steps, axis=0, return_index=True, return_inverse=True)
    return first[which.reshape(-1)]


def _equal_bars(prices: np.ndarray) -> list[tuple[int, int, int]]:
    """Pairs (a, b, shift) of windows with equal bars, b starting `shift` bars after a."""
    n, length = prices.shape[:2]
    per_bar = _mix(np.ascontiguousarray(prices).reshape(n * length, 4).view(np.uint64)).reshape(n, length)
    keys = np.stack([_run_hash(row, SHARED_BARS) for row in per_bar])
    candidates = _candidates(keys, np.ones(keys.shape, bool))
    return [link for link in candidates if np.array_equal(*_parts(prices, *link))]


def _equal_moves(prices: np.ndarray) -> list[tuple[int, int, int]]:
    """Pairs of windows whose prices differ by a constant where they overlap."""
    n, length = prices.shape[:2]
    run, tick = min(SHIFTED_BARS, 1 << ((length - 1).bit_length() - 1)), _tick(prices)
    moves = (
        prices[:, 1:] - prices[:, :-1, 3:]
    )  # of a bar's four prices from the close before: no constant is left in them
    steps = np.floor(moves / tick + _OFF_EDGE).astype(np.int64)
    per_bar = _mix(steps.reshape(-1, 4).view(np.uint64)).reshape(n, length - 1)
    keys = np.stack([_run_hash(row, run) for row in per_bar])
    changes = np.cumsum(np.pad(steps[:, :, 3] != 0, ((0, 0), (1, 0))), axis=1)
    moving = changes[:, run:] - changes[:, :-run]
    links = []
    for link in _candidates(keys, moving >= run * MOVING_BARS // SHIFTED_BARS):
        left, right = _parts(prices, *link)
        if np.abs((left - left[0, 3]) - (right - right[0, 3])).max() <= 0.1 * tick:
            links.append(link)
    return links


def _candidates(keys: np.ndarray, counts: np.ndarray) -> list[tuple[int, int, int]]:
    """Pairs (a, b, shift) of windows that have a key [n, runs] in common, of those that count."""
    places = np.flatnonzero(counts.ravel())
    places = places[np.argsort(keys.ravel()[places], kind="stable")]
    ordered = keys.ravel()[places]
    equal = np.flatnonzero(ordered[1:] == ordered[:-1])
    (a, at), (b, also_at) = (np.divmod(places[side], keys.shape[1]) for side in (equal, equal + 1))
    links = np.unique(np.stack([a, b, at - also_at], axis=1)[a != b], axis=0)
    return [(a, b, shift) for a, b, shift in links.tolist()]


def _parts(prices: np.ndarray, a: int, b: int, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """The bars of windows a and b in which they overlap when b starts `shift` bars after a."""
    length = prices.shape[1] - abs(shift)
    return prices[a, max(shift, 0) :][:length], prices[b, max(-shift, 0) :][:length]


def _moving(prices: np.ndarray, a: int, b: int, shift: int) -> int:
    """How many bars of the overlap have a range."""
    part, _ = _parts(prices, a, b, shift)
    return int((part[:, 1] > part[:, 2]).sum())


def interval_s(prices: np.ndarray, start_time: np.ndarray) -> float | None:
    """Seconds between bars, from windows that share bars and know when they start; None when none do."""
    series, first = overlaps(prices)
    order = np.lexsort((first, series))
    bars = np.diff(first[order])
    seconds = np.diff(start_time[order]).astype("timedelta64[ns]").astype(float) / 1e9
    shared = (np.diff(series[order]) == 0) & (bars > 0) & (seconds > 0)
    # A break between two starts makes its quotient too large, never too small.
    return float((seconds[shared] / bars[shared]).min()) if shared.any() else None


def along_time(prices: np.ndarray, start_time: np.ndarray, series: np.ndarray, interval_s: float) -> np.ndarray:
    """First bar [n] of windows by their start times [n], within each `series` [n].

    Time runs on while the market is closed, bars do not: from one window to the next the count of bars is taken from the
    bars that they share, and from the clock only where they share none.
    """
    group, shared = overlaps(prices)
    order = np.lexsort((start_time, series))
    clock = np.diff(start_time[order]).astype("timedelta64[ns]").astype(float) / 1e9 / interval_s
    linked = (np.diff(group[order]) == 0) & (np.diff(shared[order]) > 0)  # 0: a copy, whose time may be wrong
    steps = np.where(linked, np.diff(shared[order]), clock.round().astype(np.int64))
    steps[np.diff(series[order]) != 0] = 0
    first = np.empty(len(order), np.int64)
    first[order] = np.r_[0, np.cumsum(steps)]
    return first


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


def _shape_hash(ohlc: np.ndarray, tick: float) -> np.ndarray:
    """A hash of each bar's open, high and low less its close, in ticks."""
    shape = np.floor((ohlc[:, :3] - ohlc[:, 3:]) / tick + _OFF_EDGE).astype(np.int64)
    return _mix(shape.view(np.uint64))


def _mix(values: np.ndarray) -> np.ndarray:
    mixed = np.full(len(values), 14695981039346656037, np.uint64)
    for column in values.T:
        mixed = (mixed ^ (column ^ (column >> np.uint64(29)))) * _PRIME
        mixed ^= mixed >> np.uint64(32)
    return mixed


def _run_hash(hashes: np.ndarray, count: int) -> np.ndarray:
    """Hash of each run of `count` (a power of two) consecutive bars."""
    factor = _PRIME
    width = 1
    while width < count:
        hashes = hashes[:-width] * factor + hashes[width:]
        with np.errstate(over="ignore"):
            factor = factor * factor
        width *= 2
    return hashes
