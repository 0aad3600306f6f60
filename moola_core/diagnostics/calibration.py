"""Calibration: do windows that are predicted to be right with probability p turn out right so often."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

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
from moola_core.overlap import Overlap
from moola_core.runs.predictions import Grid, PredictionTable

DRAWS = 2000
# Half of what a 95% interval leaves out on a side: probabilities of cross-validation depend on the labels that they are compared with
# (each label helped to train the other folds), and with .025 the interval held the truth in 90 to 94% of runs on noise (`benchmarks/noise.py`).
TAIL = 0.0125
STEPS, INVERTED = 25, 500
MOST_REPEATS = 10
FOLD_BINS = 15


def calibrations(predictions: pd.DataFrame, seed: int = 0, known: Overlap | None = None) -> CalibrationReport:
    """Calibration of each repeat (the first 10), and over these repeats what the probabilities support.

    known: which windows share bars. Raises DataError when the table holds no class probabilities.
    """
    repeats = sorted(int(repeat) for repeat in predictions["repeat"].unique())[:MOST_REPEATS]
    each = tuple(calibrate(predictions, repeat, seed, known=known) for repeat in repeats)
    grid = PredictionTable(predictions[predictions["repeat"].isin(repeats)]).grid()
    shared = grid.shared(known)
    beaten = claims.beats_chance(grid, shared)
    return CalibrationReport(each, beaten, *_over_repeats(grid, shared), BRIER_CONVENTION)


def _over_repeats(grid: Grid, shared: Overlap) -> tuple[Interval | None, dict[str, Interval] | None]:
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
        if (gain := intervals.of_windows(values, shared, given=True, level=level)) is not None
    }
    return intervals.of_windows(excess, shared, given=True), gain_intervals or None


def _log_losses(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """−log of the true class's probability of each window [n]."""
    return negative_log_likelihood(Predictions(tuple(map(str, range(p.shape[1]))), target, p))[:, 0]


def calibrate(
    predictions: pd.DataFrame,
    repeat: int | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    known: Overlap | None = None,
) -> Calibration:
    """Calibration of one repeat (the first by default) of a table of predictions. known: which windows share bars.

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
    names = table.frame["window_id"].astype(str) if "window_id" in table.frame else range(len(p))
    shared = Overlap.none(len(p)) if known is None else known.of(names)
    uniform = draw(shared, seed, draws)
    errors, p_value = _errors(p, target, fold, classes, uniform)
    return Calibration(
        repeat,
        classes,
        len(p),
        reliability(p.max(1), p.argmax(1) == target),
        errors,
        p_value,
        brier_parts(p, target),
        spiegelhalter(p, target, uniform if shared.independent < len(p) else None),
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


def spiegelhalter(p: np.ndarray, target: np.ndarray, uniform: np.ndarray | None = None) -> float:
    """Spiegelhalter's z (1986) of the Brier score, for two classes or more: standard normal when the probabilities are calibrated.

    uniform [d, n]: the draws of `draw`, from which the deviation of the sum is taken where windows share bars; without them windows are
    taken as independent.
    """
    if uniform is None:
        squares = (p**2).sum(1)
        total = float(np.sqrt(4 * ((p**3).sum(1) - squares**2).sum()))
    else:
        each = 2 * ((p**2).sum(1) - p[np.arange(len(p)), outcomes(p, uniform)])
        total = float(np.sqrt((each.sum(1) ** 2).mean()))
    return float(_excess(p, target).sum() / total) if total > 1e-12 else 0.0


def _excess(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Each window's Brier score less the one its probabilities imply [n]; 0 on average when they are calibrated."""
    return 2 * ((p**2).sum(1) - p[np.arange(len(p)), target])


def draw(shared: Overlap, seed: int = 0, draws: int = DRAWS) -> np.ndarray:
    """Uniform numbers [d, n] from which outcomes are drawn; those of windows that share bars are alike in proportion."""
    return norm.cdf(shared.noise(draws, np.random.default_rng(seed)))


