"""How well predicted classes match the true ones. Classes are fixed, so one that is never predicted still counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moola_core.metrics.metric import Metric, Predictions, measure, ratio


def counts(p: Predictions) -> np.ndarray:
    """Correct, true and predicted windows by class, and all windows: shape (..., n, 3 C + 1)."""
    number = np.arange(len(p.classes))
    true, predicted = p.target[..., None] == number, p.predicted[..., None] == number
    return np.concatenate([true & predicted, true, predicted, np.ones((*p.target.shape, 1))], axis=-1)


def _parts(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    correct, true, predicted = np.split(sums[..., :-1], 3, axis=-1)
    return correct, true, predicted


def _f1(sums: np.ndarray, p: Predictions) -> np.ndarray:
    correct, true, predicted = _parts(sums)
    return ratio(2 * correct, true + predicted)


def _recall(sums: np.ndarray, p: Predictions) -> np.ndarray:
    correct, true, _ = _parts(sums)
    return ratio(correct, true)


def _precision(sums: np.ndarray, p: Predictions) -> np.ndarray:
    correct, _, predicted = _parts(sums)
    return ratio(correct, predicted)


def _f1_macro(sums: np.ndarray, p: Predictions) -> np.ndarray:
    return _f1(sums, p).mean(-1)


def _recall_min(sums: np.ndarray, p: Predictions) -> np.ndarray:
    return _recall(sums, p).min(-1)


def _accuracy(sums: np.ndarray, p: Predictions) -> np.ndarray:
    return ratio(_parts(sums)[0].sum(-1), sums[..., -1], np.nan)


def _majority(sums: np.ndarray, p: Predictions) -> np.ndarray:
    return ratio(_parts(sums)[1].max(-1), sums[..., -1], np.nan)


def majority(target: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Accuracy and macro F1 of always predicting the most frequent class.

    Parameters
    ----------
    target : ndarray of int, shape (n,)
        True class numbers.
    classes : sequence of str
        Class names; a class that does not occur counts with an F1 of 0.

    Returns
    -------
    dict of str to float
        ``accuracy`` and ``f1_macro``.
    """
    most = np.bincount(target, minlength=len(classes)).argmax()
    constant = Predictions(tuple(classes), target, np.eye(len(classes))[np.full(len(target), most)])
    return {name: float(value) for name, value in measure(constant, names=["accuracy", "f1_macro"]).items()}


def confusion(p: Predictions) -> np.ndarray:
    """Confusion matrix of predictions without leading dimensions.

    Parameters
    ----------
    p : Predictions
        Target and predicted classes of shape (n,).

    Returns
    -------
    ndarray of int, shape (C, C)
        Counts of windows: rows are true classes, columns predicted ones, in the order of `p.classes`.
    """
    size = len(p.classes)
    return np.bincount(p.target * size + p.predicted, minlength=size**2).reshape(size, size)


MEMBERS = (
    Metric(
        name="f1_macro",
        shown=("scores", "terminal", "arms"),
        monitored=True,
        compared=True,
        title="Macro F1",
        better="higher",
        task="class",
        low=0.60,
        statistics=counts,
        value=_f1_macro,
        description="Unweighted mean of the classes' F1 (scikit-learn's f1_score with average='macro', zero_division=0).",
    ),
    Metric(
        name="accuracy",
        shown=("scores", "terminal", "arms"),
        title="Accuracy",
        better="higher",
        task="class",
        statistics=counts,
        value=_accuracy,
        description="Share of windows whose class is right.",
    ),
    Metric(
        name="majority_accuracy",
        shown=("terminal",),
        title="Accuracy of the most frequent class",
        better="neither",
        task="class",
        statistics=counts,
        value=_majority,
        description="Accuracy of always predicting the most frequent class.",
    ),
    Metric(
        name="recall_min",
        shown=("terminal",),
        title="Recall of the weakest class",
        better="higher",
        task="class",
        statistics=counts,
        value=_recall_min,
        description="The smallest recall among the classes.",
    ),
    Metric(
        name="f1",
        shown=("scores",),
        order=1,  # after recall and precision
        compared=True,
        title="F1",
        better="higher",
        task="class",
        by_class=True,
        statistics=counts,
        value=_f1,
        description="Harmonic mean of a class's precision and recall; 0 where the class is neither true nor predicted.",
    ),
    Metric(
        name="recall",
        shown=("scores",),
        low=0.40,
        monitored=True,
        compared=True,
        title="Recall",
        better="higher",
        task="class",
        by_class=True,
        statistics=counts,
        value=_recall,
        description="Share of a class's windows that are predicted as it; 0 where the class does not occur.",
    ),
    Metric(
        name="precision",
        shown=("scores",),
        title="Precision",
        better="higher",
        task="class",
        by_class=True,
        statistics=counts,
        value=_precision,
        description="Share of the windows predicted as a class that are of it; 0 where it is never predicted.",
    ),
)
