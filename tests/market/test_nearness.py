"""Windows that are nearly equal are found whatever constant and noise lies between them, share a fold, and are listed."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.market.nearness import nearly_equal
from moola_core.market.windows import overlap, windows_from_arrays

K, TICK = 60, 0.25


def walks(rng: np.random.Generator, n: int) -> np.ndarray:
    close = 4000 + TICK * rng.integers(-6, 7, (n, K)).cumsum(1)
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    high, low = np.maximum(opened, close) + TICK, np.minimum(opened, close) - TICK
    return np.stack([opened, high, low, close], axis=-1)


def noisy(window: np.ndarray, rng: np.random.Generator, how: str) -> np.ndarray:
    if how == "constant":
        return window + 13.37
    noise = rng.integers(-1, 2, window.shape) * TICK if how == "tick" else rng.normal(0, TICK / 4, window.shape)
    moved = window + noise + (100 if how == "tick and constant" else 0)
    moved[:, 1], moved[:, 2] = moved.max(1), moved.min(1)
    return moved


@pytest.mark.parametrize("how", ["constant", "tick", "small noise", "tick and constant"])
@pytest.mark.parametrize("seed", range(5))
def test_planted_copies_are_found_and_no_others(seed, how):
    rng = np.random.default_rng(seed)
    prices = walks(rng, 60)
    planted = sorted((i, i + 30) for i in rng.choice(30, 6, replace=False).tolist())
    for a, b in planted:
        prices[b] = noisy(prices[a], rng, how)
    assert nearly_equal(prices) == planted


@pytest.mark.parametrize("seed", range(4))
def test_the_pairs_are_those_that_comparing_each_with_each_finds(seed):
    """Windows of very different ranges and ticks, some of them copies of copies."""
    rng = np.random.default_rng(seed)
    prices = walks(rng, 80) * rng.uniform(0.1, 3, (80, 1, 1))
    for a, b in rng.integers(0, 80, (25, 2)):
        prices[b] = noisy(prices[a], rng, ("constant", "tick", "small noise")[rng.integers(3)])
    gaps = prices[:, None] - prices[None]
    apart = np.abs(gaps - np.median(gaps, axis=(2, 3), keepdims=True)).max((2, 3))
    within = [np.abs(window[:, :3] - window[:, 3:]) for window in prices]
    tick = np.array([one[one > 1e-6 * window.max()].min() for one, window in zip(within, prices, strict=True)])
    extent = np.ptp(prices[:, :, 3], axis=1)
    noise = np.maximum(1.01 * tick, 0.01 * extent)
    is_pair = (apart <= np.maximum.outer(noise, noise)) & np.logical_and.outer(*[extent >= 8 * tick] * 2)
    expected = [(a, b) for a, b in zip(*np.nonzero(is_pair), strict=True) if a < b]
    assert len(expected) >= 10 and nearly_equal(prices) == expected


def test_quiet_windows_are_no_copies_of_each_other():
    rng = np.random.default_rng(1)
    close = 100 + TICK * rng.integers(0, 2, (20, K))
    assert nearly_equal(np.stack([close, close + TICK, close - TICK, close], axis=-1)) == []


@pytest.mark.parametrize("timed", [True, False])
def test_copies_share_a_group_and_those_with_other_labels_are_listed_first(timed):
    rng = np.random.default_rng(2)
    prices = walks(rng, 20)
    prices[11], prices[12] = noisy(prices[1], rng, "tick"), noisy(prices[2], rng, "tick")
    label = np.array(["flat", "trend"] * 10)  # 1 and 11 have one label, 2 and 12 too
    label[12] = "trend"
    times = np.datetime64("2024-01-02", "ns") + np.arange(20) * np.timedelta64(1, "D")
    windows = windows_from_arrays(prices, label, **({"start_time": times} if timed else {}))
    (note,) = [note for note in windows.report.warnings if "nearly equal" in note]
    assert "2 pairs" in note and "1 of them with different labels" in note
    assert note.index("w0002 and w0012 (flat and trend)") < note.index("w0001 and w0011")
    group = overlap(windows).groups(5)
    assert group[1] == group[11] and group[2] == group[12] and len(set(group)) == 18


def test_classes_that_differ_by_a_letter_are_named_and_numbered_ones_are_not():
    prices = walks(np.random.default_rng(3), 9)
    label = ["retracement"] * 4 + ["consolidation"] * 4 + ["consolidaton"]
    (note,) = windows_from_arrays(prices, label).report.warnings
    assert "consolidation (4) and consolidaton (1) differ by one letter" in note
    assert "--class consolidaton=consolidation" in note
    assert windows_from_arrays(prices, ["class1", "class2", "class3"] * 3).report.warnings == ()
    assert windows_from_arrays(prices, ["up", "ups", "cat"] * 3).report.warnings == ()


def test_every_pair_is_found_that_comparing_all_with_all_finds():
    rng = np.random.default_rng(4)
    close = 15000 + np.cumsum(rng.integers(-4, 5, (60, 60)), axis=1)
    close[40:] = close[:20] + rng.normal(size=(20, 1)) * 10 + rng.integers(-1, 2, (20, 60)) * 0.125
    prices = np.stack([close, close + 0.5, close - 0.5, close], axis=-1)
    noise = [max(1.01 * 0.5, 0.01 * np.ptp(one)) for one in close]
    expected = [
        (a, b)
        for a in range(60)
        for b in range(a + 1, 60)
        if np.abs((gap := prices[a] - prices[b]) - np.median(gap)).max() <= max(noise[a], noise[b])
    ]
    assert nearly_equal(prices) == expected and len(expected) > 10
