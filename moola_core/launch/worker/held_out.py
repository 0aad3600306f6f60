"""What each fold of a study holds out, and the pre-trainings that leave it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from moola_core.launch.worker.labelled import load_inputs
from moola_core.models.checkpoint import Pretrained
from moola_core.specs import Finetune, Pretrain, Study, Transfer, change, spec_hash
from moola_core.training.folds import Fold, make_folds


class FoldPretrainings:
    """The pre-trainings of a study's arms, and the windows that its folds hold out.

    Parameters
    ----------
    study : Study
        The study.
    cache : Path
        Folder of the bars' matrices.
    """

    def __init__(self, study: Study, cache: Path) -> None:
        self.study, self.cache = study, cache
        self._folds: dict[str, tuple[tuple[Fold, ...], np.ndarray]] = {}

    def of(self, arm: str) -> list[Pretrain]:
        """The pre-trainings of an arm in the order of `transfer.encoder_of`; none where it has none.

        With one for each fold, a repeat keeps its seed, and each pre-training leaves out what its fold tests or stops on.
        """
        own = self.study.pretraining_of(arm)
        if own is None:
            return []
        seeds = self.study.seeds_of(own)
        if not self.study.per_fold(arm):
            return seeds
        folds, ids = self._of(self.study.spec_of(arm, "encoder"))
        return [
            change(seeds[fold.repeat % len(seeds)], {"sampling.left_out": held_out_ids(fold, ids)}) for fold in folds
        ]

    def ids(self, arms: Sequence[str]) -> list[tuple[str, ...]]:
        """What each fold of each repeat of these arms tests or stops on, by the windows' ids."""
        divided = [self._of(self.study.spec_of(arm, "encoder")) for arm in arms]
        return list(dict.fromkeys(held_out_ids(fold, ids) for folds, ids in divided for fold in folds))

    def _of(self, spec: Finetune) -> tuple[tuple[Fold, ...], np.ndarray]:
        """The folds of a run and its windows' ids; those of one data set and one way to divide it are made once."""
        key = "".join(map(spec_hash, (spec.data, spec.training, spec.faults)))
        if key not in self._folds:
            _, inputs, _, _ = load_inputs(spec, self.cache)
            folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
            self._folds[key] = folds, inputs.window_id.astype(str)
        return self._folds[key]


def saw(starts: Sequence[Pretrained], transfer: Transfer, folds: Sequence[Fold], ids: np.ndarray) -> str:
    """What the encoders of a run saw of its labelled windows in pre-training, a key of `SAW`; empty without encoders.

    An encoder that was pre-trained for one fold has seen bars of what another fold tests or stops on.
    """
    if not starts:
        return ""
    samplings = [start.pretraining.sampling for start in starts if start.pretraining is not None]
    if len(samplings) < len(starts):
        return "unknown"
    for fold in folds:
        sampling = samplings[transfer.encoder_of(fold.repeat, fold.fold)]
        if sampling.labelled == "per_fold" and not set(held_out_ids(fold, ids)) <= set(sampling.left_out):
            return "see"
    words = {sampling.labelled for sampling in samplings}
    return next(word for word in ("see", "per_fold", "exclude") if word in words)


def held_out_ids(fold: Fold, ids: np.ndarray) -> tuple[str, ...]:
    """Ids of the windows that a fold tests or stops on, sorted."""
    return tuple(sorted(ids[np.union1d(fold.validation, fold.test)].tolist()))
