"""Cross-validation that keeps windows which share bars together.

Chains of windows that share bars, long ones in runs, are the groups of a stratified group k-fold. Training windows that share a bar with
test or validation windows are purged.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace

import numpy as np

from moola_core.errors import DataError
from moola_core.overlap import Overlap
from moola_core.specs import Faults, Training
from moola_core.training import seeds


@dataclass(frozen=True)
class Fold:
    """Row numbers of the windows by their role in one fit."""

    repeat: int
    fold: int
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    purged: np.ndarray


MOST_KEPT = 8
_kept: dict[str, tuple[Fold, ...]] = {}


def make_folds(label: np.ndarray, shared: Overlap, training: Training, faults: Faults) -> tuple[Fold, ...]:
    """The folds of every repeat, from labels [n], the bars that windows share, and the seed alone.

    The last few are kept: the arms of a study are divided alike, and each asks several times. Raises DataError when a class occurs less often than there are folds, or when too few groups are left to divide.
    """
    how = (training.folds, training.repeats, training.seed, training.validation_size, training.embargo_bars, faults)
    own = hashlib.sha256(repr((how, shared.window_bars, label.astype(str).tolist())).encode())
    for part in (shared.series, shared.first):
        own.update(part.tobytes())
    key = own.hexdigest()
    if key not in _kept:
        made = _made(label, shared, training, faults)
        if len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = made
    return tuple(_copied(fold) for fold in _kept[key])


def _copied(fold: Fold) -> Fold:
    return replace(fold, **{name: getattr(fold, name).copy() for name in ("train", "validation", "test", "purged")})


def _made(label: np.ndarray, shared: Overlap, training: Training, faults: Faults) -> tuple[Fold, ...]:
    values, counts = np.unique(label.astype(str), return_counts=True)
    rare = [f"{name} ({count})" for name, count in zip(values, counts, strict=True) if count < training.folds]
    if rare:
        raise DataError(
            f"{', '.join(rare)} occurs less often than there are folds ({training.folds}).",
            where="training.folds",
            hint="Label more such windows, merge the class with another, or ask for fewer folds.",
        )
    group = np.arange(len(label)) if faults.shuffled_folds else shared.groups(training.folds, training.embargo_bars)
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
                _roles(Fold(repeat, fold, rest, rest[:0], test, rest[:0]), label, group, shared, training, faults)
            )
    return tuple(folds)


def subsample_labels(fold: Fold, label: np.ndarray, training: Training) -> Fold:
    """The fold with `training.train_size` of its training and validation windows of each class; smaller shares lie in larger ones."""
    if training.train_size == 1.0:
        return fold
    order = seeds.generator(training.seed, fold.repeat, fold.fold, seeds.LABELS).permutation(len(label))

    def kept(rows: np.ndarray) -> np.ndarray:
        drawn = rows[np.argsort(np.argsort(order)[rows])]
        parts = [drawn[label[drawn] == name] for name in np.unique(label[rows])]
        return np.sort(np.concatenate([part[: max(1, round(training.train_size * len(part)))] for part in parts]))

    return replace(fold, train=kept(fold.train), validation=kept(fold.validation))


def _split(
    label: np.ndarray, group: np.ndarray, folds: int, key: tuple[int, int, int]
) -> list[tuple[np.ndarray, np.ndarray]]:
    random_state = int(seeds.stream(*key, seeds.FOLDS).generate_state(1)[0])
    # Imported where it is used: the processes that fit are given their folds, and would take half as long again to start.
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    plain = len(np.unique(group)) == len(group)
    kind = StratifiedKFold if plain else StratifiedGroupKFold
    with warnings.catch_warnings():  # about a class rarer than a validation split's parts, which is harmless there
        warnings.simplefilter("ignore", UserWarning)
        splitter = kind(folds, shuffle=True, random_state=random_state)
        return list(splitter.split(np.zeros(len(label)), label.astype(str), group))


def _roles(
    fold: Fold, label: np.ndarray, group: np.ndarray, shared: Overlap, training: Training, faults: Faults
) -> Fold:
    """Purge, and divide the rest into training and validation windows."""
    rest, purged = fold.train, np.zeros(len(fold.train), bool)
    if not faults.shuffled_folds:
        purged = shared.near(rest, fold.test, training.embargo_bars)
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
    if most < 2:
        raise DataError(
            f"fold {fold.fold} has one training window of each class left, and none to validate on.",
            where="training.folds",
            hint="Label more windows; with so few no model can be judged.",
        )
    parts = max(2, min(round(1 / training.validation_size), len(np.unique(group[kept])), most))
    train, validation = _split(label[kept], group[kept], parts, (training.seed, fold.repeat, fold.fold + 1))[0]
    train, validation = kept[train], kept[validation]
    close = (
        np.zeros(len(train), bool) if faults.shuffled_folds else shared.near(train, validation, training.embargo_bars)
    )
    if len(np.unique(label[train[~close]].astype(str))) < len(np.unique(label.astype(str))):
        raise DataError(
            f"fold {fold.fold} has no training window of some class left.",
            where="training.folds",
            hint="Ask for fewer folds.",
        )
    return Fold(fold.repeat, fold.fold, train[~close], validation, fold.test, np.r_[rest[purged], train[close]])
