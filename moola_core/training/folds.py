"""Cross-validation that keeps windows which share bars together.

Windows that share bars are chained; long chains are cut into runs of consecutive windows. Chains and runs are the groups of a
stratified group k-fold. Training windows that share a bar with test or inner windows are purged.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from moola_core.errors import DataError
from moola_core.specs import Faults, Training
from moola_core.training import seeds


@dataclass(frozen=True)
class Fold:
    """Row numbers of the windows by their role in one fit."""

    repeat: int
    fold: int
    train: np.ndarray
    inner: np.ndarray
    test: np.ndarray
    purged: np.ndarray


@dataclass(frozen=True)
class Places:
    """Where each window lies: its series [n] and first bar in it [n], and the window length in bars.

    Both are [n, w] where windows are placed in w ways, such as by their times and by their prices: two windows share bars when they do in
    one of these.
    """

    series: np.ndarray
    first: np.ndarray
    window_bars: int

    def near(self, rows: np.ndarray, others: np.ndarray, embargo_bars: int) -> np.ndarray:
        """Which of `rows` share a bar with any of `others`, or lie within the embargo of one: bool [len(rows)]."""
        close = np.zeros(len(rows), bool)
        for series, first in self.ways():
            same = series[rows][:, None] == series[others][None, :]
            apart = np.abs(first[rows][:, None] - first[others][None, :])
            close |= (same & (apart < self.window_bars + embargo_bars)).any(1)
        return close

    def ways(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Series [n] and first bar [n] of each way in which the windows are placed."""
        n = len(self.series)
        return list(zip(self.series.reshape(n, -1).T, self.first.reshape(n, -1).T, strict=True))


