"""Bars in random order hold the same bars, keep kinds apart, and have lost what depends on order."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.market.bars import bars_from_arrays
from moola_core.market.surrogates import shuffled


def market(count: int = 4000):
    """Moves that follow each other and come in quiet and loud stretches, with a gap whose jump is large."""
    rng = np.random.default_rng(1)
    size = np.where(np.arange(count) // 200 % 2, 3.0, 0.5)
    step = np.zeros(count)
    for i in range(1, count):
        step[i] = 0.6 * step[i - 1] + size[i] * rng.normal()
    close = 15000 + np.cumsum(step)
    close[count // 2 :] += 700
    opened = np.r_[close[0], close[:-1]]
    opened[count // 2] = close[count // 2] - 1
    high, low = (
        np.maximum(opened, close) + rng.exponential(1, count),
        np.minimum(opened, close) - rng.exponential(1, count),
    )
    minute = np.arange(count) + 500 * (np.arange(count) >= count // 2)
    time = np.datetime64("2024-01-02T00:00", "ns") + minute * np.timedelta64(60, "s")
    return bars_from_arrays(time, np.stack([opened, high, low, close], axis=1))


def relative(bars, breaks=()):
    before = np.r_[bars.ohlc[0, 0], bars.ohlc[:-1, 3]]
    before[list(breaks)] = bars.ohlc[list(breaks), 0]
    return bars.ohlc / before[:, None]


@pytest.fixture(scope="module")
def pair():
    bars = market()
    kind = (np.arange(len(bars)) > 3000).astype(int)
    return bars, shuffled(bars, kind, np.random.default_rng(5)), kind


def test_the_same_bars_of_each_kind_come_in_another_order(pair):
    bars, mixed, kind = pair
    ours, theirs = relative(bars, bars.breaks), relative(mixed)
    for one in (0, 1):
        a, b = (np.sort(part[kind == one], axis=0) for part in (ours, theirs))
        np.testing.assert_allclose(a, b, rtol=1e-9)
    assert np.mean(np.isclose(ours[:, 3], theirs[:, 3], rtol=1e-10, atol=0)) < 0.05
    again = shuffled(bars, kind, np.random.default_rng(5))
    assert np.array_equal(mixed.ohlc, again.ohlc) and mixed.content_hash != bars.content_hash
    assert not np.array_equal(mixed.ohlc, shuffled(bars, kind, np.random.default_rng(6)).ohlc)


def test_every_bar_is_a_bar_and_none_jumps_where_there_was_a_gap(pair):
    bars, mixed, _ = pair
    opened, high, low, close = mixed.ohlc.T
    assert (
        (low > 0).all()
        and (high >= np.maximum(opened, close) - 1e-9).all()
        and (low <= np.minimum(opened, close) + 1e-9).all()
    )
    assert np.abs(opened[1:] - close[:-1]).max() < 60 < np.abs(bars.ohlc[1:, 0] - bars.ohlc[:-1, 3]).max()


def test_nothing_depends_on_what_came_before(pair):
    def after(values):
        return abs(np.corrcoef(values[1:], values[:-1])[0, 1])

    for bars, floor, ceiling in ((pair[0], 0.3, 1.0), (pair[1], 0.0, 0.06)):
        moves = np.log(relative(bars, bars.breaks)[:3000, 3])
        assert floor <= after(moves) <= ceiling and floor <= after(np.abs(moves)) <= ceiling
