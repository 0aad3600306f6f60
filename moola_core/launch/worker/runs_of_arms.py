"""The runs that an arm of a study consists of: those that it starts from, and its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moola_core.launch.worker.children import Children
from moola_core.launch.worker.held_out import FoldPretrainings
from moola_core.runs import source_fits
from moola_core.runs.store import Run
from moola_core.specs import Finetune, Pretrain, Study
from moola_core.specs.study import name_of_first


@dataclass(frozen=True)
class ArmRun:
    """One run: what it is called among those of its study, its spec but for what it starts from, and how it is made if there is none."""

    what: str
    spec: Finetune | Pretrain
    make: Callable[[], Run]


class RunsOfArms:
    """The runs of a study's arms."""

    def __init__(self, made: Children, pretrainings: FoldPretrainings) -> None:
        self.made, self.pretrainings = made, pretrainings
        self.study: Study = pretrainings.study

    def before(self, arm: str) -> list[ArmRun]:
        """What the arm starts from: its pre-trainings, or the run whose fits its own start from; arms with the same ones share them."""
        first = self.study.first_of(arm)
        if first is None:
            return [self._encoder(spec) for spec in self.pretrainings.of(arm)]
        name = name_of_first(first)
        return [ArmRun(name, first, lambda: self.made.child(name, first, f"{self.made.title}: first"))]

    def arm(self, arm: str) -> ArmRun:
        """The arm itself, whose run can be made once those that it starts from are done."""
        return ArmRun(f"arm {arm}", self.study.spec_of(arm, "encoder"), lambda: self._arm(arm))

    def _encoder(self, spec: Pretrain) -> ArmRun:
        return ArmRun(self.made.encoder(spec), spec, lambda: self.made.encoder_of(spec))

    def _arm(self, arm: str) -> Run:
        own = self.study.spec_of(arm, *_starts([part.make() for part in self.before(arm)]))
        return self.made.child(f"arm {arm}", own, f"{self.made.title}: {arm}")


def _starts(before: list[Run]) -> list[str]:
    """What the fits of an arm start from, as `transfer.checkpoint` names it: pre-trainings, or each fit of a fine-tuning run."""
    if [run.record.kind for run in before] == ["finetune"]:
        return source_fits.fits_of(before[0])
    return [run.id for run in before]
