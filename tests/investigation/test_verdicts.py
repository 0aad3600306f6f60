"""Differences in an investigation hold for all metrics and all rounds together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from moola_core.diagnostics.results import Comparison, Verdict
from moola_core.investigation.verdicts import LOOKED, rows_of, word_of
from tests.app_samples import make_verdict

ROUNDS = np.array([1, 2, 3, 5, 8])


def of_verdicts(*rows: Verdict) -> Comparison:
    """A comparison with the network from scratch of which only the verdicts matter."""
    return Comparison("transfer", "from scratch", 60, 60, 1, (), rows, (), {}, "", (), "", None)


def with_interval(metric: str, delta: float, half: float, word: str = "helps") -> Verdict:
    return replace(make_verdict("full", metric, "higher", word, delta), low=delta - half, high=delta + half)


@pytest.mark.parametrize("refit", [0.3, 1.0, 3.0])
def test_rounds_together_err_about_as_often_as_one(refit):
    """An arm that is equal, looked at after each round; refit: variance of one repeat, that of the windows being 1."""
    rng, draws = np.random.default_rng(1), 40_000
    windows, refits = rng.normal(size=draws), rng.normal(size=(draws, 8)) * np.sqrt(refit)
    z = [(windows + refits[:, :r].mean(1)) / np.sqrt(1 + refit / r) for r in ROUNDS]
    largest = np.abs(z).max(axis=0)
    assert (largest > norm.isf(0.025)).mean() > 0.07
    assert 0.03 < (largest > LOOKED * norm.isf(0.025)).mean() < 0.065


def test_intervals_grow_with_metrics_and_rounds_and_words_follow():
    clear, close = with_interval("auroc", 0.20, 0.10), with_interval("hit_at_3", 0.11, 0.10)
    once = rows_of(of_verdicts(clear))
    assert (once[0].low, once[0].high) == pytest.approx((0.10, 0.30)), "one metric, one round: as in the study"
    both = rows_of(of_verdicts(clear, close))
    assert [row.verdict for row in both] == ["helps", "undecided"]
    factor = norm.isf(0.0125) / norm.isf(0.025)
    assert both[0].high - both[0].delta == pytest.approx(0.10 * factor)
    rounds = rows_of(of_verdicts(clear, close), rounds=5)
    assert rounds[0].high - rounds[0].delta == pytest.approx(0.10 * factor * LOOKED)
    assert rounds[0].resolvable == pytest.approx(clear.resolvable * factor * LOOKED)
    assert word_of(rounds) == "helps" and word_of(rounds[1:]) == "undecided"


def test_alike_stays_alike():
    row = with_interval("auroc", 0.0, 0.01, "equivalent")
    assert rows_of(of_verdicts(row), rounds=5)[0].verdict == "equivalent"
