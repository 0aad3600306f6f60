"""What a study needs of its data: looked at before any of its arms is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moola_core.errors import DataError
from moola_core.market.bars import Bars
from moola_core.market.known import first_bars
from moola_core.market.unlabelled import NOTHING, HeldOut, refuse_too_few
from moola_core.market.windows import Windows, overlap
from moola_core.specs import Finetune, Pretrain, Study

OF_TWO_TASKS = (
    "losses",
    "gradients",
    "tasks",
    "pointers",
)  # named studies that ask how the class and the pointers get on with each other


def held_out(
    study: Study, spec: Pretrain, labelled: Windows | None, folds: Sequence[Sequence[str] | np.ndarray] | None = None
) -> HeldOut:
    """What pre-trainings of a study may have to leave out.

    labelled: the labelled windows that the spec names, located in the bars; folds: ids of those that each fold tests or stops on; by
    default about what they will be.
    """
    if labelled is None:
        return HeldOut(NOTHING, (), study.pretraining_counts)
    if folds is None:
        folds = _expected_folds(study.base, labelled)
    length, ids = spec.sampling.window_bars, labelled.window_id.astype(str)
    own = [first_bars([labelled.select(np.isin(ids, names))], length) for names in folds]
    return HeldOut(first_bars([labelled], length), own, study.pretraining_counts)


def _expected_folds(base: Finetune, labelled: Windows) -> list[np.ndarray]:
    """Ids of about the windows that each fold of one repeat will test or stop on: groups that share bars, dealt out at random."""
    kept, _ = labelled.trainable(base.data.exclude_grades)
    training = base.training
    group = overlap(kept).groups(training.folds, training.embargo_bars)
    order = np.random.default_rng(training.seed).permutation(len(np.unique(group)))
    rank = np.argsort(order)[np.unique(group, return_inverse=True)[1]]
    place = np.argsort(np.argsort(rank, kind="stable")) / max(len(kept), 1)  # of each window, in [0, 1)
    share = 1 / training.folds
    held = share + training.validation_size * (1 - share)
    return [kept.window_id[(place - fold * share) % 1 < held].astype(str) for fold in range(training.folds)]


def refuse_pretraining(spec: Pretrain, arms: Sequence[str], bars: Bars, held: HeldOut) -> None:
    """Raise DataError, with the arms that it concerns, when the bars leave too little to pre-train on."""
    where = f"pre-training of {', '.join(arms)}"
    if spec.sampling.keep == "similar" and not len(held.first):
        raise DataError(
            "none of the labelled windows lies in these bars, so none can be similar to them.",
            where=where,
            hint="Give the bars that they were cut from.",
        )
    try:
        refuse_too_few(bars, spec, held, "pretrain.")
    except DataError as error:
        raise DataError(error.what, where=where, hint=error.hint) from None


def refuse_without_pointers(spec: Study, windows: Windows) -> None:
    """Raise DataError when an arm, or the question of the study, needs pointers and no window that takes part has one."""
    kept, _ = windows.trainable(spec.base.data.exclude_grades)
    if not len(kept) or bool(np.any(kept.has_pointer)):
        return
    only = [arm.name for arm in spec.arms if spec.spec_of(arm.name, "encoder").model.tasks == "pointers"]
    if only or spec.name in OF_TWO_TASKS:
        raise DataError(
            f"none of the {len(kept)} windows has a pointer, and the study {spec.name} is about class and pointers.",
            where=spec.base.data.windows,
            hint="Label expansion_start and expansion_end, or choose another study.",
        )
