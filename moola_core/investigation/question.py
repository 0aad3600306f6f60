"""What a question of an investigation is, and the registry of all questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from moola_core.durations import expected_time
from moola_core.investigation.known import Answer, Known
from moola_core.launch.estimate import COMPARING, Evidence, concurrency
from moola_core.launch.estimate.evidence import recent
from moola_core.launch.estimate.ranges import NOTHING, Seconds, total
from moola_core.registry import Registry
from moola_core.runs.fits import settings_of_fits
from moola_core.runs.store import Run
from moola_core.specs import Arm, Finetune, Pretrain, SpecModel, Study

# Repeats of a question's first round and of those that follow while it is undecided.
ROUNDS = (1, 2, 3, 5, 8)
COMPARING_S = 3.0  # reading the data, evaluating and comparing, beyond the fits


@dataclass(frozen=True)
class Work:
    """The runs that a round of a question needs, by what they are for.

    seconds: about how long they take here; low, high: between them in 8 cases of 10, None where that is not known.
    """

    specs: dict[str, SpecModel] = field(default_factory=dict)
    seconds: float = 1.0
    low: float | None = None
    high: float | None = None

    @property
    def time(self) -> str:
        """How long they take, in words."""
        return expected_time(self.seconds, self.low, self.high)


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
    return _of_run(known, spec, Evidence(known.store)).median


def seconds_of_study(known: Known, study: Study) -> float:
    """About how long a study takes on this host, less the fits and pre-trainings that the store holds already."""
    return COMPARING_S + _of_study(known, study, Evidence(known.store)).median


def with_range(known: Known, work: Work) -> Work:
    """The work with the range of its seconds, where it consists of runs and studies that are estimated as ranges."""
    evidence, parts = recent(known.store.root), [Seconds.about(*COMPARING)]
    for spec in work.specs.values():
        if isinstance(spec, Study):
            parts.append(_of_study(known, spec, evidence))
        elif isinstance(spec, Finetune):
            parts.append(_of_run(known, spec, evidence))
        else:
            return work
    if len(parts) == 1:
        return work
    whole = total(parts)
    return replace(work, low=min(whole.low, work.seconds), high=max(whole.high, work.seconds))


def _of_run(known: Known, spec: Finetune, evidence: Evidence) -> Seconds:
    return evidence.run(spec, known.facts.windows, is_part=True, before=0)[0]


def _of_study(known: Known, study: Study, evidence: Evidence) -> Seconds:
    """Of the runs that the study has to make, as many at a time as are carried out beside each other here."""
    repeats, size = study.base.training.repeats, concurrency.Size(known.facts.windows, known.facts.bars)
    several, parts = concurrency.concurrency_of(study, size, evidence), concurrency.parts_of(study, size.bars)
    before = {arm.name: min(known.fitted.get(kind_of_fit(study, arm.name), 0), repeats) for arm in study.arms}
    firsts = [min(known.fitted.get(kind_of_run(first), 0), repeats) for first in study.firsts()]
    held: dict[str, int] = {}  # pre-trainings of arms whose fits are there
    for encoder, arms in study.pretrainings():
        count = study.pretraining_counts[encoder.sampling.labelled]
        held[repr(encoder)] = min(
            count, before[arms[0]] * (study.base.training.folds if study.per_fold(arms[0]) else 1)
        )
    fitted, seconds = [*firsts, *before.values()], list[Seconds]()
    for part in parts:
        if isinstance(part.spec, Pretrain):
            held[repr(part.spec)] -= 1
            is_there = held[repr(part.spec)] >= 0
            seconds.append(NOTHING if is_there else concurrency.seconds_of(part.spec, size, evidence, several))
        else:
            own, known_repeats = several.of(part.spec), fitted.pop(0)
            seconds.append(evidence.run(own, size.windows, is_part=True, before=known_repeats)[0])
    return concurrency.all_of(seconds, [part.before for part in parts], several.runs)


def kind_of_fit(study: Study, arm: str) -> str:
    """What the fits of an arm are: equal for arms of other studies that would fit the same."""
    first = study.first_of(arm)
    before = study.pretraining_of(arm) if first is None else settings_of_fits(first)
    return repr((settings_of_fits(study.spec_of(arm, "encoder")), before))


def kind_of_run(spec: Finetune) -> str:
    """What the fits of a run from random weights are: equal to those of an arm that would fit the same."""
    return repr((settings_of_fits(spec), None))
