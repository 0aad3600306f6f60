"""What each window adds to a metric: the values from which intervals and verdicts are made."""

from __future__ import annotations

import numpy as np

from moola_core.metrics.metric import METRICS, Metric, Predictions

STEP = 1e-5  # of the numerical derivative, as a share of a sum; its error is of the order of its square


def influence(predictions: Predictions, name: str) -> np.ndarray:
    """What each window adds to a metric.

    Parameters
    ----------
    predictions : Predictions
        Without leading dimensions.
    name : str
        A metric of statistics or of a score.

    Returns
    -------
    ndarray of float, shape (n,) or (n, C)
        Values whose mean is the metric and whose spread over windows is that of the metric (Hampel 1974): with θ = g(S), S the sum of the
        windows' statistics s, they are θ + g'(S) · (n s − S).
    """
    metric = METRICS[name]
    if metric.influence is not None:
        return metric.influence(predictions)
    if metric.statistics is None or metric.value is None:
        return _reweighted(metric, predictions)
    each = metric.statistics(predictions).astype(float)
    total, n = each.sum(0), len(each)
    step = STEP * np.maximum(np.abs(total), 1.0) * np.eye(len(total))
    value = metric.value(total, predictions)
    slope = metric.value(total + step, predictions) - metric.value(total - step, predictions)
    slope = (slope.T / (2 * np.diag(step))).T
    return value + (n * each - total) @ slope


def _reweighted(metric: Metric, predictions: Predictions) -> np.ndarray:
    """The influence on a score by measuring it with a little more weight on each window."""
    assert metric.score is not None
    n, rows = len(predictions.target), []
    value = metric.score(predictions, np.ones((1, n)))[0]
    for part in np.array_split(np.arange(n), max(1, n // 200)):
        tilted = metric.score(predictions, 1 + STEP * (n * np.eye(n)[part] - 1))
        rows.append(value + (tilted - value) / STEP)
    return np.concatenate(rows)
