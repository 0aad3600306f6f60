"""The title and the direction of every metric that is shown or judged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moola_core.charts.comparison import forest
from moola_core.diagnostics.comparison import arm_predictions, compare, influences
from moola_core.diagnostics.evaluation import evaluate
from moola_core.errors import SpecError
from moola_core.metrics import METRICS, better, find, title
from moola_core.targets import targets
from tests.app_samples import make_comparison
from tests.diagnostics.test_evaluation import table


def perfect(frame):
    """The same windows with the right answer to each, stated with certainty."""
    right = frame.assign(predicted=frame["label"], start_pred=frame["start_true"], end_pred=frame["end_true"])
    for column in [name for name in frame if str(name).startswith("p_")]:
        right[column] = np.where(frame["label"] == column[2:], 1.0, 0.0)
    return right


def mixed(frame):
    """The same table with every class in every fold, so that there is an AUROC within folds."""
    window = frame["window_id"].str[1:].astype(int)
    return frame.assign(fold=window // frame["label"].nunique() % 4)


def names(metrics: dict) -> dict[str, float]:
    """Every metric of an evaluation under the name by which a verdict is asked for."""
    found = {}
    for name, spread in metrics.items():
        parts = (
            {f"{name} {label}": one for label, one in spread.items()} if isinstance(spread, dict) else {name: spread}
        )
        found |= {key: one.mean for key, one in parts.items()}
    return found


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b c", "ece")])
def test_every_metric_of_an_evaluation_has_a_title_and_gets_better_the_way_the_table_says(classes):
    frame = mixed(table(n=60, classes=classes))
    weak, best = (names(evaluate(one, 105, {0: 0.9, 1: 1.1}).metrics) for one in (frame, perfect(frame)))
    assert {name.partition(" ")[0] for name in weak} == set(METRICS), "no metric is missing and none is invented"
    for name, value in weak.items():
        assert title(name) and title(name) != name
        if find(name).better == "neither":
            with pytest.raises(SpecError, match=name):
                better(name)
        else:
            assert (best[name] > value) == (better(name) == "higher"), name
            assert best[name] != value, name


def test_every_metric_that_a_verdict_may_be_asked_for_is_judged_by_the_table():
    frame = mixed(table(repeats=3, n=60))
    ids = sorted(frame["window_id"].unique())
    weak, best = (arm_predictions(one, None, ids) for one in (frame, perfect(frame)))
    asked = set(influences(weak))
    verdicts = {row.metric: row for row in compare({"weak": weak, "best": best}, "weak")}
    assert set(verdicts) == asked and asked <= set(names(evaluate(frame, 105).metrics))
    for name, row in verdicts.items():
        assert row.verdict == "helps" and row.better == better(name), name


def test_brier_log_loss_and_length_error_are_better_when_lower_and_are_no_recalls():
    for name in ("brier", "log_loss", "length_mae_bars"):
        assert better(name) == "lower" and "Recall" not in title(name)


@pytest.mark.parametrize("name", ["", "brier_skill", "recall_min a", "f2 a", "brier a"])
def test_an_unknown_metric_keeps_its_own_name_and_is_not_judged(name):
    assert find(name) is None and title(name) == name
    with pytest.raises(SpecError, match="unknown metric"):
        better(name)


def test_a_forest_points_the_way_that_its_metric_gets_better():
    rows = [dataclasses.replace(row, better=better("log_loss")) for row in make_comparison().verdicts[:2]]
    assert forest(rows).layout.xaxis.title.text.startswith("← better")


def test_a_target_asks_for_what_its_metric_gets_better_by():
    for target in targets():
        way, metric = target.metric.better, target.metric
        assert (metric.low is not None, metric.high is not None) == (way != "lower", way != "higher"), target.name
