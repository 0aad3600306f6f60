import dataclasses

import numpy as np
import pytest

from moola_core.errors import DataError, SpecError
from moola_core.features.catalog import FEATURES, names
from moola_core.features.matrix import bar_matrix, gather, price_path, window_matrix
from moola_core.features.relativity import relativity
from moola_core.market.bars import bars_from_arrays
from moola_core.market.windows import windows_from_arrays
from moola_core.specs import Features


def test_restarted_windows_are_each_computed_alone(demo):
    x = window_matrix(demo.windows, Features())
    assert x.shape == (len(demo.windows), 105, len(FEATURES)) and x.dtype == np.float32
    for i in (0, 7, 31):
        assert np.array_equal(x[i], relativity(demo.windows.prices[i], 105))


def test_continuous_windows_are_rows_of_the_bars_matrix(demo, tmp_path):
    x = window_matrix(demo.windows, Features(state="streaming"), demo.bars, tmp_path)
    whole = relativity(demo.bars.ohlc, 105)
    for i, at in enumerate(demo.windows.position):
        assert np.array_equal(x[i], whole[at : at + 105])


def test_the_bar_matrix_is_mapped_from_a_cache_keyed_by_content(demo, tmp_path):
    first = bar_matrix(demo.bars, 105, tmp_path)
    assert isinstance(first, np.memmap)
    bar_matrix(demo.bars, 105, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    other = dataclasses.replace(demo.bars, ohlc=demo.bars.ohlc * 2)
    bar_matrix(other, 105, tmp_path)
    bar_matrix(demo.bars, 60, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_gather_copies_just_the_windows_asked_for():
    matrix = np.arange(40).reshape(20, 2)
    assert np.array_equal(gather(matrix, np.array([3, 5]), 4), np.stack([matrix[3:7], matrix[5:9]]))


def test_price_path_starts_at_the_first_close_and_ignores_shift_and_scale(demo):
    prices = demo.windows.prices[:5]
    path = price_path(prices)
    assert (path[:, 0, 3] == 0).all()
    assert np.allclose(path, price_path(prices * 4 + 100), atol=1e-5)
    mean_range = path[:, :, 1] - path[:, :, 2]
    assert np.allclose(mean_range.mean(1), 1, atol=1e-5)


def test_columns_may_be_groups_names_or_both(demo):
    whole = window_matrix(demo.windows.select(np.arange(3)), Features(columns=("relativity", "price_path")))
    some = window_matrix(demo.windows.select(np.arange(3)), Features(columns=("path_close", "range_z")))
    order = names(("relativity", "price_path"))
    assert whole.shape[2] == len(order) == 16
    assert np.array_equal(some, whole[:, :, [order.index("path_close"), order.index("range_z")]])
    assert names(("range_z", "relativity")) == ("range_z", *(f.name for f in FEATURES if f.name != "range_z"))
    with pytest.raises(SpecError, match="range_z"):
        names(("range",))


def test_continuous_state_needs_located_windows(demo):
    with pytest.raises(DataError, match="needs the bars"):
        window_matrix(demo.windows, Features(state="streaming"))
    lost = dataclasses.replace(demo.windows, position=np.full(len(demo.windows), -1))
    with pytest.raises(DataError, match=str(demo.windows.window_id[0])):
        window_matrix(lost, Features(state="streaming"), demo.bars)


def test_five_minute_bars_and_sixty_bar_windows(demo):
    """Other bars and lengths: the divisor of the counts follows the window."""
    n = len(demo.bars) // 5 * 5
    blocks = demo.bars.ohlc[:n].reshape(-1, 5, 4)
    ohlc = np.stack([blocks[:, 0, 0], blocks[:, :, 1].max(1), blocks[:, :, 2].min(1), blocks[:, -1, 3]], 1)
    bars = bars_from_arrays(demo.bars.time[:n:5], ohlc)
    assert bars.interval_s == 300
    prices = np.stack([ohlc[i : i + 60] for i in range(0, 1200, 60)])
    windows = windows_from_arrays(prices, ["a", "b"] * 10)
    x = window_matrix(windows, Features())
    assert x.shape == (20, 60, 12)
    assert np.array_equal(x[3], relativity(prices[3], 60))
