"""How far a run's own metrics would differ on new windows like these: intervals, and chances of passing a threshold."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.intervals import ONE_MODEL, Estimate, estimate
from moola_core.diagnostics.results import Interval
from moola_core.diagnostics.results.evaluation import Chance, Sampled
from moola_core.metrics import METRICS, influence
from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable

# Its value is biased upward and bends where a bin is empty; its interval is that of the calibration.
NOT_SMOOTH = ("ece",)
COIN = 0.50  # macro F1 and AUROC of a coin flip on two classes, and the researcher's rule for a baseline
THRESHOLDS = {"f1_macro": (COIN,), "auroc": (COIN,)}


def sample(table: PredictionTable, shared: Overlap) -> dict[str, Sampled]:
    """Interval of each metric over windows and repeats, and the chance that it passes its thresholds.

    Parameters
    ----------
    table : PredictionTable
        Out-of-fold predictions.
    shared : Overlap
        Which windows share bars, in the order of the table's grid.

    Returns
    -------
    dict of str to Sampled
        By name, `NAME CLASS` for the value of a class: the metrics that are functions of sums over windows, and the AUROC.
    """
    sampled = {}
    for name, values in _values(table).items():
        mean = estimate(values, shared, ONE_MODEL)
        if mean is not None:
            sampled[name] = Sampled(_within_bounds(name, mean.interval()), _chances(name, mean), mean.freedom)
    return sampled


def _values(table: PredictionTable) -> dict[str, np.ndarray]:
    """By metric, or metric and class, what each window adds to it [R, n]; nan where a repeat lacks a window."""
    present = table.grid().present
    values: dict[str, np.ndarray] = {}
    for r, (_, rows) in enumerate(table.repeats()):
        predictions = _sorted(rows).arrays()
        for name, metric in METRICS.items():
            smooth = metric.statistics is not None and metric.better != "neither" and name not in NOT_SMOOTH
            if not metric.measures(predictions) or not (smooth or metric.influence is not None):
                continue
            own = np.atleast_2d(influence(predictions, name).T)
            for label, row in zip(predictions.classes if metric.by_class else ("",), own, strict=True):
                values.setdefault(f"{name} {label}".strip(), np.full(present.shape, np.nan))[r, present[r]] = row
    return values


def _within_bounds(name: str, interval: Interval) -> Interval:
    """The interval without what the metric cannot be."""
    return interval.within(*METRICS[name.partition(" ")[0]].bounds)


def _sorted(table: PredictionTable) -> PredictionTable:
    """The rows of one repeat in the order of a grid."""
    if "window_id" not in table.frame:
        return table
    return PredictionTable(table.frame.iloc[np.argsort(table.frame["window_id"].astype(str))], table.window_bars)


def _chances(name: str, mean: Estimate) -> tuple[Chance, ...]:
    """The chance of being above chance level and above each bound of the metric's target."""
    metric = METRICS[name.partition(" ")[0]]
    bounds = [bound for bound in (metric.low, metric.high) if bound is not None]
    return tuple(Chance(bound, mean.above(bound)) for bound in dict.fromkeys((*THRESHOLDS.get(name, ()), *bounds)))
