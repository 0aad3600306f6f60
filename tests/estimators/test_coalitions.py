"""Predictions without some groups of inputs, against their definition."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

from moola_core.diagnostics.attribution import prediction_outputs
from moola_core.diagnostics.shapley import coalitions, shapley_values
from moola_core.estimators import ESTIMATORS, Coalitions, Estimator, TrainingWindows
from moola_core.estimators.locate_then_classify import LocateThenClassifyEstimator
from moola_core.estimators.spans import shapes, statistics
from moola_core.estimators.spans.coalitions import OF_CLASS, OF_SPAN
from moola_core.estimators.spans.conditional_logit import standardise
from moola_core.estimators.spans.shapes import shape_statistics
from moola_core.estimators.spans.statistics import span_statistics
from moola_core.estimators.tabular import TabularEstimator
from moola_core.spans.candidates import plausible
from moola_core.spans.decoding import best_spans, decode
from tests.diagnostics.test_shapley import over_all_orders
from tests.estimators.windows import make_windows

pytestmark = pytest.mark.xdist_group("compiled")  # where nothing is compiled yet, each process takes 20 s for it

COLUMNS = {"first": [0], "path": [1, 3], "last": [2]}
OF_FEATURES = [name for name, kind in ESTIMATORS.items() if issubclass(kind, TabularEstimator)]
EXACT = {"scatter_bars": 0.5, "misplaced_frac": 0.02}  # given, they need not be read from held-out windows
PLANTED, OTHER = 1, 0  # of COLUMNS: the group that carries class and place, and one that carries neither


@pytest.fixture(scope="module")
def planted() -> TrainingWindows:
    """Windows whose class and place are in the features of the second group alone."""
    windows = make_windows(40, bars=20)
    x = np.random.default_rng(1).normal(size=(40, 20, 4)).astype(np.float32)
    x[:, :, 1] += np.where(windows.target, 1.5, -1.5)[:, None]
    x[:, :, 3] += windows.span[:, :1] - windows.span[:, 0].mean()
    return dataclasses.replace(windows, x=x)


@pytest.fixture(scope="module")
def span_windows() -> TrainingWindows:
    return make_windows(48)


@pytest.fixture(scope="module")
def span_model(span_windows) -> Estimator:
    return LocateThenClassifyEstimator(seed=0, general=True, penalty=4.0, **EXACT).fit(span_windows)


def outputs_of(
    model: Estimator, windows: TrainingWindows, row: int, background: np.ndarray | None = None
) -> np.ndarray:
    """The outputs [2^G, O] of every coalition of one window, with the background windows [b, K, F] in turn; the mean window unless given."""
    every = coalitions(len(model.groups(COLUMNS)))
    background = windows.x.mean(0)[None] if background is None else background
    place = np.arange(len(every)) % len(background)
    window = Coalitions(windows.x[row], windows.prices[row], background, COLUMNS, every, place)
    return prediction_outputs(model.predict_coalitions(window))


@pytest.mark.parametrize("name", OF_FEATURES)
def test_a_left_out_group_of_features_has_the_values_of_its_background_window(name, planted):
    model = ESTIMATORS[name](seed=0).fit(planted)
    assert model.groups(COLUMNS) == tuple(COLUMNS)
    for row in (0, 7):
        got = outputs_of(model, planted, row, planted.x[[2, 5]])
        mixed = planted.x[np.tile([2, 5], 4)].copy()
        for i, kept in enumerate(coalitions(3)):
            for group, own in zip(kept, COLUMNS.values(), strict=True):
                if group:
                    mixed[i][:, own] = planted.x[row][:, own]
        expected = prediction_outputs(model.predict(mixed, np.repeat(planted.prices[[row]], 8, axis=0)))
        np.testing.assert_allclose(got, expected, atol=1e-6)
        values, empty, full = shapley_values(got)
        np.testing.assert_allclose(values, over_all_orders(expected, 3), atol=1e-6)
        np.testing.assert_allclose(empty + values.sum(0), full, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in OF_FEATURES if name != "majority"])
def test_the_planted_features_rank_first(name, planted):
    model = ESTIMATORS[name](seed=0).fit(planted)
    size = np.mean([np.abs(shapley_values(outputs_of(model, planted, row))[0]) for row in range(0, 40, 4)], axis=0)
    assert (size[:, :2].argmax(0) == PLANTED).all() and (size[OTHER, :2] < size[PLANTED, :2] / 2).all()


def test_more_coalitions_than_are_predicted_at_once_have_the_same_outputs(planted, monkeypatch):
    for name in ("logistic", "majority"):
        model = ESTIMATORS[name](seed=0).fit(planted)
        at_once = outputs_of(model, planted, 3)
        monkeypatch.setattr("moola_core.estimators.estimator.ROWS", 3)
        np.testing.assert_array_equal(outputs_of(model, planted, 3), at_once)


def by_definition(model: LocateThenClassifyEstimator, prices: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The outputs of the span model for one window [K, 4], with its statistics changed and then read as ever."""
    inner, locator = model.model_, model.model_.locator_
    described = span_statistics(prices[None], locator.candidates_, locator.general_)
    standardise(described, locator.mean_, locator.std_)
    group = statistics.group_numbers(locator.candidates_, locator.general_)
    described[:, :, ~kept[: len(OF_SPAN)][group]] = 0
    posterior = softmax(locator.sharpness_ * (described.astype(float) @ locator.coef_), axis=-1)
    first, last = decode(posterior, locator.candidates_, locator.noise_)[0][0]
    top, p = best_spans(posterior, 10)
    classifier, p = inner.classifier_, p[0] / p.sum()
    start, end = locator.candidates_.start[top[0]], locator.candidates_.end[top[0]]
    rows = shape_statistics(np.repeat(prices[None], 10, axis=0), start, end)[:, classifier.kept_]
    group = shapes.group_numbers(len(prices))[classifier.kept_]
    median = classifier.models_[0].named_steps["simpleimputer"].statistics_.astype(np.float32)
    rows = np.where(kept[len(OF_SPAN) :][group], rows, median)
    odds = p @ np.mean([one.predict_proba(rows) for one in classifier.models_], axis=0)
    powers = odds ** (1 / inner.temperature_)
    logs = np.log(np.clip(powers / powers.sum(), 1e-3, 1))
    return np.array([logs[1] - logs[0], (first + last) / 2, last - first])


