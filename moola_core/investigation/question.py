"""What a question of an investigation is, and the registry of all questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from moola_core.investigation.known import Answer, Known
from moola_core.launch.estimate import Evidence
from moola_core.registry import Registry
from moola_core.runs.fits import settings_of_fits
from moola_core.runs.store import Run
from moola_core.specs import Arm, Finetune, SpecModel, Study

# Repeats of a question's first round and of those that follow while it is undecided.
ROUNDS = (1, 2, 3, 5, 8)
COMPARING_S = 3.0  # reading the data, evaluating and comparing, beyond the fits


@dataclass(frozen=True)
class Work:
    """The runs that a round of a question needs, by what they are for; seconds: about how long they take here."""

    specs: dict[str, SpecModel] = field(default_factory=dict)
    seconds: float = 1.0


class Question(ABC):
    """One question. A subclass is registered under its `id`.

    id, title: what it is called, and in words; answers: each with its probability before anything is known; reason: where these
    probabilities come from; changes: what its answer may change: the model, a verdict or a cause; phase: its place in the
    researcher's plan, None for what is not in it; last: whether it is asked after all others; rounds: the repeats of each time that it is
    asked; trains: it needs runs of its own.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    answers: ClassVar[Mapping[str, float]] = {}
    reason: ClassVar[str] = ""
    changes: ClassVar[str] = "model"
    phase: ClassVar[int | None] = None
    last: ClassVar[bool] = False
    rounds: ClassVar[tuple[int, ...]] = ROUNDS
    trains: ClassVar[bool] = True

    def impossible(self, known: Known) -> str:
        """Why it cannot be answered with this data; empty when it can."""
        return ""

    def needs(self, known: Known) -> bool:
        """Whether what it must know first is known."""
        return True

    def relevance(self, known: Known) -> float:
        """The probability that its answer, if it is not the expected one, changes the conclusion."""
        return 1.0

    @abstractmethod
    def work(self, known: Known, number: int) -> Work:
        """The runs of round `number`, from 0 on."""

    @abstractmethod
    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        """The answer that the finished runs of the round give."""


QUESTIONS: Registry[Question] = Registry("question", "moola.questions")


def register(kind: type[Question]) -> type[Question]:
    """Add a question; for use as a decorator."""
    QUESTIONS.add(kind.id, kind())
    return kind


def compared(known: Known, name: str, question: str, base: Finetune, arms: Sequence[Arm]) -> Study:
    """A study of these arms, of which the first is the control; `question` is shown with it."""
    return Study(name=name, question=question, base=base, arms=tuple(arms), against=arms[0].name, seed=known.spec.seed)


def seconds_of(known: Known, spec: Finetune) -> float:
    """About how long the run takes on this host."""
    return Evidence(known.store).run(spec, known.facts.windows, is_part=True, before=0)[0].median


def seconds_of_study(known: Known, study: Study) -> float:
    """About how long a study takes on this host, less the fits and pre-trainings that the store holds already."""
    repeats, total, evidence = study.base.training.repeats, COMPARING_S, Evidence(known.store)
    before = {arm.name: min(known.fitted.get(kind_of_fit(study, arm.name), 0), repeats) for arm in study.arms}
    for arm in study.arms:
        spec = study.spec_of(arm.name, "encoder")
        total += evidence.run(spec, known.facts.windows, is_part=True, before=before[arm.name])[0].median
    for first in study.firsts():
        held = min(known.fitted.get(kind_of_run(first), 0), repeats)
        total += evidence.run(first, known.facts.windows, is_part=True, before=held)[0].median
    for encoder, arms in study.pretrainings():
        count = study.pretraining_counts[encoder.sampling.labelled]
        held = min(count, before[arms[0]] * (study.base.training.folds if study.per_fold(arms[0]) else 1))
        total += (count - held) * evidence.pretraining(encoder, known.facts.bars, is_part=True)[0].median
    return total


def kind_of_fit(study: Study, arm: str) -> str:
    """What the fits of an arm are: equal for arms of other studies that would fit the same."""
    first = study.first_of(arm)
    before = study.pretraining_of(arm) if first is None else settings_of_fits(first)
    return repr((settings_of_fits(study.spec_of(arm, "encoder")), before))


def kind_of_run(spec: Finetune) -> str:
    """What the fits of a run from random weights are: equal to those of an arm that would fit the same."""
    return repr((settings_of_fits(spec), None))
