"""Intervals of means over windows that share bars, and over repeats; AUROC among the windows of a fold."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata, t

from moola_core.diagnostics.results.interval import Interval

LEVEL = 0.95


def of_windows(values: np.ndarray, group: np.ndarray, given: bool = False, level: float = LEVEL) -> Interval | None:
    """Interval of the mean of values [R, n] (repeats, windows; nan: not known); windows of one `group` [n] depend on each other.

    The variance over windows is that of the groups' sums (cluster-robust, with Student's t on their number less one); the one of the
    repeats' means is added to it. Of cross-validated models that is too little, for each window is tested by models that the others
    trained, and trains the models that test the others: each pair counts twice. So the variance over windows is taken 2 + 12 / G
    times. given: not so, for values that no fit to the same windows changes. None with fewer than two groups.
    """
    known = np.isfinite(values)
    present = known.any(0)
    if not present.any():
        return None
    _, group = np.unique(group[present], return_inverse=True)
    values, known = values[:, present], known[:, present]
    groups = int(group.max()) + 1
    if groups < 2:
        return None
    mean = float(values[known].mean())
    off = np.where(known, values - mean, 0.0).sum(0) / known.sum()
    widened = 1.0 if given else 2 + 12 / groups
    variance = widened * groups / (groups - 1) * float((np.bincount(group, off, groups) ** 2).sum())
    repeats = np.array([row[seen].mean() for row, seen in zip(values, known, strict=True) if seen.any()])
    if len(repeats) > 1:
        variance += float(repeats.var(ddof=1)) / len(repeats)
    reach = float(t.ppf((1 + level) / 2, groups - 1) * np.sqrt(variance))
    return Interval(mean, mean - reach, mean + reach)


def of_stretches(values: np.ndarray, stretches: int = 20) -> Interval | None:
    """Interval of the mean of values [n] in time order, taken together in equal stretches, so that neighbours may depend on each other."""
    group = np.arange(len(values)) * min(stretches, len(values)) // max(len(values), 1)
    return of_windows(np.asarray(values, float)[None], group, given=True)


def within_folds(target: np.ndarray, p: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Values [R, n] whose mean over a fold is the AUROC among its windows (each class against the rest, the mean of these).

    target [n] class numbers; p [R, n, C]; fold [R, n]. Pairs of windows of different folds are left out: their models differ, and noise
    alone would score below 0.5 with them. The values are the placements of DeLong, DeLong and Clarke-Pearson (1988), so their spread
    is that of the AUROC. nan where a fold holds windows of one class alone, or p is not known.
    """
    placements = np.full(fold.shape, np.nan)
    for values, probability, place in zip(placements, p, fold, strict=True):
        for number in np.unique(place[np.isfinite(probability[:, 0])]):
            rows = np.flatnonzero((place == number) & np.isfinite(probability[:, 0]))
            each = (_placed(probability[rows, c], target[rows] == c) for c in range(p.shape[2]))
            known = [one for one in each if one is not None]
            if known:
                values[rows] = np.mean(known, axis=0)
    return placements


def _placed(score: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """AUROC + (placement − AUROC) · n / n of its class, for each of n windows; None where a class is missing."""
    m, k = int(inside.sum()), int((~inside).sum())
    if not (m and k):
        return None
    rank, placed = rankdata(score), np.empty(m + k)
    placed[inside] = (rank[inside] - rankdata(score[inside])) / k
    placed[~inside] = 1 - (rank[~inside] - rankdata(score[~inside])) / m
    area = placed[inside].mean()
    return area + (placed - area) * np.where(inside, (m + k) / m, (m + k) / k)


def auroc(values: np.ndarray, group: np.ndarray) -> Interval | None:
    """The AUROC of `within_folds` with its interval; as wide as that of a model at chance where all values are equal."""
    interval = of_windows(values, group)
    if interval is None:
        return None
    # Perfect or constant answers do not vary, yet a few windows cannot show that for certain.
    least = 1.96 / np.sqrt(3 * np.isfinite(values).any(0).sum()) if interval.low == interval.high else 0.0
    return Interval(interval.value, max(0.0, interval.low - least), min(1.0, interval.high + least))
