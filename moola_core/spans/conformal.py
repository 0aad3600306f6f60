"""Conformal prediction (Vovk et al. 2005; Vovk 2015 across folds), whatever the model: sets of spans that hold the labelled one with a given
probability, and how unusual the score of a new window is."""

from __future__ import annotations

import numpy as np


def radius(scores: np.ndarray, group: np.ndarray, level: float) -> float:
    """How far a set must reach to hold the next group's windows with probability `level`.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        How far each calibration window's label lies from its prediction.
    group : ndarray, shape (n,)
        Equal for windows that share bars: only the groups are exchangeable, so each has the same weight (Dunn, Wasserman and Ramdas 2023).
    level : float
        Between 0 and 1.

    Returns
    -------
    float
        Infinite where there are too few groups for the level.
    """
    _, number, size = np.unique(group, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    # The next group counts too, as one that lies beyond all.
    covered = (1 / size[number[order]]).cumsum() / (len(size) + 1)
    enough = np.flatnonzero(covered >= level - 1e-12)
    return float(scores[order[enough[0]]]) if len(enough) else np.inf


def cross_conformal(scores: np.ndarray, fold: np.ndarray, group: np.ndarray, level: float) -> np.ndarray:
    """The radius [n] of each window's set, from the scores [n] of the other folds' windows; nan where the score is not known."""
    radii = np.full(len(scores), np.nan)
    known = np.isfinite(scores)
    for number in np.unique(fold[known]):
        own = known & (fold == number)
        # A group that reaches into this fold says nothing about it that is new.
        others = known & (fold != number) & ~np.isin(group, group[own])
        radii[own] = radius(scores[others], group[others], level) if others.any() else np.inf
    return radii


def cross_p_value(scores: np.ndarray, labelled: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """How unusually low the scores of new windows are among those of labelled ones, each compared by the fit that did not see the latter.

    Parameters
    ----------
    scores : ndarray, shape (F, m)
        Scores of m new windows by the fit of each fold, in the order of the folds' numbers.
    labelled : ndarray, shape (n,)
        Out-of-fold scores of the labelled windows.
    fold : ndarray of int, shape (n,)
        Which row of `scores` is of the fit that gave each labelled window its score.

    Returns
    -------
    ndarray, shape (m,)
        (k + 1) / (n + 1), where k of the labelled windows score no higher. A new window that is like them has a value of at most p with
        probability p.
    """
    no_higher = np.zeros(scores.shape[1], int)
    for number, own in enumerate(scores):
        no_higher += np.searchsorted(np.sort(labelled[fold == number]), own, side="right")
    return (no_higher + 1) / (len(labelled) + 1)
