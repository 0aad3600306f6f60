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


def placements(target: np.ndarray, probabilities: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What each window adds to the AUROC among the windows of a fold.

    Parameters
    ----------
    target : ndarray of int, shape (n,)
        True class numbers.
    probabilities : ndarray of float, shape (n, C)
        Predicted probabilities.
    fold : ndarray of int, shape (n,)
        Which model predicted each window.

    Returns
    -------
    ndarray of float, shape (n,)
        Values whose mean is the AUROC among the windows of a fold, mean over the folds by their windows and over the classes, each
        against the rest. Around it lie the placements of DeLong, DeLong and Clarke-Pearson (1988) among all windows, so that their spread
        is that of the AUROC: a fold of a few chains of windows is too small to show it. nan where a class is absent, and where no
        fold holds two classes, as when each window is a fold.
    """
    values = []
    for c in range(probabilities.shape[1]):
        score, inside = np.round(probabilities[:, c], 10), target == c  # scores that differ by rounding alone are tied
        m, k = int(inside.sum()), int((~inside).sum())
        if not (m and k):
            return np.full(len(target), np.nan)
        placed = np.where(inside, _below(score, score[~inside]), 1 - _below(score, score[inside]))
        pooled = placed[inside].mean()
        areas, sizes = [], []
        for number in np.unique(fold):
            rows = fold == number
            areas.append(float(area_under_roc(score[rows], inside[rows], np.ones(int(rows.sum())))))
            sizes.append(int(rows.sum()) if np.isfinite(areas[-1]) else 0)
        if not any(sizes):
            return np.full(len(target), np.nan)
        area = float(np.average(np.nan_to_num(areas), weights=sizes))
        values.append(area + (placed - pooled) * np.where(inside, (m + k) / m, (m + k) / k))
    return np.mean(values, axis=0)


def _below(score: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of the others below each score, ties counting half."""
    others = np.sort(others)
    return (np.searchsorted(others, score, "left") + np.searchsorted(others, score, "right")) / (2 * len(others))


def _influence(p: Predictions) -> np.ndarray:
    assert p.probabilities is not None
    fold = np.zeros(p.target.shape, int) if p.fold is None else p.fold
    return placements(p.target, p.probabilities, fold)


def _within_folds(score: Callable[[Predictions, np.ndarray], np.ndarray]):
    """The mean of a score over the folds that allow it, by their windows' weight; over all windows where no folds are known."""

    def mean(p: Predictions, weight: np.ndarray) -> np.ndarray:
        if p.fold is None:
            return score(p, weight)
        inside = [weight * (p.fold == fold) for fold in np.unique(p.fold)]
        values, size = np.stack([score(p, own) for own in inside]), np.stack([own.sum(-1) for own in inside])
        size = np.where(np.isfinite(values), np.broadcast_to(size, values.shape), 0.0)
        return ratio((np.nan_to_num(values) * size).sum(0), size.sum(0), np.nan)

    return mean


MEMBERS = (
    Metric(
        name="auroc",
        shown=("scores", "terminal", "arms"),
        title="AUROC",
        better="higher",
        task="class",
        of_probabilities=True,
        compared=True,
        score=_within_folds(_over_classes(area_under_roc)),
        influence=_influence,
        description=(
            "Area under the ROC curve among the windows of a fold, mean over folds, since models of different folds have no common "
            "scale; for three classes and more the unweighted mean of each class against the rest (scikit-learn's roc_auc_score with multi_class='ovr')."
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
