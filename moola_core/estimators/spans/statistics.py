"""What the bars in and around a span look like: the terms of the span model's score.

Everything is oriented by the move through the span and scaled by the window's mean range, so that a window turned upside down or
quoted in another unit has the same statistics.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from moola_core.estimators.spans.units import LEAST_RANGE, in_mean_ranges
from moola_core.spans.candidates import Candidates
from moola_core.spans.drift import move_through, per_root_bar

NOISE_BARS = 30
RANGE_BARS = (5, 10, 20, 40)
EDGE_BARS = (1, 2, 3)
MOVE_BARS = (3, 5, 10, 20, 40)
CHANNEL_BARS = (10, 20, 40)
PLACE_BARS = 10

# What the statistics describe, by their names without the numbers of bars.
GROUPS: dict[str, tuple[str, ...]] = {
    "move through it": (
        "move_per_root_bar",
        "move",
        "move_per_bar",
        "share_of_largest",
        "log_rank",
        "move_to_noise",
        "efficiency",
        "bars_with_move",
    ),
    "range inside": ("range_in", "rank_of_largest_range"),
    "ranges before": ("range_before",),
    "ranges after": ("range_after",),
    "bodies at the edges": ("body_first", "body_last", "body_before", "body_after"),
    "moves before and after": ("move_before", "move_after"),
    "channel and pullbacks": ("breakout", "start_in_channel", "channel_width", "given_back", "gone_on"),
    "place and length": ("center_near", "length", "length_near"),
}


def names(candidates: Candidates, general: bool) -> tuple[str, ...]:
    """The statistics in the order of `span_statistics`."""
    bars = np.ones((1, candidates.window_bars, 4))
    return tuple(name for name, _ in _all(_Scaled(bars), candidates, general))


def group_numbers(candidates: Candidates, general: bool) -> np.ndarray:
    """The number of the group in `GROUPS` of each statistic, shape (D,)."""
    number = {name: i for i, own in enumerate(GROUPS.values()) for name in own}
    return np.array([number[name.rstrip("0123456789").rstrip("_")] for name in names(candidates, general)])


def span_statistics(prices: np.ndarray, candidates: Candidates, general: bool = False) -> np.ndarray:
    """The statistics of every candidate span in every window.

    Parameters
    ----------
    prices : ndarray, shape (n, K, 4)
        Open, high, low, close.
    candidates : Candidates
        S spans of windows of K bars.
    general : bool, default False
        With the extremes of the channel before the span, the pullbacks in it and after it, and the rank of its largest true range.

    Returns
    -------
    ndarray of float32, shape (n, S, D)
    """
    n, spans = len(prices), len(candidates)
    columns = list(_all(_Scaled(prices), candidates, general))
    described = np.empty((n, spans, len(columns)), np.float32)
    for i, (_, values) in enumerate(columns):
        described[:, :, i] = values
    return described


class _Scaled:
    """Prices in units of the window's mean range, and running sums of what spans are made of."""

    def __init__(self, prices: np.ndarray) -> None:
        self.open, self.high, self.low, self.close = in_mean_ranges(prices)
        self.range, self.body = self.high - self.low, self.close - self.open
        self.n, self.bars = self.close.shape
        self.sum_range, self.sum_abs = self._running(self.range), self._running(np.abs(self.body))
        self.sum_square = self._running(self.body**2)
        self.sum_up = self._running((self.body > 0) + 0.5 * (self.body == 0))

    def _running(self, values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.zeros((self.n, 1)), values.cumsum(1)], axis=1)

    def mean(self, running: np.ndarray, a: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Mean over bars a to z - 1, shape (n, S); of the bars that the window has."""
        a, z = np.clip(a, 0, self.bars), np.clip(z, 0, self.bars)
        return (running[:, z] - running[:, a]) / np.maximum(z - a, 1)

    def at(self, values: np.ndarray, bar: np.ndarray) -> np.ndarray:
        """The values at these bars, shape (n, S); at the nearest bar where the window has none there."""
        return values[:, np.clip(bar, 0, self.bars - 1)]


def _all(scaled: _Scaled, spans: Candidates, general: bool) -> Iterator[tuple[str, np.ndarray]]:
    s, e = spans.start, spans.end
    move = move_through(scaled.open, scaled.close, spans)
    sign = np.where(move >= 0, 1.0, -1.0)
    z = per_root_bar(move, spans)
    yield from _through(scaled, spans, move, sign, z)
    yield from _around(scaled, s, e, sign)
    if general:
        yield from _channel(scaled, s, e, sign, np.abs(move))
    yield from _places(spans)


def _through(
    scaled: _Scaled, spans: Candidates, move: np.ndarray, sign: np.ndarray, z: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """The move through the span, alone and next to the noise, and the window's other moves."""
    s, e, d = spans.start, spans.end, np.maximum(spans.length, 1).astype(float)
    square = scaled.mean(scaled.sum_square, s - NOISE_BARS, s) + scaled.mean(
        scaled.sum_square, e + 1, e + 1 + NOISE_BARS
    )
    up = scaled.mean(scaled.sum_up, s, e + 1)
    yield "move_per_root_bar", z
    yield "move", np.abs(move)
    yield "move_per_bar", np.abs(move) / (d + 1)
    yield "share_of_largest", z / np.maximum(z.max(1, keepdims=True), 1e-9)
    yield "log_rank", np.log1p((-z).argsort(1).argsort(1))
    yield "move_to_noise", z / np.sqrt(np.maximum(square / 2, 1e-3))
    yield "efficiency", np.abs(move) / np.maximum((d + 1) * scaled.mean(scaled.sum_abs, s, e + 1), 1e-6)
    yield "bars_with_move", np.where(sign > 0, up, 1 - up)
    yield "range_in", scaled.mean(scaled.sum_range, s, e + 1)


def _around(scaled: _Scaled, s: np.ndarray, e: np.ndarray, sign: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Ranges, bodies and moves before and after the span."""
    for k in RANGE_BARS:
        before, after = scaled.mean(scaled.sum_range, s - k, s), scaled.mean(scaled.sum_range, e + 1, e + 1 + k)
        yield f"range_before_{k}", np.log(np.maximum(before, LEAST_RANGE))
        yield f"range_after_{k}", np.log(np.maximum(after, LEAST_RANGE))
    for k in EDGE_BARS:
        yield f"body_first_{k}", sign * scaled.at(scaled.body, s + k - 1)
        yield f"body_last_{k}", sign * scaled.at(scaled.body, e - k + 1)
        yield f"body_before_{k}", sign * scaled.at(scaled.body, s - k)
        yield f"body_after_{k}", sign * scaled.at(scaled.body, e + k)
    for k in MOVE_BARS:
        yield f"move_before_{k}", sign * (scaled.open[:, s] - scaled.at(scaled.open, s - k)) / np.sqrt(k)
        yield f"move_after_{k}", sign * (scaled.at(scaled.close, e + k) - scaled.close[:, e]) / np.sqrt(k)


def _channel(
    scaled: _Scaled, s: np.ndarray, e: np.ndarray, sign: np.ndarray, size: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """How far the span leaves the channel of the bars before it, and the pullbacks in it and after it."""
    end = np.where(sign > 0, scaled.close[:, e], -scaled.close[:, e])
    begin = np.where(sign > 0, scaled.open[:, s], -scaled.open[:, s])
    for k in CHANNEL_BARS:
        top = np.where(sign > 0, _extreme(scaled.high, s, k), _extreme(-scaled.low, s, k))
        bottom = np.where(sign > 0, -_extreme(-scaled.low, s, k), -_extreme(scaled.high, s, k))
        width = np.log(np.maximum(top - bottom, LEAST_RANGE))
        yield f"breakout_{k}", np.clip(end - top, -10, 10)
        yield f"start_in_channel_{k}", np.clip((begin - bottom) / np.maximum(top - bottom, LEAST_RANGE), -1, 2)
        yield f"channel_width_{k}", width
    for k in (5, 15):
        back = np.where(sign > 0, -_extreme_after(-scaled.low, e, k), -_extreme_after(scaled.high, e, k))
        yield f"given_back_{k}", np.clip((end - back) / np.maximum(size, 0.5), -1, 3)
        on = np.where(sign > 0, _extreme_after(scaled.high, e, k), _extreme_after(-scaled.low, e, k))
        yield f"gone_on_{k}", np.clip((on - end) / np.maximum(size, 0.5), -1, 3)
    largest = np.sort(scaled.range, axis=1)
    biggest = np.maximum.reduce([scaled.at(scaled.range, np.minimum(s + k, e)) for k in range(int((e - s).max()) + 1)])
    rank = np.stack([np.searchsorted(row, own) for row, own in zip(largest, biggest, strict=True)])
    yield "rank_of_largest_range", rank / scaled.bars


def _extreme(values: np.ndarray, bar: np.ndarray, k: int) -> np.ndarray:
    """The largest value of the k bars before `bar`, shape (n, S)."""
    padded = np.pad(values, ((0, 0), (k, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, k, axis=1).max(2)[:, bar]


def _extreme_after(values: np.ndarray, bar: np.ndarray, k: int) -> np.ndarray:
    """The largest value of the k bars after `bar`, shape (n, S)."""
    padded = np.pad(values, ((0, 0), (0, k + 1)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, k, axis=1).max(2)[:, bar + 1]


def _places(spans: Candidates) -> Iterator[tuple[str, np.ndarray]]:
    """Where in the window a span lies, and how long it is: the same in every window."""
    center = spans.twice_center / 2
    for c in range(PLACE_BARS // 2, spans.window_bars, PLACE_BARS):
        yield f"center_near_{c}", np.maximum(0, 1 - np.abs(center - c) / PLACE_BARS)
    lengths = np.unique(spans.length)
    if len(lengths) <= 12:
        for length in lengths:
            yield f"length_{length + 1}", spans.length == length
        return
    knots = np.linspace(lengths[0], lengths[-1], 8)
    for knot in knots:  # a basis of triangles, where lengths are too many for a term each
        yield f"length_near_{knot + 1:.0f}", np.maximum(0, 1 - np.abs(spans.length - knot) / (knots[1] - knots[0]))
