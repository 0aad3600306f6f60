"""Calibration: do windows that are predicted to be right with probability p turn out right so often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom

from moola_core.diagnostics import claims, intervals
from moola_core.diagnostics.recalibration import METHODS, cross_fitted
from moola_core.diagnostics.results import (
    Calibration,
    CalibrationError,
    CalibrationReport,
    Interval,
    Recalibrated,
    ReliabilityBin,
)
from moola_core.errors import DataError
from moola_core.metrics import Predictions, measure
from moola_core.metrics.probability import BINS, BRIER_CONVENTION, bin_number, brier_scale, negative_log_likelihood
from moola_core.runs.predictions import Grid, PredictionTable

DRAWS = 2000
MOST_REPEATS = 10
FOLD_BINS = 15


def calibrations(predictions: pd.DataFrame, seed: int = 0, group: claims.Groups = None) -> CalibrationReport:
    """Calibration of each repeat (the first 10), and over these repeats what the probabilities support.

    group: by window, which windows share bars. Raises DataError when the table holds no class probabilities.
    """
    repeats = sorted(int(repeat) for repeat in predictions["repeat"].unique())[:MOST_REPEATS]
    each = tuple(calibrate(predictions, repeat, seed) for repeat in repeats)
    grid = PredictionTable(predictions[predictions["repeat"].isin(repeats)]).grid()
    numbers = grid.group(group)
    beaten = claims.beats_chance(grid, numbers)
    return CalibrationReport(each, beaten, *_over_repeats(grid, numbers), BRIER_CONVENTION)


def _over_repeats(grid: Grid, group: np.ndarray) -> tuple[Interval | None, dict[str, Interval] | None]:
    """The Brier score above the one expected from the probabilities, and what each recalibration gains in log loss."""
    target, p = grid.target, grid.probabilities()
    p = p / p.sum(2, keepdims=True)
    excess = np.full(p.shape[:2], np.nan)
    gains = {method: excess.copy() for method in METHODS}
    for r, known in enumerate(np.isfinite(p[:, :, 0])):
        own, true, fold = p[r, known], target[known], grid.fold[r, known]
        excess[r, known] = _excess(own, true)
        for method, values in gains.items():
            changed, _ = cross_fitted(method, own, true, fold)
            values[r, known] = _log_losses(own, true) - _log_losses(changed, true)
    level = 1 - (1 - intervals.LEVEL) / len(gains)
    gain_intervals = {
        method: gain
        for method, values in gains.items()
        if (gain := intervals.of_windows(values, group, given=True, level=level)) is not None
    }
    return intervals.of_windows(excess, group, given=True), gain_intervals or None


def _log_losses(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """−log of the true class's probability of each window [n]."""
    return negative_log_likelihood(Predictions(tuple(map(str, range(p.shape[1]))), target, p))[:, 0]


def calibrate(predictions: pd.DataFrame, repeat: int | None = None, seed: int = 0, draws: int = DRAWS) -> Calibration:
    """Calibration of one repeat (the first by default) of a table of predictions.

    Raises DataError when the table holds no class probabilities.
    """
    repeat = int(predictions["repeat"].min()) if repeat is None else repeat
    table = PredictionTable(predictions).repeat(repeat)
    if not table.has_probabilities:
        raise DataError(
            "there are no class probabilities.", where="calibration", hint="Train the class: model.tasks=both or class."
        )
    classes, target, p = table.classes, table.target, table.probabilities
    p = p / p.sum(1, keepdims=True)  # a planted extra output takes its share
    fold = table.frame["fold"].to_numpy()
    rng = np.random.default_rng(seed)
    errors, p_value = _errors(p, target, fold, classes, (rng, draws))
    return Calibration(
        repeat,
        classes,
        len(p),
        reliability(p.max(1), p.argmax(1) == target),
        errors,
        p_value,
        brier_parts(p, target),
        spiegelhalter(p, target),
        _recalibrated(p, target, fold),
    )


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """The reliability diagram of predictions that are right [n] with probability `confidence` [n].

    Each bin with the bars that hold a calibrated bin's accuracy with probability 0.95 (Bröcker and Smith 2007).
    """
    place = bin_number(confidence, bins)
    filled_bins = []
    for i in range(bins):
        inside = place == i
        count = int(inside.sum())
        if count:
            mean = float(confidence[inside].mean())
            low, high = binom.ppf([0.025, 0.975], count, mean) / count
            filled_bins.append(
                ReliabilityBin(
                    i / bins, (i + 1) / bins, count, mean, float(right[inside].mean()), float(low), float(high)
                )
            )
    return tuple(filled_bins)


