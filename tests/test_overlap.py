"""Which windows share bars, against bars counted one by one, and what they do to a sum."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.overlap import Overlap

K = 105


def matrix(shared: Overlap) -> np.ndarray:
    """The share of bars that each two windows have in common [n, n], counted bar by bar; the larger one of two ways."""
    bars = [
        [{(w, s, b) for b in range(f, f + shared.window_bars)} for s, f in zip(series, first, strict=True)]
        for w, (series, first) in enumerate(shared.ways())
    ]
    n = range(shared.size)
    each = [[[len(way[i] & way[j]) for j in n] for i in n] for way in bars]
    return np.max(each, axis=0) / shared.window_bars


def layouts() -> dict[str, Overlap]:
    rng = np.random.default_rng(0)
    ways = np.stack([rng.integers(0, 3, 30), np.arange(30) // 2], axis=1)
    return {
        "apart": Overlap(np.zeros(30, int), 200 * np.arange(30), K),
        "chain": Overlap(np.zeros(30, int), 84 * np.arange(30)[::-1], K),
        "copies": Overlap(rng.integers(0, 2, 30), 40 * rng.integers(0, 20, 30), K),
        "two ways": Overlap(ways, 30 * rng.integers(0, 40, (30, 2)), K),
        "groups": Overlap.of_groups(np.arange(30) // 4),
    }


@pytest.mark.parametrize("name", layouts())
def test_shares_and_what_follows_from_them_are_those_of_counted_bars(name):
    shared = layouts()[name]
    weight = matrix(shared)
    i, j, share = shared.pairs
    ours = np.eye(30)
    ours[i, j] = ours[j, i] = share
    np.testing.assert_allclose(ours, weight)
    assert (i < j).all() and len(set(zip(i.tolist(), j.tolist(), strict=True))) == len(i)
    assert shared.independent == pytest.approx(30**2 / weight.sum())
    off = np.random.default_rng(1).normal(size=30)
    off -= off.mean()
    centring = np.eye(30) - 1 / 30
    unbiased = weight.sum() / np.trace(weight @ centring @ weight @ centring)
    assert shared.variance(off) == pytest.approx(max(off @ weight @ off, 0) * unbiased)
    some = np.random.default_rng(2).permutation(30)[:12]
    part = shared.rows(some)
    np.testing.assert_allclose(matrix(part), weight[np.ix_(some, some)])
    assert part.joined(3).independent == pytest.approx(15**2 / (matrix(part).sum() + 3))


@pytest.mark.parametrize("name", ["apart", "chain", "copies", "groups"])
def test_the_variance_of_a_sum_is_right_on_average(name):
    shared = layouts()[name]
    drawn = shared.noise(20_000, np.random.default_rng(3))
    np.testing.assert_allclose(np.corrcoef(drawn.T), matrix(shared), atol=0.04)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    measured = np.mean([shared.variance(row - row.mean()) for row in drawn[:4000]])
    assert measured == pytest.approx(drawn.sum(1).var(), rel=0.08)


def test_windows_are_looked_up_by_name_and_unknown_ones_share_nothing():
    shared = Overlap(np.zeros(3, int), np.array([0, 84, 1000]), K, ["a", "b", "c"])
    assert shared.of(["b", "c", "a"]).pairs[2].tolist() == pytest.approx([0.2])
    assert shared.of(["a", "b", "x"]).independent == 3
