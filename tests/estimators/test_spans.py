"""The span model against slow references, and what must not change its answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import softmax

from moola_core.estimators import ESTIMATORS
from moola_core.estimators.spans.conditional_logit import fit_weights
from moola_core.estimators.spans.locate_then_classify import LocateThenClassify
from moola_core.estimators.spans.shapes import shape_statistics
from moola_core.estimators.spans.statistics import names, span_statistics
from moola_core.spans.candidates import Candidates, plausible
from moola_core.spans.decoding import best_spans, decode, per_bar
from moola_core.spans.noise import LabelNoise
from tests.estimators.windows import make_windows


@pytest.fixture(scope="module")
def fitted():
    windows = make_windows(80)
    return windows, LocateThenClassify().fit(windows.prices[:60], windows.target[:60], windows.span[:60])


def test_candidates_are_all_spans_that_the_labels_make_plausible():
    start, end = np.array([5, 9, 12]), np.array([8, 12, 19])
    spans = plausible(start, end, 30)
    expected = {(s, s + d) for d in range(3, 8) for s in range(3, 15) if 6 <= s + d <= 21}
    assert set(zip(spans.start.tolist(), spans.end.tolist(), strict=True)) == expected


def test_where_labels_vary_widely_the_spans_are_few_and_one_is_near_every_label():
    rng = np.random.default_rng(0)
    start = rng.integers(0, 300, 200)
    end = np.minimum(start + rng.integers(5, 190, 200), 499)
    spans = plausible(start, end, 500)
    apart = np.abs(spans.start - start[:, None]) + np.abs(spans.end - end[:, None])
    assert len(spans) < 2500 and apart.min(1).max() <= 3 * spans.step_bars + 6


def test_decoding_is_exact_against_trying_every_center():
    rng = np.random.default_rng(1)
    spans = plausible(np.array([5, 20]), np.array([9, 30]), 40)
    posterior, noise = rng.dirichlet(np.full(len(spans), 0.05), 6), LabelNoise(1.5, 0.1)
    span, confidence = decode(posterior, spans, noise)
    centers = np.arange(spans.twice_center.min(), spans.twice_center.max() + 1) / 2
    draws = 40_000
    scatter = 1.5 / np.sqrt(2) * rng.standard_normal(draws)
    for p, center, stated in zip(posterior, span.mean(1), confidence, strict=True):
        true = rng.choice(len(spans), draws, p=p)
        labelled = np.where(rng.random(draws) < 0.1, rng.choice(centers, draws), spans.twice_center[true] / 2 + scatter)
        within = [(np.abs(labelled - c) <= 3.25).mean() for c in centers]
        assert stated == pytest.approx(within[int(np.flatnonzero(centers == center)[0])], abs=0.03)
        assert max(within) <= stated + 0.03
    np.testing.assert_array_equal(span, span.round())


def test_the_best_spans_and_the_bars_are_those_of_sorting_and_adding():
    rng = np.random.default_rng(2)
    spans = plausible(np.array([3, 10]), np.array([6, 15]), 20)
    posterior = rng.dirichlet(np.ones(len(spans)), 4)
    top, p = best_spans(posterior, 5)
    np.testing.assert_array_equal(top, np.argsort(-posterior, axis=1, kind="stable")[:, :5])
    np.testing.assert_allclose(p, np.sort(posterior, axis=1)[:, ::-1][:, :5])
    bars = np.zeros((4, 20, 3))
    for row in range(4):
        for span, probability in enumerate(posterior[row]):
            s, e = spans.start[span], spans.end[span]
            bars[row, s, 0] += probability
            bars[row, e, 1] += probability
            bars[row, s : e + 1, 2] += probability
    np.testing.assert_allclose(per_bar(posterior, spans), bars, atol=1e-12)


def test_the_fit_is_the_largest_likelihood_that_a_general_optimiser_finds():
    rng = np.random.default_rng(3)
    described = rng.standard_normal((25, 12, 4)).astype(np.float32)
    truth = np.array([1.5, -1.0, 0.5, 0.0])
    true = np.array([rng.choice(12, p=p) for p in softmax(described @ truth, axis=-1)])
    likelihood = np.where(np.arange(12) == true[:, None], 0.8, 0.2 / 11)

    def loss(w):
        return -np.log((softmax(described.astype(float) @ w, axis=-1) * likelihood).sum(1)).sum() + 0.5 * w @ w

    expected = minimize(loss, np.zeros(4)).x
    np.testing.assert_allclose(fit_weights(described, likelihood, 1.0), expected, atol=5e-3)


@pytest.mark.parametrize("scatter, misplaced", [pytest.param(0.0, 0.0, marks=pytest.mark.soak), (2.0, 0.15)])
def test_the_scatter_of_the_labels_is_read_from_them(scatter, misplaced):
    windows = make_windows(160, bars=60, strength=3.0)
    rng = np.random.default_rng(4)
    span = windows.span + np.round(scatter * rng.standard_normal(windows.span.shape))
    astray = rng.random(160) < misplaced
    span[astray, 0] = rng.integers(5, 45, astray.sum())
    span[astray, 1] = span[astray, 0] + 6
    span[:, 1] = np.maximum(span[:, 1], span[:, 0])
    model = LocateThenClassify(general=False).fit(windows.prices, None, np.clip(span, 0, 59))
    noise = model.locator_.noise_
    assert abs(noise.scatter_bars - scatter) <= 0.6
    assert abs(noise.misplaced_frac - misplaced) <= 0.1


def test_it_finds_planted_expansions_and_their_class_where_no_window_was_seen(fitted):
    windows, model = fitted
    located = model.predict_spans(windows.prices[60:])
    assert (np.abs(located.span.mean(1) - windows.span[60:].mean(1)) <= 3).mean() >= 0.9
    assert (model.predict(windows.prices[60:]) == windows.target[60:]).mean() >= 0.9


@pytest.mark.parametrize("change", ["mirrored", "rescaled", "shifted"])
def test_a_mirrored_rescaled_or_shifted_window_has_the_same_answer(fitted, change):
    windows, model = fitted
    prices = windows.prices[60:]
    other = {
        "mirrored": 200 - prices[:, :, [0, 2, 1, 3]],
        "rescaled": prices * 40,
        "shifted": prices + 5000,
    }[change]
    np.testing.assert_allclose(model.locator_.posterior(other), model.locator_.posterior(prices), atol=2e-3)
    np.testing.assert_allclose(model.predict_proba(other), model.predict_proba(prices), atol=5e-3)


def _slow_shape(prices: np.ndarray, s: int, e: int) -> list[float]:
    """A few of the statistics of one window, by the bar."""
    unit = np.mean([high - low for _, high, low, _ in prices])
    bars = [[value / unit for value in bar] for bar in prices]
    if bars[e][3] < bars[s][0]:
        bars = [[-o, -low, -high, -c] for o, high, low, c in bars]
    before = bars[max(0, s - 10) : s]
    move = bars[e][3] - bars[s][0]
    net = (before[-1][3] - before[0][0]) / len(before) ** 0.5
    top = max(bar[1] for bar in before) - bars[s][0]
    return [move, e - s, net, top]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(0, 12), st.integers(0, 1000))
def test_shape_statistics_equal_a_reading_bar_by_bar(s, length, seed):
    prices = make_windows(1, seed=seed).prices
    e = min(s + length, 48)
    row = shape_statistics(prices, np.array([s]), np.array([e]))[0]
    move, bars, net, top = _slow_shape(prices[0], s, e)
    stretch = 4 + 20  # the stretch of 10 bars before the span follows that of 5 before and after
    np.testing.assert_allclose(
        [row[0], row[1], row[stretch], row[stretch + 2]], [move, bars, net, top], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("general", [False, True])
def test_every_statistic_has_a_name_and_none_is_missing(general):
    windows = make_windows(5, bars=12)
    spans = Candidates(np.array([0, 4, 0]), np.array([3, 11, 11]), 12, np.full(3, 1 / 3))
    described = span_statistics(windows.prices, spans, general)
    assert described.shape == (5, 3, len(names(spans, general))) and np.isfinite(described).all()


HARD = {
    "constant prices": lambda w: dataclasses.replace(w, prices=np.full_like(w.prices, 100.0)),
    "start is end": lambda w: dataclasses.replace(w, span=w.span[:, [0, 0]]),
    "the span is the window": lambda w: dataclasses.replace(w, span=np.tile([0.0, 49.0], (len(w.span), 1))),
    "one window without an expansion": lambda w: dataclasses.replace(
        w, span=np.where(np.arange(len(w.span))[:, None] == 3, np.nan, w.span)
    ),
    "one located window": lambda w: dataclasses.replace(
        w, span=np.where(np.arange(len(w.span))[:, None] > 0, np.nan, w.span)
    ),
    "a class of six": lambda w: dataclasses.replace(w, target=(np.arange(len(w.span)) < 6).astype(int)),
}


@pytest.mark.parametrize("case", HARD)
def test_hard_windows_are_fitted_and_predicted(case):
    windows = HARD[case](make_windows(36))
    model = ESTIMATORS["locate_then_classify"](seed=0).fit(windows)
    predicted = model.predict(windows.x, windows.prices)
    for values in (predicted.probabilities, predicted.span, predicted.spans.p_span, predicted.spans.per_bar):
        assert np.isfinite(values).all()
    assert (predicted.span[:, 0] >= 0).all() and (predicted.span[:, 1] <= 49).all()


def test_windows_of_500_bars_are_fitted():
    windows = make_windows(20, bars=500)
    model = LocateThenClassify().fit(windows.prices, windows.target, windows.span)
    assert model.predict_spans(windows.prices).span.shape == (20, 2)


def test_of_centers_that_are_as_probable_the_middle_one_is_taken_however_many_windows_are_decoded_at_once():
    start, length = (grid.ravel() for grid in np.indices((40, 5)))
    spans = Candidates(start, start + length + 3, 60, np.full(200, 1 / 200))
    centers = [decode(np.full((n, 200), 1 / 200), spans, LabelNoise(0.5, 0.02))[0].mean(1) for n in (1, 7, 64)]
    assert len(set(np.concatenate(centers).tolist())) == 1
    assert abs(centers[0][0] - spans.twice_center.mean() / 2) <= 0.5
