"""How far a run's own metrics would differ on new windows like these: intervals of influence values, and chances of passing a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import t

from moola_core.diagnostics.claims import beats_chance
from moola_core.diagnostics.intervals import LEVEL, of_windows
from moola_core.diagnostics.results import Interval
from moola_core.diagnostics.results.evaluation import Chance, Sampled
from moola_core.metrics import METRICS, Metric, Predictions
from moola_core.runs.predictions import PredictionTable

STEP = 1e-4  # of the summed weight: central differences of smooth functions of sums are then exact to about 1e-8
# Its value is biased upward and bends where a bin is empty; its interval is that of the calibration.
NOT_SMOOTH = ("ece",)
COIN = 0.50  # macro F1 and AUROC of a coin flip on two classes, and the researcher's rule for a baseline
THRESHOLDS = {"f1_macro": (COIN,), "auroc": (COIN,)}


def influence(metric: Metric, predictions: Predictions, each: np.ndarray) -> np.ndarray:
    """A metric that is a function of sums over windows, plus what each window does to it (Hampel 1974).

    Parameters
    ----------
    metric : Metric
        With `statistics` and `value`.
    predictions : Predictions
        n windows, without leading dimensions.
    each : ndarray, shape (n, m)
        The metric's statistics of each window.

    Returns
    -------
    ndarray, shape (n,) or (n, C)
        The metric, plus n times its derivative by the window's weight. The mean is the metric, for it does not change with the weights'
        scale.
    """
    assert metric.value is not None
    sums, slopes = each.sum(0), []
    for column in range(len(sums)):
        step = np.zeros_like(sums)
        step[column] = STEP * len(each)
        up, down = (metric.value(sums + sign * step, predictions) for sign in (1, -1))
        slopes.append((up - down) / (2 * STEP))
    effect = np.tensordot(each, np.stack(slopes), axes=1)
    return metric.value(sums, predictions) + effect - effect.mean(0)


def sample(table: PredictionTable, group: np.ndarray) -> dict[str, Sampled]:
    """Interval of each metric over windows and repeats, and the chance that it passes its thresholds.

    Parameters
    ----------
    table : PredictionTable
        Out-of-fold predictions.
    group : ndarray of int, shape (n,)
        Windows that share bars, in the order of the table's grid.

    Returns
    -------
    dict of str to Sampled
        By name, `NAME CLASS` for the value of a class. The mean of a metric over the repeats is the one that a run shows, but for the
        AUROC, which is that among the windows of a fold.
    """
    grid, intervals = table.grid(), dict[str, Interval | None]()
    values = _values([_sorted(own).arrays() for _, own in table.repeats()], grid.present)
    intervals |= {name: of_windows(own, group) for name, own in values.items()}
    if table.has_class and len(table.classes) > 1:
        intervals["auroc"] = beats_chance(grid, group)
    groups = len(np.unique(group))
    return {
        name: Sampled(_within_bounds(name, one), _chances(name, one, groups))
        for name, one in intervals.items()
        if one is not None
    }


def _values(repeats: Sequence[Predictions], present: np.ndarray) -> dict[str, np.ndarray]:
    """By metric, or metric and class, values [R, n] whose mean over a repeat is the metric there; nan where a repeat lacks a window."""
    values: dict[str, np.ndarray] = {}
    kinds: dict[Any, list[Metric]] = {}
    for metric in METRICS.values():
        if metric.statistics and metric.better != "neither" and metric.name not in NOT_SMOOTH:
            kinds.setdefault(metric.statistics, []).append(metric)
    for (r, predictions), (statistics, metrics) in product(enumerate(repeats), kinds.items()):
        metrics = [metric for metric in metrics if metric.task in predictions.tasks]
        each = statistics(predictions).astype(float) if metrics else np.empty(0)
        for metric in metrics:
            own = np.atleast_2d(influence(metric, predictions, each).T)
            for label, row in zip(predictions.classes if metric.by_class else ("",), own, strict=True):
                name = f"{metric.name} {label}".strip()
                values.setdefault(name, np.full(present.shape, np.nan))[r, present[r]] = row
    return values


def _within_bounds(name: str, interval: Interval) -> Interval:
    """The interval without what the metric cannot be: below 0, and of a score above 1."""
    most = 1.0 if METRICS[name.partition(" ")[0]].better == "higher" else np.inf
    return Interval(interval.value, max(0.0, interval.low), min(most, interval.high))


def _sorted(table: PredictionTable) -> PredictionTable:
    """The rows of one repeat in the order of a grid."""
    if "window_id" not in table.frame:
        return table
    return PredictionTable(table.frame.iloc[np.argsort(table.frame["window_id"].astype(str))], table.window_bars)


def _chances(name: str, interval: Interval, groups: int) -> tuple[Chance, ...]:
    """The chance of being above chance level and above each bound of the metric's target."""
    metric = METRICS[name.partition(" ")[0]]
    bounds = [bound for bound in (metric.low, metric.high) if bound is not None]
    scale = (interval.high - interval.value) / float(t.ppf((1 + LEVEL) / 2, groups - 1))
    chances = []
    for threshold in dict.fromkeys((*THRESHOLDS.get(name, ()), *bounds)):
        off = interval.value - threshold
        chance = float(t.cdf(off / scale, groups - 1)) if scale > 0 else float(0.5 * (1 + np.sign(off)))
        chances.append(Chance(threshold, chance))
    return tuple(chances)
