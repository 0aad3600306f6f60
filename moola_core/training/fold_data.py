"""What one fit is given of the windows: the scale of their features and their class numbers."""

from __future__ import annotations

import numpy as np

from moola_core.models.checkpoint import Pretrained
from moola_core.specs import Finetune
from moola_core.training import seeds
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs


def key_of(spec: Finetune, fold: Fold) -> tuple[int, int, int]:
    """What the random streams of the fold's fit begin with."""
    return spec.training.seed, fold.repeat, fold.fold


def scale_of(spec: Finetune, inputs: Inputs, fold: Fold, start: Pretrained | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation [F] of the training windows; 0 and 1 where the spec does not standardise.

    A pre-trained encoder, `start`, goes on with the scale that it was trained with.
    """
    if start is not None and spec.transfer.schedule != "none":
        return start.mean, start.std
    width = inputs.x.shape[2]
    if not spec.features.standardise:
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    rows = inputs.x[fold.train].reshape(-1, width).astype(np.float64)
    std = rows.std(0)
    return rows.mean(0).astype(np.float32), np.where(std > 1e-8, std, 1.0).astype(np.float32)


def targets_of(spec: Finetune, inputs: Inputs, fold: Fold) -> np.ndarray:
    """Class numbers [n] that the fold's fit is given; permuted over training and validation windows by that fault."""
    target = inputs.target.copy()
    if spec.faults.shuffled_labels:
        rows = fold.train if spec.faults.test_fold_selection else np.r_[fold.train, fold.validation]
        target[rows] = seeds.generator(*key_of(spec, fold), seeds.LABELS).permutation(target[rows])
    return target
