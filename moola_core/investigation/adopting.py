"""What later questions take over from an arm that is shown to be better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core.investigation import class_first
from moola_core.runs.store import Run
from moola_core.specs import Finetune, settings

SCHEDULE = "transfer.schedule"
GRADUAL = ("transfer.last_layer_epoch", "transfer.all_epoch")


def changes_of(run: Run, name: str) -> dict[str, Any]:
    """The settings of the arm called `name` that the study's control does not have.

    How its encoder is used is among them where the control is trained from random weights: against another encoder it was not shown that
    pre-training is better than none.
    """
    arms = {arm.name: arm for arm in run.spec.arms}
    arm, control = arms[name], arms[run.spec.against]
    of_network = {key: value for key, value in arm.changes.items() if not key.startswith("transfer.")}
    of_pretraining = {f"pretrain.{key}": value for key, value in (arm.pretraining or {}).items()}
    starts = of_transfer(run.spec.spec_of(name, "encoder"))
    starts = starts if arm.first is None else class_first.adopted_from(starts)
    scratch = run.spec.spec_of(control.name, "encoder").transfer.schedule == "none"
    return of_network | of_pretraining | (starts if scratch else {})


def of_transfer(spec: Finetune) -> dict[str, Any]:
    """The schedule by which the settings train a pre-trained encoder, and its epochs where it unfreezes by layers; empty without an encoder."""
    schedule = spec.transfer.schedule
    if schedule == "none":
        return {}
    values = settings(spec)
    return {name: values[name] for name in (SCHEDULE, *(GRADUAL if schedule == "gradual" else ()))}


def in_words(adopted: Mapping[str, Any]) -> str:
    """What is taken over, in a sentence; empty where nothing is."""
    first = class_first.starts_of(adopted)
    named = [f"{name}={_shown(value)}" for name, value in adopted.items() if not name.startswith(class_first.FIRST)]
    named += [f"fits start from those of the class alone ({', '.join(map(_shown, first.values()))})"] if first else []
    listed = ", ".join(named)
    return f" Taken over by the questions that follow: {listed}." if listed else ""


def _shown(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
