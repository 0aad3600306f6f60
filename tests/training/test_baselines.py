"""Fits of models that are no networks, one after another and side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from moola_core.training import baselines
from moola_core.training.baselines import fit_baseline, fit_baselines
from tests.training.test_replicas import folds_of
from tests.training.windows import make_inputs, make_spec


def priced(n):
    """Windows with prices: a walk, higher where the class is the second, with a larger move in its expansion."""
    inputs, rng = make_inputs(n, length=30), np.random.default_rng(3)
    moves = rng.normal(0, 1, (n, 30))
    for row, start in enumerate(inputs.start.astype(int)):
        moves[row, start : start + 3] += 4 * (1 if inputs.label[row] == "class1" else -1)
    close = 1000 + moves.cumsum(1)
    before = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    ohlc = np.stack([before, np.maximum(before, close) + 0.5, np.minimum(before, close) - 0.5, close], axis=2)
    return replace(inputs, prices=ohlc)


@pytest.mark.parametrize("estimator", [pytest.param("extra_trees", marks=pytest.mark.soak), "locate_then_classify"])
def test_fits_side_by_side_have_the_same_numbers_as_one_after_another(monkeypatch, estimator):
    inputs = priced(60)
    made = {}
    for processes in (1, 2):
        spec, events = make_spec(estimator=estimator, folds=4, processes=processes), []
        folds = folds_of(inputs, spec)
        monkeypatch.setattr(baselines, "WORTH_S", 0.0)
        fits = {(one.repeat, one.fold): one for one in fit_baselines(spec, inputs, folds, events.append)}
        told = [(event.type, event.repeat, event.fold) for event in events]
        assert len(fits) == len(folds) and len(set(told)) == 2 * len(folds) == len(told)
        made[processes] = fits
    for fit, one in made[1].items():
        other = made[2][fit]
        assert np.array_equal(one.test, other.test)
        assert np.abs(one.probabilities - other.probabilities).max() < 1e-9
        if one.start_pred is not None:
            assert np.array_equal(one.start_pred, other.start_pred)


def test_short_fits_start_no_processes(monkeypatch):
    monkeypatch.setattr(baselines, "side_by_side", lambda *given: pytest.fail("it is not worth a process"))
    inputs, spec = priced(60), make_spec(estimator="logistic", folds=4, processes=2)
    assert len(list(fit_baselines(spec, inputs, folds_of(inputs, spec), lambda event: None))) == 4


@pytest.mark.parametrize("estimator", ["logistic", "minirocket", "locate_then_classify"])
def test_a_fit_has_the_same_numbers_whatever_the_threads_of_the_process(estimator):
    inputs = priced(60)
    spec = make_spec(estimator=estimator, folds=4)
    fold, made = folds_of(inputs, spec)[0], []
    for threads in (1, 4):
        with threadpool_limits(threads, user_api="blas"):
            made.append(fit_baseline(spec, inputs, fold))
            assert {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"} == {threads}
    assert np.array_equal(made[0].probabilities, made[1].probabilities)
    assert np.array_equal(made[0].start_pred, made[1].start_pred, equal_nan=True)