def outcomes(p: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Class numbers [d, n] that occur with probabilities p [n, C]."""
    return (uniform[..., None] > p.cumsum(1)[None, :, :-1]).sum(2)


def _errors(
    p: np.ndarray, target: np.ndarray, fold: np.ndarray, classes: tuple[str, ...], uniform: np.ndarray
) -> tuple[tuple[CalibrationError, ...], float]:
    """Every convention's ECE with interval and null band; the p-value of the first."""
    last = len(classes) - 1
    confidence, answer = p.max(1), p.argmax(1)
    width, mass = bin_number(confidence, BINS), _equal_mass(confidence, BINS)
    # value predicted, whether it occurred, bin of each row, group in which bins are averaged
    right, of_last = answer == target, target == last
    conventions = {
        "top-label, 10 equal bins, pooled": (confidence, right, width, None),
        "top-label, 10 bins of equal mass, pooled": (confidence, right, mass, None),
        f"P({classes[last]}), 10 equal bins, pooled": (p[:, last], of_last, bin_number(p[:, last], BINS), None),
        "top-label, 10 equal bins, mean of folds": (confidence, right, width, fold),
        f"P({classes[last]}), 15 equal bins, mean of folds": (
            p[:, last],
            of_last,
            bin_number(p[:, last], FOLD_BINS),
            fold,
        ),
    }
    judged = [
        calibration_error(name, predicted, occurred, uniform, place, group)
        for name, (predicted, occurred, place, group) in conventions.items()
    ]
    return tuple(error for error, _ in judged), judged[0][1]


def calibration_error(
    convention: str,
    predicted: np.ndarray,
    occurred: np.ndarray,
    uniform: np.ndarray,
    place: np.ndarray,
    group: np.ndarray | None = None,
) -> tuple[CalibrationError, float]:
    """The ECE of probabilities [n] of what occurred or not [n], in bins `place` [n], averaged over the parts of `group` [n]; its p-value.

    uniform [d, n]: draws of `draw`. The interval is the test's inversion: the true shares of the bins are taken to be off in the direction
    that was seen, or towards the share that occurred, and the sizes are kept under which an ECE like the one seen is no surprise: what was seen
    is partly chance, and a model that was surer than it knows is off towards that share. An ECE is positive by chance alone, so resampled ones
    lie above it (an interval of their percentiles often leaves it out), and the interval may begin at 0.
    """
    parts = [np.arange(len(predicted))] if group is None else [np.flatnonzero(group == i) for i in np.unique(group)]
    value = float(_gap(predicted, occurred[None], place, parts)[0])
    null = _gap(predicted, uniform < predicted, place, parts)
    # As far as an error could be from the one that was seen, in steps.
    errors = np.linspace(0, value + 3 * np.quantile(null, 0.95), STEPS)
    directions = [_bin_gaps(predicted, occurred, place), occurred.mean() - predicted]

    def drawn(shares: np.ndarray) -> np.ndarray:
        return _gap(predicted, uniform[:INVERTED] < shares, place, parts)

    limits = [_inverted(value, predicted, _off_by(predicted, off, errors), drawn, place) for off in directions]
    lows, highs = zip(*limits, strict=True)
    low, high = min(lows), max(highs)
    error = CalibrationError(
        convention, value, low, max(high, low), float(np.median(null)), float(np.quantile(null, 0.95))
    )
    return error, float((1 + (null >= value - 1e-12).sum()) / (1 + len(null)))


def _off_by(predicted: np.ndarray, off: np.ndarray, errors: np.ndarray) -> list[np.ndarray]:
    """True shares [n] that lie off the predicted ones by multiples of `off` [n], on average by each of `errors`."""
    if not np.abs(off).max() > 1e-9:  # nothing is off: nothing to take multiples of
        off = np.full(len(off), 1 / len(off))
    return [np.clip(predicted + multiple * off, 0, 1) for multiple in errors / np.abs(off).mean()]


def _inverted(
    value: float,
    predicted: np.ndarray,
    true: list[np.ndarray],
    drawn: Callable[[np.ndarray], np.ndarray],
    place: np.ndarray,
) -> tuple[float, float]:
    """The least and the largest error of the shares in `true` under which an ECE of `value` is no surprise; drawn: ECEs under shares."""
    errors = [drawn(shares) for shares in true]
    size = np.maximum.accumulate([float(np.abs(_bin_gaps(predicted, shares, place)).mean()) for shares in true])
    above = np.maximum.accumulate([(one >= value - 1e-12).mean() for one in errors])
    below = np.minimum.accumulate([(one <= value + 1e-12).mean() for one in errors])
    low = 0.0 if above[0] > TAIL else float(np.interp(TAIL, above, size))
    return low, float(np.interp(TAIL, below[::-1], size[::-1]))


def _bin_gaps(predicted: np.ndarray, occurred: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Share that occurred less mean probability, in the bin of each row [n]."""
    count = np.maximum(np.bincount(place), 1)
    return (np.bincount(place, occurred - predicted) / count)[place]


def _gap(predicted: np.ndarray, observed: np.ndarray, place: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """ECE [d] of d sets of outcomes came [d, n], averaged over `parts` (row numbers)."""
    total, bins = np.zeros(len(observed)), int(place.max()) + 1
    for rows in parts:
        own = np.eye(bins, dtype=np.float32)[place[rows]]
        came = observed[:, rows].astype(np.float32) @ own  # counts, which float32 holds as they are in half the time
        total += np.abs(came - np.bincount(place[rows], predicted[rows], bins)).sum(1) / len(rows)
    return total / len(parts)


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
