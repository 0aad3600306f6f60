from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from moola_core.charts.windows import SpanScores, Swing, View, candles
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


def scored(prices: np.ndarray, per_bar: np.ndarray, **more) -> View:
    return View(
        prices=prices,
        true=(4.0, 6.0),
        predicted=((5.0, 8.0), (20.0, 24.0)),
        scores=SpanScores(per_bar, runners_up=((12.0, 15.0, 0.3), (5.0, 9.0, 0.1)), stated=(0.4, 0.7)),
        **more,
    )


@pytest.mark.parametrize("strips", [False, True])
def test_probabilities_of_the_bars_stand_between_candles_and_strips(prices, strips):
    per_bar = np.random.default_rng(3).uniform(size=(len(prices), 3))
    more = {"features": np.ones((len(prices), 2)), "names": ("range_z", "body_pct")} if strips else {}
    chart = candles(scored(prices, per_bar, **more))
    traces = {trace.name: trace for trace in chart.data}
    for column, name in enumerate(("start", "end", "inside")):
        assert np.array_equal(traces[name].y, per_bar[:, column]) and traces[name].yaxis == "y3"
    domains = [chart.layout[axis].domain for axis in (("yaxis2",) if strips else ()) + ("yaxis3", "yaxis")]
    assert domains[0][0] == 0 and domains[-1][1] == 1
    assert all(below[1] < above[0] for below, above in pairwise(domains))
    assert chart.layout.xaxis.anchor == ("y2" if strips else "y3")
    assert chart.layout.height > candles(View(prices=prices, **more)).layout.height


def test_runners_up_are_fainter_than_the_prediction_and_each_lies_at_its_probability(prices):
    chart = candles(scored(prices, np.zeros((len(prices), 3))))
    bands = {(shape.x0 + 0.5, shape.x1 - 0.5): shape for shape in chart.layout.shapes}
    opacity = {pair: float(shape.fillcolor.rstrip(")").split(",")[-1]) for pair, shape in bands.items()}
    assert set(bands) == {(4, 6), (5, 8), (20, 24), (12, 15), (5, 9)}
    assert opacity[(5, 9)] < opacity[(12, 15)] < opacity[(5, 8)] and bands[(12, 15)].line.width == 0
    line = next(trace for trace in chart.data if trace.name == "runners-up")
    assert line.x == (11.5, 15.5, None, 4.5, 9.5, None) and line.y == (0.3, 0.3, None, 0.1, 0.1, None)


def test_the_stated_probability_stands_over_each_prediction_that_is_not_close_to_another(prices):
    view = scored(prices, np.zeros((len(prices), 3)))
    written = {note.x: note.text for note in candles(view).layout.annotations}
    assert written == {6.5: "<b>0.40</b>", 22.0: "<b>0.70</b>"}
    near = replace(view, predicted=((5.0, 8.0), (6.0, 9.0)))
    assert [note.text for note in candles(near).layout.annotations] == ["<b>0.70</b>"]
    assert not candles(replace(view, scores=None)).layout.annotations