def brier_parts(p: np.ndarray, target: np.ndarray, bins: int = BINS) -> dict[str, float]:
    """Brier = reliability − resolution + uncertainty + within, as the Brier score (Murphy 1973; Stephenson et al. 2008)."""
    truth = np.eye(p.shape[1])[target]
    scale = brier_scale(p.shape[1])
    parts = dict.fromkeys(("reliability", "resolution", "uncertainty"), 0.0)
    for column, outcome in zip(p.T, truth.T, strict=True):
        place = bin_number(column, bins)
        count = np.bincount(place, minlength=bins)
        used = count > 0
        predicted = np.bincount(place, column, bins)[used] / count[used]
        observed = np.bincount(place, outcome, bins)[used] / count[used]
        weight = count[used] / len(column)
        parts["reliability"] += float(weight @ (predicted - observed) ** 2) * scale
        parts["resolution"] += float(weight @ (observed - outcome.mean()) ** 2) * scale
        parts["uncertainty"] += float(outcome.mean() * (1 - outcome.mean())) * scale
    score = float(((p - truth) ** 2).sum(1).mean()) * scale
    within = score - parts["reliability"] + parts["resolution"] - parts["uncertainty"]
    return {"brier": score, **parts, "within": within}


def spiegelhalter(p: np.ndarray, target: np.ndarray) -> float:
    """Spiegelhalter's z (1986) of the Brier score, for two classes or more: standard normal when the probabilities are calibrated."""
    squares = (p**2).sum(1)
    variance = 4 * ((p**3).sum(1) - squares**2)
    total = float(np.sqrt(variance.sum()))
    return float(_excess(p, target).sum() / total) if total > 0 else 0.0


