"""The span model's terms of a network against scikit-learn, loops, and fits that never saw a window."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from moola_core.estimators.spans import class_term, terms
from moola_core.estimators.spans.class_term import ClassTerm
from moola_core.estimators.spans.classes import linear_model
from moola_core.estimators.spans.shapes import shape_statistics
from moola_core.estimators.spans.terms import SpanTerms, fit_terms
from moola_core.spans.candidates import every, plausible
from moola_core.spans.noise import LabelNoise, label_probabilities
from tests.estimators.windows import make_windows


@pytest.fixture(scope="module")
def windows():
    return make_windows(48)


@pytest.fixture(scope="module")
def fitted(windows):
    return fit_terms(windows.prices, windows.span, windows.group, windows.target, windows.classes)


def test_the_probability_of_a_label_sums_over_the_true_spans():
    rng = np.random.default_rng(0)
    candidates, noise, bars = every(7), LabelNoise(0.8, 0.1), 7
    posterior = rng.dirichlet(np.ones(len(candidates)), 3)
    near = np.zeros((3, bars, bars))
    scale = np.exp(-0.5 * (np.arange(-40, 41) / 0.8) ** 2).sum()
    for first in range(bars):
        for length in range(bars - first):
            for i in range(len(candidates)):
                apart = (first - candidates.start[i], first + length - candidates.end[i])
                weight = np.prod([np.exp(-0.5 * (d / 0.8) ** 2) / scale for d in apart])
                near[:, first, length] += posterior[:, i] * weight
    near /= near.sum((1, 2), keepdims=True)
    inside = np.add.outer(np.arange(bars), np.arange(bars)) < bars
    expected = 0.9 * near + 0.1 * inside / inside.sum()
    np.testing.assert_allclose(label_probabilities(posterior, candidates, noise), expected, atol=1e-12)


def test_exact_labels_keep_the_probabilities_of_the_candidates():
    candidates = plausible(np.array([5.0, 9.0]), np.array([9.0, 15.0]), 30)
    posterior = np.random.default_rng(1).dirichlet(np.ones(len(candidates)), 2)
    p = label_probabilities(posterior, candidates, LabelNoise(0.0, 0.0))
    np.testing.assert_allclose(p[:, candidates.start, candidates.length], posterior, atol=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_class_is_the_mean_of_two_models_of_scikit_learn(classes):
    windows = make_windows(60, classes=classes)
    start, end = windows.span.astype(int).T
    term = ClassTerm.fit(windows.prices, start, end, windows.target, classes)
    described = shape_statistics(windows.prices, start, end)
    kept = np.isfinite(described).any(0)
    linear = linear_model().fit(described[:, kept], windows.target)
    filled = linear[0].transform(described[:, kept]).astype(np.float32)
    steps = GradientBoostingClassifier(
        n_estimators=class_term.STEPS,
        learning_rate=class_term.RATE,
        max_depth=1,
        min_samples_leaf=class_term.LEAST_WINDOWS,
        random_state=0,
    ).fit(filled, windows.target)
    assert term.temperature == 1
    expected = (linear.predict_proba(described[:, kept]) + steps.predict_proba(filled)) / 2
    np.testing.assert_allclose(term.predict_proba(described), expected, atol=1e-6)


def test_a_class_that_is_not_there_is_hardly_probable(windows):
    start, end = windows.span.astype(int).T
    described = shape_statistics(windows.prices, start, end)
    p = ClassTerm.fit(windows.prices, start, end, 2 * windows.target, 4).predict_proba(described)
    assert p[:, [1, 3]].max() < 1e-6 and np.allclose(p.sum(1), 1)
    alone = ClassTerm.fit(windows.prices, start, end, np.full(len(start), 1), 2).predict_proba(described)
    assert np.allclose(alone, [0, 1])


def test_terms_find_the_planted_expansion_and_its_class(windows, fitted):
    _, without = fitted
    n, bars = windows.prices.shape[:2]
    first, length = np.divmod(without.spans.reshape(n, -1).argmax(1), bars)
    assert (np.abs(first + length / 2 - windows.span.mean(1)) <= 3).mean() > 0.9
    assert (without.logits.argmax(1) == windows.target).mean() > 0.8
    np.testing.assert_allclose(np.exp(without.spans.astype(float)).sum((1, 2)), 1, atol=1e-4)


def test_what_is_said_of_a_training_window_does_not_depend_on_its_own_class(windows, monkeypatch):
    monkeypatch.setattr(terms, "fit_temperature", lambda p, target: 1.0)  # one number, which all windows share
    full, without = fit_terms(windows.prices, windows.span, windows.group, windows.target, windows.classes)
    other = windows.target.copy()
    other[7] = 1 - other[7]
    changed, without_it = fit_terms(windows.prices, windows.span, windows.group, other, windows.classes)
    np.testing.assert_array_equal(without_it.logits[7], without.logits[7])
    np.testing.assert_array_equal(without_it.spans, without.spans)
    assert not np.allclose(changed(windows.prices[7:8]).logits, full(windows.prices[7:8]).logits, atol=1e-3)


def test_terms_do_not_depend_on_unit_and_direction(windows, fitted):
    full, _ = fitted
    plain = full(windows.prices)
    for changed in (windows.prices * 3 + 50, 500 - windows.prices[:, :, [0, 2, 1, 3]]):
        again = full(changed)
        np.testing.assert_allclose(again.spans, plain.spans, atol=1e-3)
        np.testing.assert_allclose(again.logits, plain.logits, atol=1e-3)


def test_terms_are_the_same_from_their_arrays(windows, fitted):
    full, _ = fitted
    arrays = full.arrays()
    assert all(name.startswith("statistics.") and value.dtype != object for name, value in arrays.items())
    again = SpanTerms.from_arrays(arrays)(windows.prices)
    np.testing.assert_array_equal(again.spans, full(windows.prices).spans)
    np.testing.assert_array_equal(again.logits, full(windows.prices).logits)


def test_windows_without_expansion_and_few_groups_are_fitted_too(windows):
    span = windows.span.copy()
    span[::4] = np.nan
    _, without = fit_terms(windows.prices, span, windows.group, None, 2)
    assert without.logits is None and np.isfinite(without.spans).all()
    full, same = fit_terms(windows.prices, windows.span, np.zeros(48, int), windows.target, 2)
    np.testing.assert_array_equal(same.spans, full(windows.prices).spans)
