from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from moola_core.diagnostics.doctor.baseline_facts import reference_facts
from moola_core.diagnostics.doctor.flips import flip_rate
from moola_core.diagnostics.doctor.reading import LabelledInputs, next_bar_correlation, of_folds


def make_seen(n: int = 90, signal: float = 1.0, apart: int = 50) -> LabelledInputs:
    rng = np.random.default_rng(1)
    label = np.array(["a", "b"])[np.arange(n) % 2]
    x = rng.normal(0, 1, (n, 20, 2)) + signal * 0.4 * (np.arange(n) % 2)[:, None, None]
    ids = np.array([f"w{i}" for i in range(n)])
    return LabelledInputs(x, ("f", "g"), label, ids, np.zeros(n, int), np.arange(n) * apart, np.ones(2))


def make_folds(n: int = 90, inner_is_test: bool = False) -> pd.DataFrame:
    rows = []
    for fold in range(5):
        for i in range(n):
            role = "test" if i % 5 == fold else "validation" if (i // 5) % 4 == 0 and not inner_is_test else "train"
            rows.append((0, fold, f"w{i}", role))
            if role == "test" and inner_is_test:
                rows.append((0, fold, f"w{i}", "validation"))
    return pd.DataFrame(rows, columns=["repeat", "fold", "window_id", "role"])


def answers(window_id: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """Predictions of one repeat with the folds of `make_folds`."""
    return pd.DataFrame({"repeat": 0, "fold": np.arange(len(p)) % 5, "window_id": window_id, "p_a": 1 - p, "p_b": p})


def test_a_run_that_no_fold_trained_is_not_set_beside_anything():
    seen = make_seen()
    folds = make_folds()
    found = reference_facts(answers(seen.window_id, np.full(90, 0.5)), folds[folds["role"] == "test"], seen)
    assert found["auroc"] == 0.5 and "trees_auroc" not in found and "flip_rate" not in found


def test_a_linear_model_finds_what_a_model_at_chance_has_lost():
    seen = make_seen()
    rng = np.random.default_rng(2)
    p = rng.uniform(0.4, 0.6, 90)
    predictions = answers(seen.window_id, p)
    found = reference_facts(predictions, make_folds(), seen)
    assert found["reference_auroc"] > 0.9 and found["reference_gap_high"] < -0.2
    assert found["trees_auroc"] > 0.9 and found["trees_gap_high"] < -0.2
    each = [roc_auc_score(seen.label[i::5] == "b", p[i::5]) for i in range(5)]
    assert found["auroc"] == pytest.approx(np.mean(each)), "among the windows of a fold"
    assert found["auroc_low"] < 0.5 < found["reference_auroc_low"]


def test_wrong_labels_are_counted_and_a_models_own_doubts_are_not():
    seen = make_seen(300)
    rng = np.random.default_rng(3)
    score = 2.5 * (np.arange(300) % 2 - 0.5) + rng.normal(0, 1, 300)
    p = 1 / (1 + np.exp(-3 * score))
    table = answers(seen.window_id, p)
    own = reference_facts(table, make_folds(300), seen)
    flipped = seen.label.copy()
    wrong = rng.choice(300, 45, replace=False)
    flipped[wrong] = np.where(flipped[wrong] == "a", "b", "a")
    noisy = reference_facts(
        table,
        make_folds(300),
        LabelledInputs(seen.x, seen.features, flipped, seen.window_id, seen.series, seen.first, seen.scale),
    )
    assert own["flip_evidence"] < 2 and own["flip_rate_low"] == 0.0
    assert noisy["flip_rate"] == pytest.approx(0.15, abs=0.04) and noisy["flip_rate_low"] > 0.08
    assert noisy["flip_evidence"] > 20 and noisy["best_auroc"] < own["best_auroc"]


def test_labels_that_only_the_bars_around_the_spans_tell_are_not_doubted():
    """Weak models contradict right labels where they are sure by chance; one that reads them does not, and finds those that are wrong."""
    rng, n = np.random.default_rng(5), 240
    seen = make_seen(n, signal=0.5)
    label = rng.permutation(seen.label)  # the features tell nothing
    around = rng.normal(0, 1, (n, 6)) + 2.0 * (label == "b")[:, None]
    p = 1 / (1 + np.exp(-6 * rng.normal(0, 1, n)))  # a run that is sure and wrong
    table, folds = answers(seen.window_id, p), make_folds(n)
    own = reference_facts(table, folds, replace(seen, label=label, around=around))
    assert own["best_auroc"] > 0.95 and own["flip_evidence"] < 2
    wrong = rng.choice(n, n // 8, replace=False)
    flipped = label.copy()
    flipped[wrong] = np.where(flipped[wrong] == "a", "b", "a")
    noisy = reference_facts(table, folds, replace(seen, label=flipped, around=around))
    assert noisy["flip_rate"] == pytest.approx(1 / 8, abs=0.05) and noisy["flip_evidence"] > 10
    assert reference_facts(table, folds, replace(seen, label=flipped))["flip_evidence"] < noisy["flip_evidence"]


def test_the_rate_of_wrong_labels_is_the_one_that_a_search_over_everything_finds():
    """Three classes, one model: against scipy's general optimiser over rate, slope and offsets together."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 400)
    p = softmax(2.0 * np.eye(3)[truth] + rng.normal(0, 0.7, (400, 3)), axis=1)
    label = np.where(rng.random(400) < 0.2, (truth + rng.integers(1, 3, 400)) % 3, truth)
    odds = np.log(p)

    def loss(at):
        q = softmax(np.r_[at[:2], 0] + at[2] * odds, axis=1)[np.arange(400), label]
        return -np.log((1 - at[3]) * q + at[3] / 2 * (1 - q)).sum()

    best = minimize(loss, [0, 0, 1, 0.1], bounds=[(-5, 5), (-5, 5), (0, 20), (0, 0.35)])
    none = minimize(loss, [0, 0, 1, 0.0], bounds=[(-5, 5), (-5, 5), (0, 20), (0, 0)])
    found = flip_rate(label, [p])
    assert found["flip_rate"] == pytest.approx(best.x[3], abs=0.006)
    assert found["flip_evidence"] == pytest.approx(2 * (none.fun - best.fun), abs=0.05)


def test_shared_bars_and_choice_on_the_test_fold_are_counted():
    apart, near = make_seen(apart=20), make_seen(apart=10)
    assert of_folds(make_folds(), apart)["shared_bars_share"] == 0
    found = of_folds(make_folds(), near)
    assert found["shared_bars_share"] == 1 and len(found["shared_bars_windows"]) == 90
    assert of_folds(make_folds(), apart)["validation_in_test_share"] == 0
    assert of_folds(make_folds(inner_is_test=True), apart)["validation_in_test_share"] == 1


def test_order_shows_in_the_correlation_with_the_bar_before():
    rng = np.random.default_rng(4)
    walk = np.cumsum(rng.normal(size=(40, 50, 1)), axis=1)
    shuffled = rng.permuted(walk, axis=1)
    assert next_bar_correlation(walk, ("a",))["a"] > 0.7
    assert abs(next_bar_correlation(shuffled, ("a",))["a"]) < 0.1
    assert next_bar_correlation(np.ones((3, 5, 1)), ("a",)) == {}
