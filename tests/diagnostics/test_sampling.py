"""Intervals of a run's own metrics: influence values against slow references, and how often they hold the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.intervals import of_windows
from moola_core.diagnostics.sampling import sample
from moola_core.metrics import METRICS, Predictions, influence, measure
from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable
from tests.diagnostics.test_evaluation import table


def drawn(n: int = 50, classes: int = 3) -> Predictions:
    rng = np.random.default_rng(0)
    true = rng.integers(10, 40, (n, 1)) + np.array([[0, 6]])
    span = true + rng.normal(0, 3, (n, 2))
    names = tuple("abc"[:classes])
    return Predictions(names, rng.integers(0, classes, n), rng.dirichlet(np.ones(classes), n), span, true, 105)


@pytest.mark.parametrize("name", ["f1_macro", "recall", "log_loss", "center_mae_bars", "hit_at_3", "joint_at_3"])
def test_an_influence_value_is_the_derivative_by_the_weight_of_a_window(name):
    predictions = drawn()
    found = influence(predictions, name)
    value = measure(predictions, names=[name])[name]
    assert found.mean(0) == pytest.approx(value)
    step = 1e-5
    for window in range(0, 50, 7):
        weight = np.ones(50)
        weight[window] += step
        slope = (measure(predictions, weight, [name])[name] - value) / step
        assert found[window] - value == pytest.approx(50 * slope, rel=1e-3, abs=1e-3)


def test_the_interval_of_a_mean_is_the_one_of_its_windows_and_the_value_the_one_that_a_run_shows():
    frame = table(repeats=3, n=60)
    frame["fold"] = np.tile(np.arange(60) // 2 % 4, 3)  # each fold holds both classes
    shown = evaluate(frame, 105)
    grid = PredictionTable(frame, 105).grid()
    right = (grid.words("predicted") == grid.label).astype(float)
    assert shown.sampled["accuracy"].interval.low == pytest.approx(of_windows(right, Overlap.none(60)).low)
    for name in ("f1_macro", "brier", "center_mae_bars", "auroc", "iou"):
        assert shown.sampled[name].interval.value == pytest.approx(shown.metrics[name].mean)
    assert shown.sampled["recall a"].interval.value == pytest.approx(shown.metrics["recall"]["a"].mean)
    assert "ece" not in shown.sampled and "majority_accuracy" not in shown.sampled


def test_the_chance_of_passing_a_threshold_is_that_of_the_interval():
    (chance, target) = evaluate(table(repeats=2, n=60), 105).sampled["f1_macro"].chances
    assert (chance.threshold, target.threshold) == (0.5, 0.6) and 0 < target.probability < chance.probability < 1
    found = evaluate(table(repeats=1, n=400), 105).sampled["f1_macro"].interval
    scale = (found.high - found.value) / stats.t.ppf(0.975, 399)
    wanted = stats.t.sf((0.5 - found.value) / scale, 399)
    assert evaluate(table(repeats=1, n=400), 105).sampled["f1_macro"].chances[0].probability == pytest.approx(wanted)


def test_no_score_lies_outside_of_what_it_can_be_and_nothing_is_measured_of_one_group():
    frame = table(repeats=1, n=12)
    frame["predicted"], frame["p_a"], frame["p_b"] = frame["label"], (frame["label"] == "a") * 1.0, 1.0
    frame["p_b"] -= frame["p_a"]
    perfect = evaluate(frame, 105).sampled
    assert all(one.interval.low >= 0 for one in perfect.values())
    assert perfect["f1_macro"].interval.high == 1.0 and perfect["f1_macro"].chances[0].probability > 0.9
    together = Overlap.of_groups(np.zeros(12, int), [f"w{i}" for i in range(12)])
    assert evaluate(frame, 105, shared=together).sampled == {}


def test_repeats_that_lack_windows_and_ids_in_any_order_change_nothing_else():
    frame = table(repeats=2, n=40)
    shuffled = frame.sample(frac=1, random_state=0)
    one, other = (PredictionTable(part, 105) for part in (frame, shuffled))
    assert sample(one, Overlap.none(40))["f1_macro"] == sample(other, Overlap.none(40))["f1_macro"]
    part = PredictionTable(frame.drop(index=[3, 50]), 105)
    assert np.isfinite(sample(part, Overlap.none(40))["f1_macro"].interval.high)


def test_the_interval_of_a_metric_that_can_be_negative_holds_it(monkeypatch):
    wrong = table(repeats=1, n=40)
    wrong["predicted"] = np.where(wrong["label"] == "a", "b", "a")
    agreement = replace(METRICS["accuracy"], name="agreement", statistics=_agreement, value=_mean, least=-1.0)
    monkeypatch.setitem(METRICS._members, "agreement", agreement)
    interval = sample(PredictionTable(wrong, 105), Overlap.none(40))["agreement"].interval
    assert interval.value == -1 and interval.low == -1 and interval.high <= 1


def _agreement(predictions):
    """1 where the predicted class is right, −1 where it is wrong; and a count."""
    right = np.where(predictions.predicted == predictions.target, 1.0, -1.0)
    return np.stack([right, np.ones_like(right)], axis=-1)


def _mean(sums, predictions):
    return sums[..., 0] / sums[..., 1]


@pytest.mark.parametrize("studies", [60, pytest.param(400, marks=pytest.mark.soak)])
def test_the_interval_of_macro_f1_holds_the_truth_of_new_windows_and_refits(studies):
    """Nearest class means, refitted in each fold and study; the truth is the mean over studies."""
    values, found = [], []
    for seed in range(studies):
        rng = np.random.default_rng(seed)
        label = rng.integers(0, 2, 80)
        x = rng.normal(0, 1, (80, 4)) + 0.25 * (2 * label[:, None] - 1)
        fold = rng.permutation(80) % 5
        p = np.zeros(80)
        for k in range(5):
            train, test = fold != k, fold == k
            means = np.stack([x[train & (label == c)].mean(0) for c in (0, 1)])
            away = ((x[test][:, None] - means) ** 2).sum(2)
            p[test] = 1 / (1 + np.exp(away[:, 1] - away[:, 0]))
        names = np.array(["a", "b"])
        frame = pd.DataFrame({"repeat": 0, "fold": fold, "window_id": np.arange(80).astype(str), "label": names[label]})
        frame = frame.assign(predicted=names[(p > 0.5).astype(int)], p_a=1 - p, p_b=p)
        interval = sample(PredictionTable(frame), Overlap.none(80))["f1_macro"].interval
        values.append(interval.value)
        found.append(interval)
    truth = np.mean(values)
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert covered >= stats.binom.ppf(0.01, studies, 0.95) / studies
