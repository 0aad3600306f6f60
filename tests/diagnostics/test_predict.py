from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from moola_core.diagnostics.predict import LEAST_STATED, FitOutputs, NoveltyDetector, best_apart, combine, stretches
from moola_core.overlap import Overlap


def test_fits_are_combined_by_mean_probability_and_median_pointer():
    probabilities = np.array([[[0.9, 0.1]], [[0.6, 0.4]], [[0.2, 0.8]]])
    pointers = np.array([[[0.5, 0.2]], [[0.6, 0.2]], [[0.9, 0.4]]])
    found = combine(FitOutputs(0, probabilities, pointers), ("a", "b"), 100)
    assert found["p_a"][0] == pytest.approx(1.7 / 3) and found["predicted"][0] == "a"
    assert found["agreement"][0] == pytest.approx(2 / 3)
    assert (found["start_pred"][0], found["end_pred"][0]) == pytest.approx((50, 70))
    assert found["center_std"][0] == pytest.approx(np.std([50, 60, 90]))
    assert "predicted" not in combine(FitOutputs(0, None, pointers), ("a", "b"), 100)
    assert set(combine(FitOutputs(0, probabilities, None), ("a", "b"), 100)) == {
        "p_a",
        "p_b",
        "predicted",
        "agreement",
        "p_std",
    }


def test_foreign_windows_are_told_and_familiar_ones_seldom():
    rng = np.random.default_rng(0)
    train, more = rng.normal(size=(300, 40, 4)), rng.normal(size=(400, 40, 4))
    judge = NoveltyDetector(train, Overlap.none(300))
    assert (judge.distance(more) > judge.threshold).mean() < 0.04
    assert (judge.distance(more + 1) > judge.threshold).mean() > 0.95


def slow_stretches(first, span, probability, window_bars, bars):
    begin, end = first + np.round(span[:, 0]), first + np.round(span[:, 1])
    share = []
    for bar in range(bars):
        cover = [i for i in range(len(first)) if first[i] <= bar < first[i] + window_bars]
        share.append(np.mean([begin[i] <= bar <= end[i] for i in cover]) if cover else 0.0)
    found, bar = [], 0
    while bar < bars:
        if share[bar] < 0.5:
            bar += 1
            continue
        last = bar
        while last + 1 < bars and share[last + 1] >= 0.5:
            last += 1
        middle = (bar + last) // 2
        mean = np.mean([probability[i] for i in range(len(first)) if begin[i] <= middle <= end[i]], axis=0)
        found.append((bar, last, int(mean.argmax()), float(mean.max()), float(share[middle])))
        bar = last + 1
    return found


@pytest.mark.parametrize("seed", range(5))
def test_stretches_are_those_of_a_slow_count(seed):
    rng = np.random.default_rng(seed)
    first = np.arange(0, 200, 7)
    events = [60, 140]
    center = np.array([next((e for e in events if f <= e < f + 40), f + rng.integers(40)) for f in first]) - first
    span = np.stack([np.clip(center - 5, 0, 39), np.clip(center + 5, 0, 39)], axis=1).astype(float)
    probability = rng.dirichlet([1, 1], len(first))
    fast, slow = (function(first, span, probability, 40, 240) for function in (stretches, slow_stretches))
    assert len(fast) >= 2 and [row[:3] for row in fast] == [row[:3] for row in slow]
    assert np.allclose([row[3:] for row in fast], [row[3:] for row in slow])


def slow_apart(first, span, stated, probability, window_bars):
    begin, end = first + np.round(span[:, 0]).astype(int), first + np.round(span[:, 1]).astype(int)
    kept = []
    for i in sorted(range(len(first)), key=lambda i: -stated[i]):
        if stated[i] >= LEAST_STATED and all(end[i] < begin[j] or end[j] < begin[i] for j in kept):
            kept.append(i)
    rows = []
    for i in sorted(kept, key=lambda i: begin[i]):
        over = [k for k in range(len(first)) if first[k] <= begin[i] and end[i] < first[k] + window_bars]
        near = [k for k in over if abs(begin[k] + end[k] - begin[i] - end[i]) <= 6]
        mean = np.mean([probability[k] for k in near], axis=0)
        rows.append((begin[i], end[i], int(mean.argmax()), mean.max(), len(near) / len(over), stated[i], i))
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_the_best_expansions_apart_are_those_of_a_slow_search(seed):
    rng = np.random.default_rng(seed)
    first = np.sort(rng.choice(400, 120, replace=False))
    start = rng.integers(0, 30, len(first))
    span = np.stack([start, start + rng.integers(0, 10, len(first))], axis=1).astype(float)
    stated, probability = rng.uniform(0, 1, len(first)), rng.dirichlet([1, 1, 1], len(first))
    fast, slow = (function(first, span, stated, probability, 40) for function in (best_apart, slow_apart))
    assert len(fast) > 10 and [row[:3] for row in fast] == [row[:3] for row in slow]
    assert np.allclose([row[3:] for row in fast], [row[3:] for row in slow])
    assert all(before[1] < after[0] for before, after in pairwise(fast))


def test_there_may_be_no_expansion():
    nothing = best_apart(np.arange(5), np.full((5, 2), 3.0), np.full(5, 0.01), np.full((5, 2), 0.5), 10)
    assert nothing == [] == best_apart(np.empty(0, int), np.empty((0, 2)), np.empty(0), np.empty((0, 2)), 10)


def test_stated_probabilities_are_averaged_unless_a_class_has_their_name():
    p, pointers, stated = np.full((2, 1, 2), 0.5), np.full((2, 1, 2), 0.5), np.array([[0.2], [0.6]])
    outputs = FitOutputs(0, p, pointers, stated)
    assert combine(outputs, ("a", "b"), 100)["p_span"][0] == pytest.approx(0.4)
    assert combine(outputs, ("a", "span"), 100)["p_span"][0] == 0.5
