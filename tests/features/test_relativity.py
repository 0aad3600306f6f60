from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from moola_core.features.catalog import FEATURES
from moola_core.features.relativity import relativity
from tests.references.relativity import columns

DATA = Path(__file__).parents[1] / "data"
LOW = np.array([feature.low for feature in FEATURES])
HIGH = np.array([feature.high for feature in FEATURES])


@st.composite
def bars(draw, least=2, most=120):
    """Bars on a tick grid: flat ones, gaps, repeated prices and violent ones."""
    n = draw(st.integers(least, most))
    numbers = arrays.arrays(np.int64, (n, 4), elements=st.integers(-12, 12))
    steps, gap = draw(numbers), draw(st.sampled_from([0, 0, 40, 400]))
    close = 4000 + np.cumsum(steps[:, 0]) + gap * (np.arange(n) > n // 2)
    body = np.stack([close - steps[:, 1], close], 1)
    high = body.max(1) + np.maximum(steps[:, 2], 0)
    low = body.min(1) - np.maximum(steps[:, 3], 0)
    return np.stack([body[:, 0], high, low, close], 1) * 0.25


@pytest.mark.parametrize("name", ["nq", "synth"])
def test_equals_the_reference_arrays(name):
    stored = np.load(DATA / f"relativity_{name}.npz")
    n = len(stored["features"])
    assert np.abs(relativity(stored["ohlc"], 105)[:n] - stored["features"]).max() <= 1e-6
    for ohlc, features in zip(stored["windows_ohlc"], stored["windows_features"], strict=True):
        assert np.abs(relativity(ohlc, 105) - features).max() <= 1e-6


@settings(max_examples=100, deadline=None)
@given(bars(), st.sampled_from([10, 60, 105]))
def test_equals_the_slow_reference(ohlc, length):
    assert np.abs(relativity(ohlc, length) - columns(ohlc, length)).max() <= 1e-6


@settings(max_examples=60, deadline=None)
@given(bars(least=4), st.data())
def test_no_bar_sees_a_later_one(ohlc, data):
    cut = data.draw(st.integers(1, len(ohlc)))
    assert np.array_equal(relativity(ohlc[:cut], 105), relativity(ohlc, 105)[:cut])


@settings(max_examples=60, deadline=None)
@given(bars(), st.integers(0, 6))
def test_scaling_prices_by_a_power_of_two_changes_nothing(ohlc, power):
    assert np.array_equal(relativity(ohlc, 105), relativity(ohlc * 2.0**power, 105))


@settings(max_examples=60, deadline=None)
@given(bars())
def test_values_are_finite_and_within_the_catalogued_bounds(ohlc):
    values = relativity(ohlc, 105)
    assert np.isfinite(values).all()
    assert (values >= LOW - 1e-6).all() and (values <= HIGH + 1e-6).all()


def test_flat_bars_are_zero_but_for_nothing():
    values = relativity(np.full((30, 4), 100.0), 105)
    assert np.isfinite(values).all()
    assert (values == 0).all()


@settings(max_examples=30, deadline=None)
@given(bars(least=6), st.data())
def test_a_restart_is_a_series_of_its_own(ohlc, data):
    cut = data.draw(st.integers(1, len(ohlc) - 1))
    whole = relativity(ohlc, 105, np.array([cut]))
    assert np.array_equal(whole, np.concatenate([relativity(ohlc[:cut], 105), relativity(ohlc[cut:], 105)]))
