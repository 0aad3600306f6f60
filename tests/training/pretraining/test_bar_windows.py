from __future__ import annotations

import numpy as np
import pytest

from moola_core.features.matrix import bar_matrix, price_path
from moola_core.features.relativity import relativity
from moola_core.market.bars import bars_from_arrays
from moola_core.specs import Features
from moola_core.training.pretraining.bar_windows import SCALE_WINDOWS, BarWindows
from tests.training.pretraining.test_sampling import walk

FIRST = np.array([0, 33, 500])
BOTH = ("relativity", "price_path")


def test_windows_are_rows_of_the_matrix_or_restarted_at_their_first_bar():
    bars = walk(900)
    matrix = bar_matrix(bars, 40)
    continuous = BarWindows(bars, matrix, Features(columns=BOTH, state="streaming"), 40).raw(FIRST).numpy()
    restarted = BarWindows(bars, None, Features(columns=BOTH), 40).raw(FIRST).numpy()
    for i, first in enumerate(FIRST):
        prices = bars.ohlc[first : first + 40]
        assert np.array_equal(continuous[i, :, :12], matrix[first : first + 40])
        assert np.array_equal(restarted[i, :, :12], relativity(prices, 40))
        for found in (continuous, restarted):
            assert np.array_equal(found[i, :, 12:], price_path(prices[None])[0])


@pytest.mark.parametrize("columns", [("relativity",), ("range_z", "body_pct"), ("path_close", "consol_proxy")])
@pytest.mark.parametrize("state", ["streaming", "per_window"])
def test_a_subset_keeps_the_order_asked_for(columns, state):
    bars = walk(900)
    matrix = bar_matrix(bars, 40) if state == "streaming" else None
    whole = BarWindows(bars, matrix, Features(columns=BOTH, state=state), 40)
    part = BarWindows(bars, matrix, Features(columns=columns, state=state), 40)
    places = [whole.features.index(name) for name in part.features]
    assert np.array_equal(part.raw(FIRST).numpy(), whole.raw(FIRST).numpy()[:, :, places])


def test_the_scale_makes_training_windows_standard():
    bars = walk(3000)
    windows = BarWindows(bars, None, Features(), 40)
    first = np.arange(0, 2900, 40)
    windows.fit_scale(first)
    found = windows.take(first).reshape(-1, 12).numpy()
    assert np.abs(found.mean(0)).max() < 1e-4 and np.abs(found.std(0) - 1).max() < 1e-3
    plain = BarWindows(bars, None, Features(standardise=False), 40)
    plain.fit_scale(first)
    assert np.array_equal(plain.take(first).numpy(), plain.raw(first).numpy()) and len(first) < SCALE_WINDOWS


def test_bars_whose_state_has_not_settled_are_not_valid():
    bars = walk(200)
    contract = np.where(np.arange(200) < 100, "a", "b")
    bars = bars_from_arrays(bars.time, bars.ohlc, contract=contract)
    windows = BarWindows(bars, bar_matrix(bars, 20), Features(state="streaming"), 20)
    settled = windows.valid(np.array([0, 5, 60, 105])).numpy()
    assert settled.sum(1).tolist() == [5, 10, 20, 10] and settled[0, 15:].all()
    assert BarWindows(bars, None, Features(), 20).valid(np.array([0, 60])).sum(1).tolist() == [5, 5]
