from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from moola_core.diagnostics.correlation import (
    Permutations,
    aggregates,
    auc,
    column_facts,
    correlations,
    feature_report,
    label_table,
    permuted,
    with_expectations,
)
from moola_core.overlap import Overlap

NAMES = ("consol_proxy", "expansion_proxy", "body_pct")


def windows(n: int = 80, seed: int = 0, signal: float = 1.0):
    """Three features; the first carries the class, and runs of windows share their labels."""
    rng = np.random.default_rng(seed)
    label = np.where(rng.random(n // 4).repeat(4) < 0.5, "consolidation", "retracement")
    x = rng.normal(size=(n, 30, 3)).astype(np.float32)
    x[:, :, 0] += signal * (label == "consolidation")[:, None]
    return x, label, rng.integers(5, 25, n).astype(float), Overlap.of_groups(np.arange(n) // 4)


def test_the_table_agrees_with_scipy_and_scikit_learn():
    x, label, start, shared = windows(signal=0.1)
    shared = Overlap.none(len(x))
    rows = label_table(x, label, start, NAMES, shared, Permutations(99, 0))
    assert len(rows) == 9 and {row.positive for row in rows} == {"consolidation"}
    for row in rows:
        values = aggregates(x, start)[row.aggregate][:, NAMES.index(row.feature)].round(10)
        y = label == "consolidation"
        known = stats.pointbiserialr(y, values)
        assert row.r == pytest.approx(known.statistic, abs=1e-6) and row.auc == pytest.approx(roc_auc_score(y, values))
        interval = stats.pearsonr(y, values).confidence_interval()
        assert (row.r_low, row.r_high) == pytest.approx((interval.low, interval.high), abs=1e-6)
        assert row.auc_middle == pytest.approx(roc_auc_score(y, np.abs(values - np.median(values)).round(10)))
        assert row.auc_low <= row.auc <= row.auc_high and row.std == pytest.approx(values.std())
    assert [row.q for row in rows] == pytest.approx(stats.false_discovery_control([row.p for row in rows]))


def test_aggregates_are_those_of_a_loop_and_windows_without_pointer_are_left_out():
    x, label, start, shared = windows(20)
    start[3], start[5] = np.nan, 0
    found = aggregates(x, start)
    for i in range(20):
        slow = (
            x[i, max(0, int(start[i]) - 20) : int(start[i])].mean(0)
            if np.isfinite(start[i]) and start[i]
            else [np.nan] * 3
        )
        assert found["before_expansion"][i] == pytest.approx(slow, nan_ok=True, abs=1e-5)
    rows = label_table(x, label, start, NAMES, shared, Permutations(20, 0))
    assert {row.n for row in rows if row.aggregate == "before_expansion"} == {18}
    known = np.isfinite(found["before_expansion"][:, 1])
    slow_r = np.corrcoef(found["before_expansion"][known, 1], (label == "consolidation")[known])[0, 1]
    assert next(r for r in rows if r.aggregate == "before_expansion" and r.feature == NAMES[1]).r == pytest.approx(
        slow_r
    )


def test_permutations_keep_runs_of_labels_together():
    label = np.array(list("aabbbcab"))
    group = np.array([2, 2, 0, 0, 0, 5, 5, 5])
    found = permuted(label, group, Permutations(200, 1))
    assert all(sorted(row) == sorted(label) for row in found)
    wholes = {"".join(row[np.argsort(group, kind="stable")]) for row in found}
    assert wholes == {"bbbaacab", "bbbcabaa", "aabbbcab", "aacabbbb", "cabaabbb", "cabbbbaa"}


def test_p_is_the_share_of_permutations_at_least_as_strong():
    x, label, start, shared = windows(40, signal=0.2)
    row = label_table(x, label, start, NAMES, shared, Permutations(300, 7))[0]
    columns = aggregates(x, start)["window"]
    again = np.array(
        [
            abs(np.corrcoef(columns[:, 0], y == "consolidation")[0, 1])
            for y in permuted(label, shared.groups(), Permutations(300, 7))
        ]
    )
    assert row.p == pytest.approx((1 + (again >= abs(row.r) - 1e-9).sum()) / 301)


def test_planted_features_rank_first_and_expectations_are_judged():
    report = with_expectations(feature_report(*_shaped(windows(signal=0.3))))
    best = min((row for row in report.table if row.aggregate == "window"), key=lambda row: row.p)
    assert best.feature == "consol_proxy" and best.q < 0.05 and best.sign_stability == 1
    met = {row.text: row.met for row in report.expectations}
    assert met["consol_proxy goes with consolidation, r above 0.2"]
    assert report.course_mean.shape == (2, 3, 30) and report.correlation.shape == (3, 3)
    assert np.allclose(report.correlation, np.corrcoef(windows(signal=0.3)[0].mean(1).T), atol=1e-5)


def _shaped(made):
    x, label, start, shared = made
    return x, label, start, NAMES, shared, Permutations(500)


def test_three_classes_have_a_row_each_and_unknown_expectations_are_not_judged():
    x, label, start, shared = windows()
    label = np.array(["a", "b", "c"])[np.arange(80) % 3]
    report = with_expectations(feature_report(x, label, start, NAMES, shared, Permutations(50, 0)))
    assert len(report.table) == 27 and all(row.met is None for row in report.expectations)


def test_columns_without_scale_or_filled_at_one_position_are_named():
    x = np.random.default_rng(0).normal(size=(20, 30, 4)).astype(np.float32)
    x[:, :, 0] = 1.0
    x[:, 1:, 1] = 0.0
    x[:, :, 2] *= 0.01
    remarks = [fact.remark for fact in column_facts(x, ("a", "b", "c", "d"))]
    assert (
        remarks[0] == "constant"
        and "3% of the bars" in remarks[1]
        and "almost constant" in remarks[2]
        and remarks[3] == ""
    )


def test_constant_columns_have_no_correlation():
    y = np.array([[True, False, True, False]])
    assert correlations(np.ones((4, 1)), y)[0, 0] == 0 and auc(np.ones(4), y[0])[0] == 0.5
