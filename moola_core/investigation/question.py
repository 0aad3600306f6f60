"""What a question of an investigation is, and the registry of all questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from moola_core.investigation.known import Answer, Known
from moola_core.launch.estimate import START_S, estimate, estimate_study
from moola_core.registry import Registry
from moola_core.runs.store import Run
from moola_core.specs import Finetune, SpecModel, Study

# Repeats of a question's first round and of those that follow while it is undecided.
ROUNDS = (1, 2, 3, 5, 8)
COMPARING_S = 3.0  # reading the data, evaluating and comparing, beyond the fits
WARM_S = 1.0  # of a run in a process that has run others before, where an estimate counts START_S


@dataclass(frozen=True)
class Work:
    """The runs that a round of a question needs, by what they are for; seconds: about how long they take here."""

    specs: dict[str, SpecModel] = field(default_factory=dict)
    seconds: float = 1.0


class Question(ABC):
    """One question. A subclass is registered under its `id`.

    id, title: what it is called, and in words; answers: each with its probability before anything is known; reason: where these
    probabilities come from; changes: what its answer may change: the model, a verdict or a cause; phase: its place in the
    researcher's plan, None for what is not in it; rounds: the repeats of each time that it is asked.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    answers: ClassVar[Mapping[str, float]] = {}
    reason: ClassVar[str] = ""
    changes: ClassVar[str] = "model"
    phase: ClassVar[int | None] = None
    rounds: ClassVar[tuple[int, ...]] = ROUNDS

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


def seconds_of(known: Known, spec: Finetune) -> float:
    """About how long the run takes on this host."""
    return estimate(spec, known.facts.windows, known.store).seconds - START_S + WARM_S


def seconds_of_round(known: Known, study: Study, before: int) -> float:
    """About how long a study takes of which `before` repeats were fitted already."""
    repeats = study.base.training.repeats
    whole = estimate_study(study, known.facts.windows, known.facts.bars, known.store)
    fits = whole - START_S * len(study.arms)
    return COMPARING_S + WARM_S * len(study.arms) + fits * (repeats - before) / repeats


def repeats_before(question: Question, number: int) -> int:
    """The repeats of the round before; 0 in the first."""
    return question.rounds[number - 1] if number else 0