def _excess(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Each window's Brier score less the one its probabilities imply [n]; 0 on average when they are calibrated."""
    return 2 * ((p**2).sum(1) - p[np.arange(len(p)), target])


def _errors(
    p: np.ndarray, target: np.ndarray, fold: np.ndarray, classes: tuple[str, ...], how: tuple[np.random.Generator, int]
) -> tuple[tuple[CalibrationError, ...], float]:
    """Every convention's ECE with interval and null band; the p-value of the first."""
    rng, draws = how
    simulated = (rng.random((draws, len(p), 1)) > p.cumsum(1)[None, :, :-1]).sum(
        2
    )  # outcomes drawn from the probabilities
    again = rng.integers(0, len(p), (draws, len(p)))
    last = len(classes) - 1
    confidence, answer = p.max(1), p.argmax(1)
    width, mass = bin_number(confidence, BINS), _equal_mass(confidence, BINS)
    # value predicted, outcome drawn or true → whether it occurred, bin of each row, group in which bins are averaged
    conventions = {
        "top-label, 10 equal bins, pooled": (confidence, answer, width, None),
        "top-label, 10 bins of equal mass, pooled": (confidence, answer, mass, None),
        f"P({classes[last]}), 10 equal bins, pooled": (p[:, last], last, bin_number(p[:, last], BINS), None),
        "top-label, 10 equal bins, mean of folds": (confidence, answer, width, fold),
        f"P({classes[last]}), 15 equal bins, mean of folds": (
            p[:, last],
            last,
            bin_number(p[:, last], FOLD_BINS),
            fold,
        ),
    }
    judged = [
        calibration_error(name, predicted, Drawn(target == event, simulated == event, again), place, group)
        for name, (predicted, event, place, group) in conventions.items()
    ]
    return tuple(error for error, _ in judged), judged[0][1]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Whether each prediction came true [n], whether it does in d draws of a calibrated model [d, n], and row numbers drawn
    with replacement [d, n]."""

    occurred: np.ndarray
    simulated: np.ndarray
    again: np.ndarray


def draw(confidence: np.ndarray, right: np.ndarray, seed: int = 0, draws: int = DRAWS) -> Drawn:
    """The draws for predictions that are right [n] with probability `confidence` [n]."""
    rng, n = np.random.default_rng(seed), len(confidence)
    return Drawn(right, rng.random((draws, n)) < confidence, rng.integers(0, n, (draws, n)))


def calibration_error(
    convention: str, predicted: np.ndarray, drawn: Drawn, place: np.ndarray, group: np.ndarray | None = None
) -> tuple[CalibrationError, float]:
    """The ECE of probabilities [n] in bins `place` [n], averaged over the parts of `group` [n], and its p-value."""
    parts = [np.arange(len(predicted))] if group is None else [np.flatnonzero(group == i) for i in np.unique(group)]
    value = float(_gap(predicted, drawn.occurred[None], place, parts)[0])
    null = _gap(predicted, drawn.simulated, place, parts)
    low, high = np.quantile(_resampled(predicted, drawn.occurred, place, group, drawn.again), [0.025, 0.975])
    error = CalibrationError(
        convention, value, float(low), float(high), float(np.median(null)), float(np.quantile(null, 0.95))
    )
    return error, float((1 + (null >= value - 1e-12).sum()) / (1 + len(null)))


def _gap(predicted: np.ndarray, observed: np.ndarray, place: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """ECE [d] of d sets of outcomes came [d, n], averaged over `parts` (row numbers)."""
    total = np.zeros(len(observed))
    for rows in parts:
        bins = np.eye(place.max() + 1)[place[rows]]
        total += np.abs((observed[:, rows] - predicted[rows]) @ bins).sum(1) / len(rows)
    return total / len(parts)


def _resampled(
    predicted: np.ndarray, observed: np.ndarray, place: np.ndarray, group: np.ndarray | None, again: np.ndarray
) -> np.ndarray:
    """ECE [d] of windows drawn with replacement: again [d, n] row numbers."""
    bins, groups = (
        int(place.max()) + 1,
        np.zeros(len(predicted), int) if group is None else np.unique(group, return_inverse=True)[1],
    )
    cells = groups * bins + place
    count = int(cells.max()) + 1
    key = cells[again] + count * np.arange(len(again))[:, None]
    gap = np.bincount(key.ravel(), (observed - predicted)[again].ravel(), len(again) * count).reshape(len(again), count)
    size = np.bincount(
        (groups[again] + (groups.max() + 1) * np.arange(len(again))[:, None]).ravel(),
        minlength=len(again) * (groups.max() + 1),
    )
    size = size.reshape(len(again), -1)
    owner = np.arange(count) // bins
    return np.stack([np.abs(gap[:, owner == g]).sum(1) / np.maximum(size[:, g], 1) for g in range(size.shape[1])]).mean(
        0
    )


def _equal_mass(values: np.ndarray, bins: int) -> np.ndarray:
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return rank * bins // len(values)


def _recalibrated(p: np.ndarray, target: np.ndarray, fold: np.ndarray) -> tuple[Recalibrated, ...]:
    rows = [_measure("as it is", p, target, None)]
    for method in METHODS:
        changed, parameter = cross_fitted(method, p, target, fold)
        rows.append(_measure(method, changed, target, parameter))
    return tuple(rows)


def _measure(method: str, p: np.ndarray, target: np.ndarray, parameter: float | None) -> Recalibrated:
    names = ("ece", "log_loss", "brier", "accuracy")
    values = measure(Predictions(tuple(map(str, range(p.shape[1]))), target, p), names=names)
    ece, log_loss, brier, accuracy = (float(values[name]) for name in names)
    return Recalibrated(method, ece, log_loss, brier, accuracy, parameter)
