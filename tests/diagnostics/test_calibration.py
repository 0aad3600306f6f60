from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.calibration import _TemperatureScaling
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from moola_core.diagnostics.calibration import (
    _errors,
    brier_parts,
    calibrate,
    calibration_error,
    draw,
    reliability,
    spiegelhalter,
)
from moola_core.diagnostics.recalibration import METHODS, cross_fitted, temperature
from moola_core.diagnostics.results import CalibrationError
from moola_core.errors import DataError
from moola_core.metrics import Predictions, measure
from moola_core.metrics.probability import BINS, bin_number
from moola_core.overlap import Overlap


def honest(n: int = 174, classes: int = 2, seed: int = 0, sharpness: float = 1.2):
    """Probabilities and outcomes drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharpness, (n, classes))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return p, (rng.random((n, 1)) > p.cumsum(1)[:, :-1]).sum(1)


def table(p: np.ndarray, target: np.ndarray, folds: int = 5) -> pd.DataFrame:
    names = [f"c{i}" for i in range(p.shape[1])]
    columns = {f"p_{name}": p[:, i] for i, name in enumerate(names)}
    label = np.array(names)[target]
    return pd.DataFrame({"repeat": 0, "fold": np.arange(len(p)) % folds, "label": label, **columns})


def value_of(name: str, p: np.ndarray, target: np.ndarray) -> float:
    return float(measure(Predictions(tuple(map(str, range(p.shape[1]))), target, p), names=[name])[name])


def overconfident(p: np.ndarray, t: float = 0.3) -> np.ndarray:
    sharp = p ** (1 / t)
    return sharp / sharp.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_first_convention_is_torchmetrics(classes):
    p, target = honest(classes=classes)
    found = calibrate(table(p, target), draws=50)
    theirs = multiclass_calibration_error(torch.tensor(p), torch.tensor(target), classes, n_bins=10, norm="l1")
    assert found.errors[0].value == pytest.approx(float(theirs), abs=1e-6)
    assert found.errors[0].value == pytest.approx(value_of("ece", p, target))
    assert sum(part.count for part in found.bins) == found.windows == 174


def test_the_class_convention_is_torchmetrics_binary_error():
    p, target = honest()
    theirs = binary_calibration_error(torch.tensor(p[:, 1]), torch.tensor(target), n_bins=10, norm="l1")
    found = {error.convention: error for error in calibrate(table(p, target), draws=50).errors}
    assert found["P(c1), 10 equal bins, pooled"].value == pytest.approx(float(theirs), abs=1e-6)


def test_fold_means_are_means_of_the_folds():
    p, target = honest()
    slow = np.mean([value_of("ece", p[i::5], target[i::5]) for i in range(5)])
    found = {error.convention: error for error in calibrate(table(p, target), draws=50).errors}
    assert found["top-label, 10 equal bins, mean of folds"].value == pytest.approx(slow)


def first_of_all(p: np.ndarray, target: np.ndarray, uniform: np.ndarray) -> tuple[CalibrationError, float]:
    """The first convention alone: it has the p-value, and the other four take nine tenths of the time."""
    confidence, name = p.max(1), "top-label, 10 equal bins, pooled"
    return calibration_error(name, confidence, p.argmax(1) == target, uniform, bin_number(confidence, BINS))


CHAINS = Overlap(np.zeros(174, int), 21 * (np.arange(174) % 9) + 300 * (np.arange(174) // 9), 105)


@pytest.mark.parametrize("shared", [Overlap.none(174), CHAINS], ids=["independent", "chains of nine"])
@pytest.mark.parametrize("sets", [40, pytest.param(200, marks=pytest.mark.soak)])
def test_honest_probabilities_are_rejected_at_the_nominal_rate(shared, sets):
    """In chains the outcomes of windows that share bars are alike; taken as independent, they would be rejected in a quarter."""
    beyond = []
    uniform = draw(shared, 5, 400)
    for seed in range(sets):
        p, _ = honest(seed=seed)
        target = (draw(shared, 1000 + seed, 1)[0, :, None] > p.cumsum(1)[:, :-1]).sum(1)
        error, p_value = first_of_all(p, target, uniform)
        if seed == 0:
            errors, alike = _errors(p, target, np.arange(174) % 5, ("a", "b"), uniform)
            assert (errors[0], alike) == (error, p_value)
        z = spiegelhalter(p, target, uniform)
        beyond.append((error.value > error.null_95, p_value < 0.05, abs(z) > 1.96, error.low > 0))
    rate = np.mean(beyond, axis=0)
    assert (rate < 0.05 + 3 * np.sqrt(0.05 * 0.95 / sets)).all() and rate[2] > 0.01


@pytest.mark.parametrize("shared", [Overlap.none(174), CHAINS], ids=["independent", "chains of nine"])
def test_the_interval_of_the_ece_holds_the_true_error_as_often_as_it_says(shared):
    """Stated .75, true .75 − error, in one bin: the true ECE is the error."""
    stated, uniform = np.full(174, 0.75), draw(shared, 5, 400)
    for error in (0.05, 0.15):
        held = []
        for seed in range(120):
            came = draw(shared, 2000 + seed, 1)[0] < 0.75 - error
            found, _ = calibration_error("", stated, came, uniform, np.zeros(174, int))
            assert found.low <= found.value + 1e-9 and found.value <= found.high + 1e-9
            held.append(found.low <= error <= found.high)
        assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 120), error


def test_overconfidence_is_found_and_mended_by_a_temperature():
    p, target = honest(400)
    found = calibrate(table(overconfident(p), target), draws=300)
    assert found.p_value < 0.01 and found.spiegelhalter_z > 3 and found.errors[0].low > found.errors[0].null_median
    rows = {row.method: row for row in found.recalibrated}
    assert set(rows) == {"as it is", *METHODS} and rows["temperature"].parameter == pytest.approx(1 / 0.3, rel=0.3)
    assert rows["temperature"].ece < 0.5 * rows["as it is"].ece
    assert rows["temperature"].accuracy == rows["as it is"].accuracy


@pytest.mark.parametrize("classes", [2, 3])
def test_the_temperature_is_scikit_learns(classes):
    p, target = honest(300, classes)
    _, ours = temperature(overconfident(p, 0.6), target)
    theirs = _TemperatureScaling().fit(np.log(overconfident(p, 0.6)), target)
    assert 1 / ours == pytest.approx(float(theirs.beta_), rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_fold_s_map_never_sees_the_fold(method):
    p, target = honest(120, 3)
    fold = np.arange(120) % 4
    before, _ = cross_fitted(method, p, target, fold)
    flipped = np.where(fold == 2, (target + 1) % 3, target)
    after, _ = cross_fitted(method, p, flipped, fold)
    assert np.allclose(before[fold == 2], after[fold == 2]) and not np.allclose(before[fold == 1], after[fold == 1])
    assert np.allclose(before.sum(1), 1)


@pytest.mark.parametrize("classes", [2, 3])
def test_brier_parts_add_up(classes):
    p, target = honest(classes=classes)
    parts = brier_parts(p, target)
    assert parts["brier"] == pytest.approx(value_of("brier", p, target))
    assert parts["brier"] == pytest.approx(
        parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    )
    binned = np.round(p * 2) / 2  # with few values said there is nothing within a bin
    whole = brier_parts(np.column_stack([1 - binned[:, 1], binned[:, 1]]) if classes == 2 else p, target)
    assert classes == 3 or abs(whole["within"]) < 1e-9


def test_spiegelhalter_s_z_of_two_classes_is_the_textbook_s():
    p, target = honest()
    q = p[:, 1]
    slow = ((target - q) * (1 - 2 * q)).sum() / np.sqrt(((1 - 2 * q) ** 2 * q * (1 - q)).sum())
    assert spiegelhalter(p, target) == pytest.approx(slow)


def test_consistency_bars_hold_an_honest_bin():
    inside = [
        low <= accuracy <= high
        for p, target in (honest(seed=seed) for seed in range(60))
        for part in reliability(p.max(1), p.argmax(1) == target)
        for low, accuracy, high in [(part.low, part.accuracy, part.high)]
    ]
    assert np.mean(inside) > 0.93


def test_constant_answers_and_a_planted_extra_output_are_taken():
    p = np.tile([0.55, 0.35], (60, 1))  # a third output took the rest
    found = calibrate(table(p, np.arange(60) % 2), draws=50)
    assert len(found.bins) == 1 and found.bins[0].confidence == pytest.approx(0.55 / 0.9)
    assert all(np.isfinite(row.log_loss) for row in found.recalibrated)


def test_without_probabilities_it_says_why():
    rows = table(*honest()).assign(p_c0=np.nan)
    with pytest.raises(DataError, match="no class probabilities"):
        calibrate(rows)
