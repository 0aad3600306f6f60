"""Networks whose pointers are added from the weights of the class alone, where that was shown to be better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core.runs.record import FIT
from moola_core.specs import Arm, Finetune
from moola_core.studies import CLASS_ALONE

FIRST, TRANSFER = "first.", "transfer."
SHAPES = ("model.", "features.")  # what the run of the class alone has in common with its arm, so that the encoder fits
FROM_RANDOM: dict[str, Any] = {
    "transfer.schedule": "none",
    "transfer.checkpoint": "",
    "transfer.more_checkpoints": (),
    "transfer.fold_checkpoints": 1,
}
# The studies of networks in one form or another, whose arms then all start so.
STUDIES = ("features", "losses", "gradients", "patience", "architectures")


def adopted_from(transfer: Mapping[str, Any]) -> dict[str, Any]:
    """How the encoder is used, as settings that later questions take over."""
    return {FIRST + name.removeprefix(TRANSFER): value for name, value in transfer.items()}


def starts_of(adopted: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the transfer among what was adopted; empty where fits do not start from the class alone."""
    return {TRANSFER + name.removeprefix(FIRST): value for name, value in adopted.items() if name.startswith(FIRST)}


def starting(arm: Arm, starts: Mapping[str, Any], *more: str) -> Arm:
    """The arm with fits that start from those of the class alone, of its own size and inputs; as it is without `starts` or for a simple model.

    more: settings of the arm that the run of the class alone has too.
    """
    if not starts or arm.baseline or "estimator" in arm.changes:
        return arm
    shared = {name: value for name, value in arm.changes.items() if name.startswith(SHAPES) or name in more}
    return arm.model_copy(update={"changes": {**arm.changes, **starts}, "first": {**shared, **CLASS_ALONE}})


def starts_in(spec: Finetune) -> dict[str, Any]:
    """How the fits of a run start from those of another one; empty where they do not."""
    if not any(FIT.fullmatch(reference) for reference in spec.transfer.encoders):
        return {}
    names = ("schedule", "last_layer_epoch", "all_epoch")
    return {f"{TRANSFER}{name}": getattr(spec.transfer, name) for name in names}
