from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from moola_core.charts import shift as charts
from moola_core.diagnostics.shift import first_bars, population_stability, shift
from moola_core.overlap import Overlap

NAMES = ("a", "b")


def windows(n: int, seed: int, off: float = 0.0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, 40, 2)).astype(np.float32)
    x[:, :, 1] += off
    return x


def ids(n: int) -> np.ndarray:
    return np.array([f"w{i}" for i in range(n)])


def test_windows_of_the_same_bars_cannot_be_told_and_shifted_ones_can(monkeypatch):
    monkeypatch.setattr("moola_core.diagnostics.shift.NULL_DRAWS", 15)
    monkeypatch.setattr("moola_core.diagnostics.shift.DRAWS", 50)
    for off, told in ((0.0, False), (0.5, True)):
        found = shift(windows(60, 1, off), ids(60), Overlap.none(60), NAMES, {"bars": windows(200, 2)})
        assert found.domain is not None and (found.domain.auc > found.domain.null_high) == told
        assert found.domain.null_low < 0.5 < found.domain.null_high
        if told:
            assert found.domain.drivers[0][0] == "mean of b" and found.domain.drivers[0][1] > 0
    assert found.counts == {"labelled": 60, "bars": 200} and found.left_out == ()


def test_distances_are_scipy_s_within_their_interval():
    x, others = windows(60, 1, 0.2), windows(100, 2)
    found = shift(x, ids(60), Overlap.none(60), NAMES, {"left_out": others})
    for i, row in enumerate(found.left_out):
        known = ks_2samp(x.mean(1)[:, i], others.mean(1)[:, i])
        assert row.ks == pytest.approx(known.statistic) and row.p == pytest.approx(known.pvalue)
        assert row.low <= row.high and row.mean == pytest.approx(x.mean(1)[:, i].mean(), abs=1e-5)
    assert found.domain is None and found.left_out[1].psi > 0.25 > found.left_out[0].psi
    assert list(charts.distances(found.left_out).data[0].x) == [row.ks for row in found.left_out]


def test_stability_is_zero_for_the_same_values_and_grows():
    values = np.random.default_rng(0).normal(size=500)
    sizes = [population_stability(values + off, values) for off in (0.0, 0.3, 1.0)]
    assert sizes[0] == pytest.approx(0, abs=1e-9) and sizes[0] < sizes[1] < sizes[2]
    assert np.isfinite(population_stability(np.ones(30), np.ones(30)))


def test_a_state_that_starts_anew_shows_in_the_first_bars():
    x = windows(50, 3)
    x[:, :15, 0] = 3.0
    off = first_bars(x, NAMES)
    assert off["a"] == pytest.approx(3, abs=0.2) and abs(off["b"]) < 0.2
    assert list(charts.first_bars(off).data[0].y) == ["a", "b"]


def test_too_few_others_are_counted_and_not_compared():
    found = shift(windows(30, 1), ids(30), Overlap.none(30), NAMES, {"bars": windows(5, 2), "left_out": windows(0, 3)})
    assert found.domain is None and found.bars == () and found.counts == {"labelled": 30, "bars": 5, "left_out": 0}
