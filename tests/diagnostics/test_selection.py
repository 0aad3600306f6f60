"""The best of several configurations: the corrected score against the truth, where that is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from moola_core.diagnostics.selection import select_best
from moola_core.errors import DataError, SpecError
from moola_core.metrics import Predictions

CLASSES = ("a", "b")


def drawn(rng: np.random.Generator, target: np.ndarray, right: float) -> Predictions:
    """Predictions that are right with probability `right` in each window."""
    answered = np.where(rng.random(target.shape) < right, target, 1 - target)
    return Predictions(CLASSES, target, np.eye(2)[answered] * 0.6 + 0.2)


def studies(count: int, right: float, seeds: int, n: int = 174) -> tuple[float, float]:
    """Mean score of the best of `count` equal configurations over studies: as measured, and as corrected."""
    measured, expected = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        target = rng.permutation(np.arange(n) % 2)
        found = select_best({str(i): drawn(rng, target, right) for i in range(count)}, draws=60, seed=seed)
        measured.append(found.measured)
        expected.append(found.expected.value)
    return float(np.mean(measured)), float(np.mean(expected))


@pytest.mark.parametrize(
    ("count", "seeds"),
    [(10, 150), (30, 100), *(pytest.param(count, 2_000, marks=pytest.mark.soak) for count in (10, 30))],
)
def test_the_best_of_equal_configurations_is_corrected_within_a_hundredth(count, seeds):
    right = 0.65
    truth = right  # macro F1 of two equally frequent classes that are predicted right equally often
    measured, expected = studies(count, right, seeds)
    assert measured - truth > 0.04, "the best of equal ones looks better than it is"
    assert abs(expected - truth) <= 0.01


def test_one_that_is_surely_best_keeps_its_score_and_an_error_is_picked_where_it_is_small():
    rng = np.random.default_rng(0)
    target = np.arange(300) % 2
    found = select_best({"weak": drawn(rng, target, 0.5), "strong": drawn(rng, target, 0.9)}, draws=200)
    assert found.name == "strong" and found.share == {"weak": 0.0, "strong": 1.0}
    assert found.expected.value == pytest.approx(found.measured, abs=0.01)
    assert found.expected.low < found.measured < found.expected.high
    sharp = {name: drawn(rng, target, right) for name, right in (("good", 0.95), ("bad", 0.4))}
    assert select_best(sharp, "log_loss", draws=100).name == "good"


def test_the_measured_score_is_the_mean_over_repeats_and_repeats_share_the_bags():
    rng = np.random.default_rng(1)
    target = np.tile(np.arange(80) % 2, (3, 1))
    one = drawn(rng, target, 0.7)
    wanted = np.mean([f1_score(target[r], one.predicted[r], average="macro") for r in range(3)])
    assert select_best({"one": one, "other": drawn(rng, target, 0.3)}, draws=50).measured == pytest.approx(wanted)
    within = select_best({"one": one, "other": drawn(rng, target, 0.3)}, "auroc", draws=20)
    assert within.name == "one" and within.measured > 0.5, "a metric of ranks is no function of sums"
    again = [select_best({"one": one}, draws=50, seed=3).expected for _ in range(2)]
    assert again[0] == again[1]


def test_windows_that_share_bars_are_drawn_together():
    """Copies of a window in the bag and out of it would make the score of the pick too good, and the interval too narrow."""
    rng = np.random.default_rng(2)
    target, group = np.repeat(np.arange(40) % 2, 8), np.repeat(np.arange(40), 8)
    copies = {}
    for i in range(10):
        one = drawn(rng, target[::8], 0.6)
        copies[str(i)] = Predictions(CLASSES, target, np.repeat(one.probabilities, 8, axis=0))
    together, apart = (select_best(copies, group=own, draws=300).expected for own in (group, None))
    assert together.value < apart.value - 0.03
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_what_cannot_be_picked_is_refused_in_a_sentence():
    rng, target = np.random.default_rng(0), np.arange(20) % 2
    one = drawn(rng, target, 0.6)
    for given, changes, words in (
        ({}, {}, "no configuration"),
        ({"a": one, "b": drawn(rng, target[:10], 0.6)}, {}, "same windows"),
        ({"a": one}, {"group": np.zeros(20, int)}, "share bars"),
        ({"a": one}, {"metric": "recall"}, "value per class"),
    ):
        with pytest.raises(DataError, match=words):
            select_best(given, **changes)
    with pytest.raises(SpecError, match="neither"):
        select_best({"a": one}, "majority_accuracy")
    alone = select_best({"a": one}, draws=40)
    assert alone.share == {"a": 1.0} and alone.name == "a"
    few = Predictions(CLASSES, np.array([0, 1, 1]), np.eye(2)[[0, 1, 0]])
    assert np.isfinite(select_best({"a": few, "b": few}, draws=40).expected.high)
