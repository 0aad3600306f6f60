from __future__ import annotations

import numpy as np
import pytest

from moola_core.charts.windows import Swing, View, candles
from moola_core.features.catalog import FEATURES

NAMES = tuple(feature.name for feature in FEATURES)


@pytest.fixture
def prices() -> np.ndarray:
    steps = np.random.default_rng(0).normal(0, 1, (60, 4)).cumsum(0) + 100
    return np.column_stack([steps[:, 0], steps.max(1), steps.min(1), steps[:, 3]])


def test_candles_show_every_bar_and_price(prices):
    trace = candles(View(prices)).data[0]
    assert trace.type == "candlestick"
    for i, name in enumerate(("open", "high", "low", "close")):
        np.testing.assert_array_equal(trace[name], prices[:, i])


def test_true_and_each_repeats_predicted_pointer_are_shaded_to_the_bars_edges(prices):
    chart = candles(View(prices, true=(20, 30), predicted=[(18, 28), (25.5, 33)]))
    assert [(shape.x0, shape.x1) for shape in chart.layout.shapes] == [(19.5, 30.5), (17.5, 28.5), (25, 33.5)]
    names = [trace.name for trace in chart.data if trace.name]
    assert "true expansion" in names and "predicted expansion (one band per repeat)" in names


def test_without_pointers_nothing_is_shaded_and_no_legend_speaks_of_them(prices):
    chart = candles(View(prices))
    assert not chart.layout.shapes
    assert not [trace.name for trace in chart.data if trace.name and "expansion" in trace.name]


def test_swings_are_marked_outside_their_candles_and_say_when_they_were_confirmed(prices):
    marks = [Swing("high", 10, 105.0, 12), Swing("low", 30, 95.0, 33)]
    by_name = {trace.name: trace for trace in candles(View(prices, swings=marks)).data}
    assert by_name["swing high"].y[0] > 105.0 and by_name["swing low"].y[0] < 95.0
    assert tuple(by_name["swing high"].customdata[0]) == (105.0, 12)


def test_strips_keep_sign_and_reach_one_and_hover_shows_the_value(prices):
    features = np.random.default_rng(1).normal(0, 0.01, (60, len(NAMES)))
    features[:, 0] = 0.0
    trace = next(
        trace for trace in candles(View(prices, features=features, names=NAMES)).data if trace.type == "heatmap"
    )
    assert list(trace.y) == list(NAMES)
    np.testing.assert_allclose(np.abs(trace.z).max(axis=1)[1:], 1.0)
    np.testing.assert_array_equal(trace.z[0], 0.0)
    assert (np.sign(trace.z[3]) == np.sign(features[:, 3])).all()
    np.testing.assert_allclose(trace.customdata[5, :, 0].astype(float), features[:, 5])


def test_times_are_on_the_axis(prices):
    times = [f"Mon 02 Jan 2023 09:{i:02d}" for i in range(60)]
    assert candles(View(prices, times=times)).layout.xaxis.ticktext[1].startswith("09:10")
