from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.pointing import pointing
from moola_core.errors import DataError
from moola_core.overlap import Overlap
from moola_core.runs import codec


def table(seed: int = 0, n: int = 200, repeats: int = 2, honest: bool = True) -> pd.DataFrame:
    """Centers that lie within 3 bars with the stated probability, or (not honest) with its square."""
    rng = np.random.default_rng(seed)
    parts = []
    for repeat in range(repeats):
        stated = rng.uniform(0.05, 0.95, n)
        hit = rng.random(n) < (stated if honest else stated**2)
        off = np.where(hit, rng.integers(-3, 4, n), rng.integers(4, 30, n))
        part = pd.DataFrame({"repeat": repeat, "fold": rng.permutation(n) % 5})
        part["window_id"] = [f"w{i}" for i in range(n)]
        part["label"] = part["predicted"] = "a"
        part["start_true"] = np.random.default_rng(9).integers(20, 80, n).astype(float)
        part["end_true"] = part["start_true"] + 6
        part["start_pred"], part["end_pred"] = part["start_true"] + off, part["end_true"] + off
        parts.append(part.assign(p_span=stated))
    return pd.concat(parts, ignore_index=True)


def test_signed_errors_are_those_of_the_table():
    rows = table()
    rows["end_pred"] += 2  # one bar too late in the middle, two bars too long
    report = pointing(rows)
    start = rows["start_pred"] - rows["start_true"]
    expected = {"start": start, "end": start + 2, "center": start + 1, "length": start * 0 + 2}
    assert report.windows == 200 and [error.part for error in report.errors] == list(expected)
    for error in report.errors:
        values = expected[error.part]
        assert [error.low, error.median, error.high] == np.quantile(values, [0.25, 0.5, 0.75]).tolist()
        assert error.shares.sum() == pytest.approx(1)
        for bar in range(-report.reach, report.reach + 1):
            inside = values.clip(-report.reach, report.reach) == bar
            assert error.shares[bar + report.reach] == pytest.approx(inside.mean())


def test_shares_near_the_center_and_those_of_the_constant_are_the_evaluation_s():
    rows = table()
    report, evaluation = pointing(rows), evaluate(rows, 105)
    near = {one.bars: one for one in report.near}
    assert list(near) == [1, 3, 5]
    for bars in (3, 5):
        assert near[bars].share.value == pytest.approx(evaluation.metrics[f"hit_at_{bars}"].mean)
        assert near[bars].constant == pytest.approx(getattr(evaluation.pointer_baseline, f"hit_at_{bars}"))
    off = (rows["start_pred"] - rows["start_true"]).abs()
    assert report.within.tolist() == pytest.approx([(off <= bars).mean() for bars in range(report.reach + 1)])
    assert all(one.share.low >= 0 and one.share.high <= 1 for one in report.near)
    assert report.constant_within[3] == pytest.approx(near[3].constant) and (np.diff(report.constant_within) >= 0).all()


def test_the_reliability_counts_the_windows_and_hits_of_each_bin():
    rows = table()
    (first, second) = pointing(rows).confidence
    own = rows[rows["repeat"] == 1]
    hit = (own["start_pred"] - own["start_true"]).abs() <= 3
    assert second.repeat == 1 and second.windows == 200
    assert second.stated == pytest.approx(own["p_span"].mean()) and second.hit_rate == pytest.approx(hit.mean())
    assert sum(part.count for part in second.bins) == 200
    gaps = 0.0
    for part in second.bins:
        inside = (own["p_span"] > part.left) & (own["p_span"] <= part.right)
        assert part.count == inside.sum() and part.accuracy == pytest.approx(hit[inside].mean())
        gaps += abs(hit[inside].sum() - own["p_span"][inside].sum()) / 200
    assert second.error.value == pytest.approx(gaps)
    assert first.error.null_median < first.error.null_95


def test_calibrated_confidence_lies_in_its_null_band_and_overconfidence_does_not(monkeypatch):
    monkeypatch.setattr("moola_core.diagnostics.calibration.INVERTED", 20)  # the interval is not read here
    honest = [pointing(table(seed, repeats=1)) for seed in range(30)]
    inside = [one.confidence[0].error.value <= one.confidence[0].error.null_95 for one in honest]
    assert np.mean(inside) > 0.8 and np.mean([one.excess.low <= 0 <= one.excess.high for one in honest]) > 0.9
    for seed in range(5):
        report = pointing(table(seed, honest=False))
        assert report.excess.low > 0 and all(row.p_value < 0.05 for row in report.confidence)


def test_a_model_that_states_nothing_and_windows_without_an_expansion():
    rows = table()
    rows.loc[rows["window_id"] == "w0", ["start_true", "end_true"]] = np.nan
    report = pointing(rows.drop(columns="p_span"))
    assert report.windows == 199 and report.confidence == () and report.excess is None
    assert codec.restore(type(report), codec.plain(report)).errors[0].part == "start"
    rows["start_true"] = np.nan
    with pytest.raises(DataError, match="no window has both"):
        pointing(rows)


def test_a_single_fold_has_no_constant_pointer():
    report = pointing(table(repeats=1).assign(fold=0))
    assert report.constant_within is None and all(one.constant is None for one in report.near)


def test_sets_of_spans_cover_as_they_say_and_need_enough_groups():
    rows = table()
    report = pointing(rows)
    off = (rows["start_pred"] - rows["start_true"]).abs()
    assert [one.level for one in report.sets] == [0.8, 0.9]
    for one in report.sets:
        assert one.coverage.value == pytest.approx(one.level, abs=0.05)
        assert (off <= one.radius).mean() == pytest.approx(one.level, abs=0.05)
    assert report.sets[0].radius < report.sets[1].radius
    few = pointing(rows, Overlap.of_groups(np.arange(200) % 4, [f"w{i}" for i in range(200)]))
    assert all(one.radius is None and one.coverage is None for one in few.sets)
