"""What is known of the pre-training objectives before torch is loaded: a sentence each, and what each needs of settings and bars."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from moola_core.errors import SpecError
from moola_core.registry import Registry

if TYPE_CHECKING:
    from moola_core.specs.pretrain import Objective, Pretrain


@dataclass(frozen=True)
class ObjectiveRules:
    """What an objective needs of the other settings and of the bars.

    Parameters
    ----------
    sentence : str
        What the encoder is trained to do.
    bars_beyond : int or str, default 0
        How many bars after a window its inputs or its target are made from: a number, or the name of the setting of ``objective`` that
        holds it. Training windows that would reach into validation with them are left out.
    restarted : bool, default False
        Whether features are computed of changed prices, so that their state has to start at each window.
    hides_bars : bool, default False
        Whether bars of the input are hidden; only then can ``faults.unmasked_input`` leave them visible.
    """

    sentence: str
    bars_beyond: int | str = 0
    restarted: bool = False
    hides_bars: bool = False

    def count_beyond(self, objective: Objective) -> int:
        """Bars after a window that its inputs or its target are made from, with these settings."""
        return getattr(objective, self.bars_beyond) if isinstance(self.bars_beyond, str) else self.bars_beyond

    def problem(self, spec: Pretrain) -> str:
        """What in the settings the objective cannot work with, as a sentence; empty when it can."""
        if spec.faults.unmasked_input and not self.hides_bars:
            return "faults.unmasked_input needs objective.name=masked"
        if self.restarted and spec.features.state != "per_window":
            return (
                f"objective.name={spec.objective.name} makes its views of prices and so starts the state at each window; "
                "set features.state=per_window"
            )
        return ""


RULES = {
    "masked": ObjectiveRules("reconstruct masked bars", hides_bars=True),
    "contrastive": ObjectiveRules(
        "recognise two views of one window among those of others", bars_beyond="augment_shift_bars", restarted=True
    ),
    "supervised": ObjectiveRules("predict which barrier the next bars touch first", bars_beyond="horizon_bars"),
    "expansion": ObjectiveRules(
        "find the span with the largest move for its length, and tell what follows it or its direction",
        bars_beyond="after_bars",
    ),
}


def rules_of(name: str) -> ObjectiveRules:
    """What the settings need to know of a pre-training objective.

    Parameters
    ----------
    name : str
        A built-in objective, one that an installed package offers, or ``package.module:Class``. Only the latter two are imported.

    Returns
    -------
    ObjectiveRules

    Raises
    ------
    SpecError
        When there is no such objective.
    """
    if name in RULES:
        return RULES[name]
    points = metadata.entry_points(group="moola.objectives", name=name)
    member: Any = next(iter(points)).load() if points else Registry("objective").resolve(name)
    rules = getattr(member, "rules", None)
    if not isinstance(rules, ObjectiveRules):
        raise SpecError(
            f"{name} is no pre-training objective.",
            where="objective.name",
            hint="Derive it from moola_core.training.pretraining.objectives.PretrainingObjective and give it rules.",
        )
    return rules
