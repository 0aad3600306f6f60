import pytest

from moola_core.targets import judge, targets


def test_gaps_are_zero_exactly_when_targets_are_met():
    for target in targets():
        for actual in (0.01, 0.05, 0.3, 0.55, 0.65, 1.5, 3.0):
            assert target.met(actual) == (target.gap(actual) == 0) or target.gap(actual) == pytest.approx(0)


def test_judging_reads_stored_metrics():
    rows = {
        row.target.name: row
        for row in judge({"f1_macro": {"mean": 0.45, "std": 0.0}, "sigma_ratio": {"mean": 4.0, "std": 0.0}})
    }
    assert rows["f1_macro"].gap == pytest.approx(0.15)
    assert rows["f1_macro"].gap_percent == pytest.approx(25)
    assert rows["sigma_ratio"].gap_percent == pytest.approx(100)
    assert rows["ece"].actual is None and rows["ece"].met is None


def test_the_recall_of_each_class_is_a_target_of_its_own():
    recall = {"consolidation": {"mean": 0.21, "std": 0.0}, "retracement": {"mean": 0.80, "std": 0.0}}
    rows = {row.target.title: row for row in judge({"recall": recall})}
    assert rows["Recall of consolidation"].met is False and rows["Recall of retracement"].met is True
    assert rows["Recall of consolidation"].gap == pytest.approx(0.19)
    assert [row.target.title for row in judge({}) if "ecall" in row.target.title] == ["Recall of each class"]
