"""Conformal sets: the quantile by counting, and coverage on windows that share bars."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.spans.conformal import cross_conformal, cross_p_value, radius


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9])
def test_with_windows_that_share_nothing_it_is_the_usual_quantile(level):
    scores = np.random.default_rng(0).permutation(39).astype(float)
    place = int(np.ceil(level * 40)) - 1
    assert radius(scores, np.arange(39), level) == np.sort(scores)[place]


def test_too_few_groups_reach_no_level():
    scores = np.arange(8.0)
    assert radius(scores, np.arange(8), 0.8) == 7 and radius(scores, np.arange(8), 0.9) == np.inf
    assert radius(scores, np.repeat([0, 1], 4), 0.8) == np.inf


def test_a_large_group_counts_as_one():
    scores = np.r_[np.zeros(100), np.arange(1.0, 20)]
    group = np.r_[np.zeros(100, int), np.arange(1, 20)]
    assert radius(scores, group, 0.5) == 10


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_sets_hold_the_truth_as_often_as_they_say(level):
    """Groups of 1 to 6 windows whose errors go together: over many draws a window of a new group is covered at least so often."""
    rng, covered = np.random.default_rng(1), []
    for _ in range(300):
        group = np.repeat(np.arange(60), rng.integers(1, 7, 60))
        scores = np.abs(rng.standard_t(2, 60)[group] + 0.3 * rng.standard_normal(len(group)))
        fold = rng.permutation(60)[group] % 5
        radii = cross_conformal(scores, fold, group, level)
        assert len(np.unique(radii)) <= 5
        first = np.unique(group, return_index=True)[1]
        covered.append((scores <= radii)[first].mean())
    assert level - 0.01 <= np.mean(covered) <= level + 0.04


def test_a_fold_is_calibrated_on_the_others_and_unknown_scores_are_left_out():
    scores = np.array([1.0, 2, 3, 4, np.nan, 50, 60, 70, 80])
    fold = np.repeat([0, 1], [5, 4])
    radii = cross_conformal(scores, fold, np.arange(9), 0.8)
    assert radii[:4].tolist() == [80] * 4 and np.isnan(radii[4]) and radii[5:].tolist() == [4] * 4
    shared = cross_conformal(scores, fold, np.r_[np.arange(8), 0], 0.7)
    assert shared[:4].tolist() == [70] * 4, "the window that shares bars with this fold is left out"


def test_a_p_value_is_that_of_a_slow_count():
    rng = np.random.default_rng(4)
    scores, labelled, fold = rng.integers(0, 9, (3, 20)), rng.integers(0, 9, 31), rng.integers(0, 3, 31)
    slow = [(1 + sum(labelled[i] <= scores[fold[i], j] for i in range(31))) / 32 for j in range(20)]
    np.testing.assert_allclose(cross_p_value(scores, labelled, fold), slow)


@pytest.mark.parametrize("level", [0.05, 0.1, 0.3])
def test_windows_like_the_labelled_ones_are_unusual_as_often_as_the_level_says(level):
    """Fits of five folds that see the same window alike but for noise, and each on a scale of its own."""
    rng, unusual = np.random.default_rng(5), []
    for _ in range(200):
        scale = rng.uniform(0.5, 2, 5)
        fold = np.arange(100) % 5
        labelled = scale[fold] * (rng.normal(size=100) + 0.3 * rng.normal(size=100))
        new = rng.normal(size=40)
        scores = scale[:, None] * (new + 0.3 * rng.normal(size=(5, 40)))
        unusual.append(cross_p_value(scores, labelled, fold) <= level)
    assert np.mean(unusual) == pytest.approx(level, abs=0.02)
    assert (cross_p_value(np.full((5, 3), -9.0), labelled, fold) <= level).all()
