"""Which question comes next: the one whose answer is most likely to change the conclusion for its time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from moola_core.durations import duration
from moola_core.errors import MoolaError
from moola_core.investigation import phases
from moola_core.investigation.known import UNDECIDED, Known
from moola_core.investigation.question import QUESTIONS, Question, Work, with_range

LEAST_VALUE = 0.02  # below, a question cannot change the conclusion
CHANGES = {"model": "the recommended model", "verdict": "a verdict", "cause": "what is held to be wrong"}
LATEST = 1.1  # of the budget: a fit that is running may end


@dataclass(frozen=True)
class Option:
    """A question that could be asked now: its value, the work, and value for a second."""

    question: Question
    number: int
    value: float
    work: Work

    @property
    def seconds(self) -> float:
        return self.work.seconds

    @property
    def rate(self) -> float:
        return self.value / max(self.seconds, 1.0)

    @property
    def words(self) -> str:
        return f"{self.value:.2f} in {self.work.time}"


def value(known: Known, question: Question) -> float:
    """The probability that asking (again) changes the conclusion.

    Not asked yet: that the answer is another than the most probable one, times that such an answer matters. Undecided: that another round
    settles it. Settled or failed: 0.
    """
    own = known.beliefs.get(question.id, {})
    asked = known.answers.get(question.id)
    if asked is None:
        return (1 - max(own.values(), default=1.0)) * question.relevance(known)
    if asked.answer == UNDECIDED and known.rounds[question.id] < len(question.rounds):
        return asked.more * question.relevance(known)
    return 0.0


def options(known: Known) -> list[Option]:
    """What could be asked now and may change the conclusion, or is a phase of the plan that is asked for; the best first."""
    rows = []
    for question in QUESTIONS.values():
        if not question.impossible(known) and question.needs(known):
            work = _work(known, question) if _due(known, question) else None
            if work is not None:
                rows.append(Option(question, known.rounds.get(question.id, 0), value(known, question), work))
    kept = affordable(rows, known.left_s) if known.spec.order == "value" else set()
    return sorted(rows, key=lambda option: (option.question.id not in kept, *_place(known, option)))


def affordable(rows: Sequence[Option], left_s: float) -> set[str]:
    """The questions of the largest value together that the time that is left allows: small ones must not cost the time for a large one."""
    if not rows or not math.isfinite(left_s):
        return {option.question.id for option in rows}
    seconds, values = ([getattr(one, name) for one in rows] for name in ("seconds", "value"))
    fits = LinearConstraint(np.array([seconds]), ub=max(left_s, 0.0))
    best = milp(-np.array(values), constraints=fits, integrality=np.ones(len(rows)), bounds=Bounds(0, 1))
    return {option.question.id for option, taken in zip(rows, best.x, strict=True) if taken > 0.5}


def _due(known: Known, question: Question) -> bool:
    """Whether to ask it: its answer may change the conclusion, or it is a phase of the plan, which is asked once whatever its value."""
    if not _planned(known, question):
        return value(known, question) >= LEAST_VALUE
    asked = known.answers.get(question.id)
    if asked is None:
        return not phases.skip(known, question.id)
    return asked.answer == UNDECIDED and known.rounds[question.id] < len(question.rounds) and asked.more >= LEAST_VALUE


def _planned(known: Known, question: Question) -> bool:
    return known.spec.order == "phases" and question.phase is not None


def _work(known: Known, question: Question) -> Work | None:
    """The runs of the question's next round; None where the settings do not allow them, which is then known of it."""
    known.barred.pop(question.id, None)
    try:
        return with_range(known, question.work(known, known.rounds.get(question.id, 0)))
    except MoolaError as error:
        known.barred[question.id] = str(error)
        return None


def _place(known: Known, option: Option) -> tuple[float, float]:
    """By value for its time, what comes last after all others; in the order of the phases, where that is asked for."""
    if known.spec.order == "phases":
        phase = option.question.phase
        return (float("inf") if phase is None else phase, -option.rate)
    return (float(option.question.last), -option.rate)


def why(option: Option, others: list[Option], known: Known) -> str:
    """The probabilities, the cost and the runner-up that put the question first."""
    own = known.beliefs[option.question.id]
    stated = ", ".join(f"{name} {p:.2f}" for name, p in own.items())
    if known.answer(option.question.id) == UNDECIDED:
        first = (
            f"Undecided so far; another round with more repeats settles it with a probability of {option.value:.2f}."
        )
    else:
        changed = known.because.get(option.question.id)
        since = f", since {' and '.join(changed)}" if changed else ""
        first = f"Expected: {stated}{since}. An answer that changes {CHANGES[option.question.changes]}: {option.words}."
    if _planned(known, option.question):
        return f"{first} It is the next phase of the plan."
    rival = next((one for one in others if one.question.id != option.question.id), None)
    if rival and rival.rate > option.rate and rival.question.id not in affordable(others, known.left_s):
        return f"{first} {rival.question.title} {rival.words} is worth more for its time, but would leave too little for others."
    return f"{first} Next best: {rival.question.title} {rival.words}." if rival else f"{first} Nothing else is open."


def _in_order(known: Known) -> list[tuple[str, Question]]:
    """All questions by name, the phases first and in their order where that is asked for."""
    rows = list(QUESTIONS.items())
    if known.spec.order != "phases":
        return rows
    return sorted(rows, key=lambda row: float("inf") if row[1].phase is None else row[1].phase)


def not_asked(known: Known, left_s: float) -> list[tuple[str, str]]:
    """The questions that were not asked, by name, and why."""
    rows = []
    for name, question in _in_order(known):
        answered = known.answers.get(name)
        impossible = question.impossible(known) or known.barred.get(name, "")
        if answered is None:
            rows.append((name, f"Not answerable: {impossible}" if impossible else _open(known, question, left_s)))
        elif impossible and not answered.settled:
            rows.append((name, f"Not answerable: {impossible}"))
    return rows


def _open(known: Known, question: Question, left_s: float) -> str:
    """Why a question that could be answered was not asked."""
    if not question.needs(known):
        return "What it must know first was not answered."
    skipped = phases.skip(known, question.id) if _planned(known, question) else ""
    if skipped:
        return f"Skipped: {skipped}."
    if not _planned(known, question) and value(known, question) < LEAST_VALUE:
        return f"Its answer is not expected to change the conclusion ({value(known, question):.3f})."
    work = _work(known, question)
    if work is None:
        return f"Not answerable: {known.barred[question.id]}"
    return f"No time was left: it needs {work.time}, and {duration(max(left_s, 0))} were left."
