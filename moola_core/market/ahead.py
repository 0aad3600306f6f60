"""What a study needs of its data: looked at before any of its arms is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moola_core.errors import DataError
from moola_core.market.bars import Bars
from moola_core.market.known import first_bars
from moola_core.market.unlabelled import refuse_too_few
from moola_core.market.windows import Windows
from moola_core.specs import Pretrain, Study

OF_TWO_TASKS = (
    "losses",
    "gradients",
    "tasks",
)  # named studies that ask how the class and the pointers get on with each other


def refuse_pretraining(spec: Pretrain, arms: Sequence[str], bars: Bars, labelled: Windows | None) -> None:
    """Raise DataError, with the arms that it concerns, when the bars leave too little to pre-train on.

    labelled: the labelled windows that the spec names, located in the bars.
    """
    position = first_bars([labelled] if labelled is not None else [], spec.sampling.window_bars)
    where = f"pre-training of {', '.join(arms)}"
    if spec.sampling.keep == "similar" and not len(position):
        raise DataError(
            "none of the labelled windows lies in these bars, so none can be similar to them.",
            where=where,
            hint="Give the bars that they were cut from.",
        )
    try:
        refuse_too_few(bars, spec, position, "pretrain.")
    except DataError as error:
        raise DataError(error.what, where=where, hint=error.hint) from None


def refuse_without_pointers(spec: Study, windows: Windows) -> None:
    """Raise DataError when an arm, or the question of the study, needs pointers and no window that takes part has one."""
    kept, _ = windows.trainable(spec.base.data.grades_left_out)
    if not len(kept) or bool(np.any(kept.has_pointer)):
        return
    only = [arm.name for arm in spec.arms if spec.spec_of(arm.name, "encoder").model.tasks == "pointers"]
    if only or spec.name in OF_TWO_TASKS:
        raise DataError(
            f"none of the {len(kept)} windows has a pointer, and the study {spec.name} is about class and pointers.",
            where=spec.base.data.windows,
            hint="Label expansion_start and expansion_end, or choose another study.",
        )
