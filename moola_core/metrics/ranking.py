"""How well predicted probabilities rank the windows, whatever their scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moola_core.metrics.metric import Metric, Predictions, ratio


def area_under_roc(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half (Mann and Whitney 1947).

    Parameters
    ----------
    score, positive, weight : ndarray, shape (..., n)
        Scores, whether each is positive, and weights; broadcast against each other.

    Returns
    -------
    ndarray, shape (...)
        nan where there is no positive or no negative.

    Examples
    --------
    >>> float(area_under_roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.ones(4)))
    0.75
    """
    score, (positive, weight) = _ranked(score, positive, weight)
    up, down = weight * positive, weight * ~positive
    first, last = _ties(score)
    below = np.concatenate([np.zeros((*down.shape[:-1], 1)), down.cumsum(-1)], axis=-1)
    under = np.take_along_axis(below, np.broadcast_to(first, down.shape), -1)
    tied = np.take_along_axis(below, np.broadcast_to(last + 1, down.shape), -1) - under
    return ratio((up * (under + tied / 2)).sum(-1), up.sum(-1) * down.sum(-1), np.nan)


def average_precision(score: np.ndarray, positive: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average precision: precision at each threshold, weighted by the recall it adds (scikit-learn's average_precision_score).

    Parameters and result as of :func:`area_under_roc`.

    Examples
    --------
    >>> round(float(average_precision(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]), np.ones(4))), 2)
    0.83
    """
    score, (positive, weight) = _ranked(-np.asarray(score), positive, weight)
    up = weight * positive
    last = np.broadcast_to(_ties(score)[1], up.shape)
    precision = ratio(np.take_along_axis(up.cumsum(-1), last, -1), np.take_along_axis(weight.cumsum(-1), last, -1))
    value = ratio((up * precision).sum(-1), up.sum(-1), np.nan)
    return np.where((weight * ~positive).sum(-1) > 0, value, np.nan)


def _ranked(score: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Scores in ascending order, and the others in the same order."""
    score = np.asarray(score)
    order = np.argsort(score, axis=-1, kind="stable")
    if order.ndim == 1:
        return score[order], [np.asarray(other)[..., order] for other in others]
    shape = np.broadcast_shapes(score.shape, *(np.shape(other) for other in others))
    order = np.broadcast_to(order, shape)
    return (
        np.take_along_axis(np.broadcast_to(score, shape), order, -1),
        [np.take_along_axis(np.broadcast_to(other, shape), order, -1) for other in others],
    )


def _ties(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last place of the scores equal to each, of sorted scores (..., n)."""
    n = score.shape[-1]
    place = np.broadcast_to(np.arange(n), score.shape)
    changes = np.diff(score, axis=-1) != 0
    edge = np.ones((*score.shape[:-1], 1), bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, changes], -1), place, 0), axis=-1)
    reverse = np.where(np.concatenate([changes, edge], -1), place, n - 1)[..., ::-1]
    return first, np.minimum.accumulate(reverse, axis=-1)[..., ::-1]


def _over_classes(score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]):
    """The mean of a score of each class against the rest; nan where a class is absent."""

    def mean(p: Predictions, weight: np.ndarray) -> np.ndarray:
        assert p.probabilities is not None
        return np.mean([score(p.probabilities[..., c], p.target == c, weight) for c in range(len(p.classes))], axis=0)

    return mean


MEMBERS = (
    Metric(
        name="auroc",
        shown=("scores", "terminal"),
        title="AUROC",
        better="higher",
        task="class",
        of_probabilities=True,
        score=_over_classes(area_under_roc),
        description=(
            "Area under the ROC curve, pooled over folds; for three classes and more the unweighted mean of each class against the rest "
            "(scikit-learn's roc_auc_score with multi_class='ovr')."
        ),
    ),
    Metric(
        name="aucpr",
        shown=("scores",),
        monitored=True,
        title="AUCPR",
        better="higher",
        task="class",
        of_probabilities=True,
        score=_over_classes(average_precision),
        description="Average precision of each class against the rest, unweighted mean over all classes.",
    ),
)