def test_the_span_model_without_some_statistics_is_that_of_the_definition(span_model, span_windows):
    assert span_model.groups(COLUMNS) == OF_SPAN + OF_CLASS and len(OF_SPAN + OF_CLASS) <= 12
    every = coalitions(12)
    got = outputs_of(span_model, span_windows, 5)
    for i in (0, 1, 64, 255, 256, 1024, 2730, 3000, 4094, 4095):
        expected = by_definition(span_model, span_windows.prices[5], every[i])
        np.testing.assert_allclose(got[i], expected, atol=1e-4, err_msg=str(i))
    whole = span_model.predict(span_windows.x[[5]], span_windows.prices[[5]])
    np.testing.assert_allclose(got[-1], prediction_outputs(whole)[0], atol=1e-4)


def test_values_of_the_span_model_are_those_of_all_orders(span_windows):
    windows = dataclasses.replace(span_windows, tasks="pointers")
    model = LocateThenClassifyEstimator(seed=0, general=False, penalty=4.0, **EXACT).fit(windows)
    assert model.groups(COLUMNS) == OF_SPAN
    outputs = outputs_of(model, windows, 3)
    values, empty, full = shapley_values(outputs)
    np.testing.assert_allclose(values, over_all_orders(outputs, 8), atol=1e-9)
    np.testing.assert_allclose(empty + values.sum(0), full, atol=1e-8)
    assert (values[OF_SPAN.index("span: channel and pullbacks")] == 0).all(), "it reads none"
    only = OF_SPAN.index("span: ranges after")
    locator = model.model_.locator_
    locator.coef_[statistics.group_numbers(locator.candidates_, False) != only] = 0
    values, empty, full = shapley_values(outputs_of(model, windows, 3))
    assert (np.delete(values, only, axis=0) == 0).all() and (full != empty).any()


def test_the_class_is_read_from_the_planted_statistics_and_moves_no_pointer(span_windows):
    """The class is what is given back after the expansion."""
    model = LocateThenClassifyEstimator(seed=0, general=False, penalty=4.0, **EXACT).fit(span_windows)
    values = np.stack([shapley_values(outputs_of(model, span_windows, row))[0] for row in range(0, 48, 12)])
    first = model.groups(COLUMNS)[np.abs(values[:, :, 0]).mean(0).argmax()]
    assert first in ("class: bars after", "class: given back and gone on")
    assert (values[:, len(OF_SPAN) :, 1:] == 0).all()


def test_a_span_model_without_any_expansion_is_explained_by_the_features_that_it_reads(planted):
    windows = dataclasses.replace(planted, span=np.full((40, 2), np.nan))
    model = LocateThenClassifyEstimator(seed=0).fit(windows)
    assert model.groups(COLUMNS) == tuple(COLUMNS)
    values = shapley_values(outputs_of(model, windows, 0))[0]
    assert values.shape == (3, 1) and np.abs(values[:, 0]).argmax() == PLANTED


@pytest.mark.parametrize("general", [False, True])
@pytest.mark.parametrize("bars", [12, 50])
def test_every_statistic_belongs_to_one_group(general, bars):
    windows = make_windows(6, bars=bars)
    candidates = plausible(*windows.span.T, bars)
    described = span_statistics(windows.prices, candidates, general)
    numbers = statistics.group_numbers(candidates, general)
    assert len(numbers) == described.shape[2]
    assert set(numbers) == set(range(8)) - (set() if general else {6})
    start, end = windows.span.T.astype(int)
    assert len(shapes.group_numbers(bars)) == shape_statistics(windows.prices, start, end).shape[1]
    assert set(shapes.group_numbers(bars)) == set(range(4))


def test_bars_after_the_span_change_no_statistic_of_before():
    windows = make_windows(12, bars=60)
    start, end = windows.span.T.astype(int)
    changed = windows.prices.copy()
    for i, last in enumerate(end):  # turned in time: the mean range, which scales everything, stays
        changed[i, last + 1 :] = changed[i, last + 1 :][::-1]
    before, after = (shape_statistics(prices, start, end) for prices in (windows.prices, changed))
    moved = np.isclose(before, after, atol=1e-4, equal_nan=True).all(0)
    groups = shapes.group_numbers(60)
    unchanged = {shapes.GROUPS[number] for number in np.unique(groups) if moved[groups == number].all()}
    assert unchanged == {shapes.MOVE, shapes.BEFORE}
