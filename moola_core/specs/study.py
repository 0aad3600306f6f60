"""Several arms on the same folds and seeds, and what is compared with what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator, model_validator

from moola_core.specs.finetune import Finetune
from moola_core.specs.part import SpecModel, change, spec_hash
from moola_core.specs.pretrain import Pretrain


class Arm(SpecModel):
    """One configuration: what it changes of the study's base, and of its pre-training where it has one."""

    name: str = Field(min_length=1, max_length=60, description="what the arm is called")
    changes: dict[str, Any] = Field({}, description="settings of the base that this arm changes")
    pretraining: dict[str, Any] | None = Field(
        None,
        description="settings of the pre-training that this arm changes; none starts from no encoder of the study's",
    )
    first: dict[str, Any] | None = Field(
        None,
        description="settings of the base that a run before the arm's changes, from whose fits those of the arm start, each from the same repeat and fold; none for no such run",
    )
    # Studies of earlier versions call it beside.
    baseline: bool = Field(
        False,
        validation_alias=AliasChoices("baseline", "beside"),
        description="a simple model that stands next to what the study compares",
    )


class Study(SpecModel):
    """Arms that share folds, seeds and everything but what is compared."""

    kind: Literal["study"] = "study"
    name: str = Field("own", min_length=1, max_length=60, description="what the study is called")
    question: str = Field("", description="what it answers")
    base: Finetune = Field(description="what all arms share")
    pretrain: Pretrain | None = Field(None, description="what all pre-trainings share")
    arms: tuple[Arm, ...] = Field(min_length=2, description="what is compared")
    against: str = Field(description="the arm that the others are compared with")
    margin: float = Field(0.02, gt=0, le=0.5, description="differences within this count as equivalent")
    seed: int = Field(17, ge=0, le=2**31 - 1, description="random seed of the verdicts")
    pretraining_seeds: int = Field(
        3, ge=1, le=50, description="pre-trainings with other seeds, which the repeats start from in turn"
    )
    notes: tuple[str, ...] = Field(
        (), description="what the reader of its result should know about how it was asked for"
    )

    @field_validator("arms")
    @classmethod
    def _names_differ(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        names = [arm.name for arm in arms]
        if len(set(names)) < len(names):
            raise ValueError("two arms have the same name; give each its own")
        return arms

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if self.against not in [arm.name for arm in self.arms]:
            raise ValueError(
                f"against={self.against} is no arm; it is one of {', '.join(arm.name for arm in self.arms)}"
            )
        if any(arm.pretraining is not None for arm in self.arms) and self.pretrain is None:
            raise ValueError("an arm has pretraining but the study has no pretrain; give it, or a checkpoint")
        for arm in self.arms:
            shared = set(arm.changes) & {
                "training.folds",
                "training.repeats",
                "training.seed",
                "folds",
                "repeats",
                "seed",
            }
            if shared:
                raise ValueError(f"arm {arm.name} changes {', '.join(sorted(shared))}; arms share folds and seeds")
            if arm.first is not None and arm.pretraining is not None:
                raise ValueError(f"arm {arm.name} has both first and pretraining; an arm starts from one of them")
            self.spec_of(arm.name, "encoder")
            self.pretraining_of(arm.name)
            self.first_of(arm.name)
        return self

    def spec_of(self, name: str, *encoders: str) -> Finetune:
        """The run of the arm called `name`, from these encoders in turn where the study pre-trains or makes another run for it."""
        arm = next(arm for arm in self.arms if arm.name == name)
        changes = dict(arm.changes)
        if arm.pretraining is not None or arm.first is not None:
            first = next(iter(encoders), "")
            changes |= {"transfer.checkpoint": first, "transfer.more_checkpoints": encoders[1:]}
            if (arm.first is not None or self.per_fold(name)) and len(encoders) > 1:
                changes["transfer.fold_checkpoints"] = self.base.training.folds
        return change(self.base, changes)

    def first_of(self, name: str) -> Finetune | None:
        """The run from whose fits those of the arm called `name` start, on the same folds; None where it has none."""
        arm = next(arm for arm in self.arms if arm.name == name)
        if arm.first is None:
            return None
        return change(self.base, {"transfer.schedule": "none", "transfer.checkpoint": ""} | arm.first)

    def firsts(self) -> list[Finetune]:
        """Each run from whose fits those of arms start, once."""
        every = (self.first_of(arm.name) for arm in self.arms)
        return list({spec_hash(one): one for one in every if one is not None}.values())

    def pretraining_of(self, name: str) -> Pretrain | None:
        """The pre-training of the arm called `name`; None where it has none."""
        arm = next(arm for arm in self.arms if arm.name == name)
        if arm.pretraining is None or self.pretrain is None:
            return None
        return change(self.pretrain, arm.pretraining)

    def per_fold(self, name: str) -> bool:
        """Whether each fold of the arm called `name` has a pre-training of its own."""
        own = self.pretraining_of(name)
        return own is not None and own.sampling.labelled == "per_fold"

    @property
    def pretraining_counts(self) -> dict[str, int]:
        """How many pre-trainings arms that share them need, by what these may see (`sampling.labelled`)."""
        training = self.base.training
        shared = min(self.pretraining_seeds, training.repeats)
        return {"exclude": shared, "per_fold": training.folds * training.repeats, "see": shared}

    @property
    def placebos(self) -> dict[str, str]:
        """Each arm that has a placebo, with it: the same in everything but that the bars of pre-training come in random order."""
        twins = {}
        for arm in self.arms:
            own = self.pretraining_of(arm.name)
            if own is None or own.sampling.shuffled:
                continue
            wanted = change(own, {"sampling.shuffled": True}), self.spec_of(arm.name, "encoder")
            for other in self.arms:
                if (self.pretraining_of(other.name), self.spec_of(other.name, "encoder")) == wanted:
                    twins[arm.name] = other.name
        return twins

    def seeds_of(self, pretraining: Pretrain) -> list[Pretrain]:
        """The pre-training with each of its seeds, no more than there are repeats to use them."""
        count, first = min(self.pretraining_seeds, self.base.training.repeats), pretraining.training.seed
        return [change(pretraining, {"training.seed": first + i}) for i in range(count)]

    def pretrainings(self) -> list[tuple[Pretrain, tuple[str, ...]]]:
        """Each pre-training of the study once, with the arms that start from it."""
        arms: dict[str, list[str]] = {}
        specs: dict[str, Pretrain] = {}
        for arm in self.arms:
            own = self.pretraining_of(arm.name)
            if own is not None:
                specs[spec_hash(own)] = own
                arms.setdefault(spec_hash(own), []).append(arm.name)
        return [(own, tuple(arms[key])) for key, own in specs.items()]


def name_of_first(first: Finetune) -> str:
    """What the run of `Study.firsts` is called among the parts of its study."""
    return f"first {spec_hash(first)[:12]}"