def overlap_groups(places: Places, folds: int, embargo_bars: int = 0) -> np.ndarray:
    """The group [n] of each window: its chain, or its run of a chain that is longer than n / (2 · folds) windows.

    Windows at the same bar are copies of each other: no run ends between them.
    """
    n = len(places.series)
    chain = _joined([_chains(series, first, places.window_bars + embargo_bars) for series, first in places.ways()])
    copy = _joined([_chains(series, first, 1) for series, first in places.ways()])
    series, first = places.ways()[0]
    rank = np.empty(n, np.int64)
    rank[np.lexsort((first, series))] = np.arange(n)
    lead = np.full(n, n)  # where the first of a window's copies stands, and the first of its chain
    np.minimum.at(lead, copy, rank)
    head = np.full(n, n)
    np.minimum.at(head, chain, rank)
    order = np.lexsort((rank, lead[copy], head[chain]))
    group, groups = np.empty(n, np.int64), 0
    for rows in np.split(order, np.flatnonzero(np.diff(chain[order])) + 1):
        size = len(rows) if len(rows) <= n / (2 * folds) else -(-n // (4 * folds))
        for run in _runs(rows, copy[rows], size):
            group[run] = groups
            groups += 1
    return group


def _runs(rows: np.ndarray, copy: np.ndarray, size: int) -> list[np.ndarray]:
    """`rows` in runs of `size`, longer ones where a run would end between copies."""
    cuts, start = [], 0
    for i in np.flatnonzero(np.diff(copy)) + 1:
        if i - start >= size:
            cuts.append(i)
            start = i
    return np.split(rows, cuts)


def _chains(series: np.ndarray, first: np.ndarray, reach_bars: int) -> np.ndarray:
    """The chain [n] of each window, by a number below n: in a chain each window starts less than `reach_bars` after the one before."""
    order = np.lexsort((first, series))
    cuts = (np.diff(series[order]) != 0) | (np.diff(first[order]) >= reach_bars)
    chain = np.empty(len(series), np.int64)
    chain[order] = np.r_[np.zeros(min(len(series), 1), np.int64), np.cumsum(cuts)]
    return chain


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Numbers [n], below n, that are equal for windows which any of the `parts` [n] holds together, be it by way of others."""
    joined = parts[0]
    while True:
        before = joined
        for part in parts:
            least = np.full(len(part), len(part))
            np.minimum.at(least, part, joined)
            joined = least[part]
        if np.array_equal(joined, before):
            return joined


def make_folds(label: np.ndarray, places: Places, training: Training, faults: Faults) -> tuple[Fold, ...]:
    """The folds of every repeat, from labels [n], places and seed alone.

    Raises DataError when a class occurs less often than there are folds, or when too few groups are left to divide.
    """
    values, counts = np.unique(label.astype(str), return_counts=True)
    rare = [f"{name} ({count})" for name, count in zip(values, counts, strict=True) if count < training.folds]
    if rare:
        raise DataError(
            f"{', '.join(rare)} occurs less often than there are folds ({training.folds}).",
            where="training.folds",
            hint="Label more such windows, merge the class with another, or ask for fewer folds.",
        )
    group = (
        np.arange(len(label))
        if faults.shuffled_folds
        else overlap_groups(places, training.folds, training.embargo_bars)
    )
    if len(np.unique(group)) < training.folds:
        raise DataError(
            f"only {len(np.unique(group))} groups of windows that share no bars.",
            where="training.folds",
            hint="Ask for fewer folds.",
        )
    folds = []
    for repeat in range(training.repeats):
        for fold, (rest, test) in enumerate(_split(label, group, training.folds, (training.seed, repeat, 0))):
            folds.append(
                _roles(Fold(repeat, fold, rest, rest[:0], test, rest[:0]), label, group, places, (training, faults))
            )
    return tuple(folds)


def thin(fold: Fold, label: np.ndarray, training: Training) -> Fold:
    """The fold with `training.label_frac` of its training and inner windows of each class; smaller shares lie in larger ones."""
    if training.label_frac == 1.0:
        return fold
    order = seeds.generator(training.seed, fold.repeat, fold.fold, seeds.LABELS).permutation(len(label))

    def kept(rows: np.ndarray) -> np.ndarray:
        drawn = rows[np.argsort(np.argsort(order)[rows])]
        parts = [drawn[label[drawn] == name] for name in np.unique(label[rows])]
        return np.sort(np.concatenate([part[: max(1, round(training.label_frac * len(part)))] for part in parts]))

    return replace(fold, train=kept(fold.train), inner=kept(fold.inner))


def _split(
    label: np.ndarray, group: np.ndarray, folds: int, key: tuple[int, int, int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    random_state = int(seeds.stream(*key, seeds.FOLDS).generate_state(1)[0])
    plain = len(np.unique(group)) == len(group)
    kind = StratifiedKFold if plain else StratifiedGroupKFold
    with warnings.catch_warnings():  # about a class rarer than an inner split's parts, which is harmless there
        warnings.simplefilter("ignore", UserWarning)
        splitter = kind(folds, shuffle=True, random_state=random_state)
        return list(splitter.split(np.zeros(len(label)), label.astype(str), group))


def _roles(fold: Fold, label: np.ndarray, group: np.ndarray, places: Places, how: tuple[Training, Faults]) -> Fold:
    """Purge, and divide the rest into training and inner windows."""
    training, faults = how
    rest, purged = fold.train, np.zeros(len(fold.train), bool)
    if not faults.shuffled_folds:
        purged = places.near(rest, fold.test, training.embargo_bars)
    kept = rest[~purged]
    if faults.test_fold_selection:
        return Fold(fold.repeat, fold.fold, kept, fold.test, fold.test, rest[purged])
    if len(np.unique(group[kept])) < 2:
        raise DataError(
            f"fold {fold.fold} has no training windows left: they share bars with the test windows.",
            where="training.folds",
            hint="Use windows that overlap less, a smaller embargo, or fewer folds.",
        )
    most = np.unique(label[kept].astype(str), return_counts=True)[1].max()
    parts = max(2, min(round(1 / training.inner_frac), len(np.unique(group[kept])), most))
    train, inner = _split(label[kept], group[kept], parts, (training.seed, fold.repeat, fold.fold + 1))[0]
    train, inner = kept[train], kept[inner]
    close = np.zeros(len(train), bool) if faults.shuffled_folds else places.near(train, inner, training.embargo_bars)
    if len(np.unique(label[train[~close]].astype(str))) < len(np.unique(label.astype(str))):
        raise DataError(
            f"fold {fold.fold} has no training window of some class left.",
            where="training.folds",
            hint="Ask for fewer folds.",
        )
    return Fold(fold.repeat, fold.fold, train[~close], inner, fold.test, np.r_[rest[purged], train[close]])
