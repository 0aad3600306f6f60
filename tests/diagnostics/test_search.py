"""The best trial of a search against the settings as they are: the verdict allows for the pick."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.comparison import ArmPredictions, compare
from moola_core.diagnostics.search import against_default, best_of
from moola_core.metrics import Predictions
from moola_core.overlap import Overlap

CLASSES = ("a", "b")


def trial(draw: np.random.Generator, target: np.ndarray, right: float) -> ArmPredictions:
    """Predictions [R, n] that are right with probability `right` in each window."""
    answered = np.where(draw.random(target.shape) < right, target, 1 - target)
    return ArmPredictions(Predictions(CLASSES, target, np.eye(2)[answered] * 0.6 + 0.2), Overlap.none(target.shape[1]))


def equal_trials(seed: int, count: int, n: int = 120) -> dict[str, ArmPredictions]:
    draw = np.random.default_rng(seed)
    target = draw.permutation(np.arange(n) % 2)[None]
    return {str(i): trial(draw, target, 0.65) for i in range(count)}


def test_the_pick_of_equal_trials_is_seldom_said_to_be_better_and_often_by_a_verdict_that_forgets_the_pick():
    allowed, forgetful, seeds = 0, 0, 40
    for seed in range(seeds):
        trials = equal_trials(seed, 12)
        best = best_of(trials, "f1_macro").name
        verdict = against_default(trials, "0", best, "f1_macro")
        alone = against_default({name: trials[name] for name in {"0", best}}, "0", best, "f1_macro")
        assert (verdict is None) == (best == "0")
        if verdict is None:
            continue
        allowed += verdict.verdict == "helps"
        forgetful += alone.verdict == "helps"
        assert verdict.p_holm >= verdict.p == alone.p and verdict.delta == alone.delta
    assert allowed <= 4, "one in twenty, and as many again by chance"
    assert forgetful >= 2 * allowed + 2, (allowed, forgetful)


def test_the_verdict_is_the_row_of_the_comparison_of_all_trials_in_the_metric_of_the_search():
    trials = equal_trials(3, 5)
    draw = np.random.default_rng(9)
    target = trials["0"].predictions.target
    trials["good"] = trial(draw, target, 0.95)
    assert best_of(trials, "f1_macro").name == "good"
    verdict = against_default(trials, "0", "good", "f1_macro", 0.02)
    assert verdict.verdict == "helps" and verdict.metric == "f1_macro" and verdict.against == "0"
    assert verdict in compare(trials, "0", 0.02)
    assert against_default(trials, "0", "0", "f1_macro") is None
    assert against_default({"good": trials["good"]}, "0", "good", "f1_macro") is None, "the default has no predictions"
    assert against_default(trials, "0", "good", "log_loss").metric == "log_loss"
