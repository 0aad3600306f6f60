"""The settings of a network: they matter as far as a network does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from moola_core import studies
from moola_core.diagnostics.gates import state_of
from moola_core.diagnostics.results import Comparison, Sampled
from moola_core.diagnostics.results.interval import Claim
from moola_core.investigation.known import FAILED, UNDECIDED, Answer, Known, comparison_of
from moola_core.investigation.question import Work, register, seconds_of_study
from moola_core.investigation.questions.pretraining import OtherArms, study_of
from moola_core.investigation.verdicts import as_claim, in_words
from moola_core.runs.store import Run

# The arms of the study of the tasks, and what the round's study of the pointers is called.
BOTH, CLASS, POINTERS = "both", "class only", "pointers only"
OF_POINTERS = "tasks of pointers"
NO_CLASS_ALONE = "there is no network of the class alone to start from: the question on the tasks trained none"


class OfBothTasks(OtherArms):
    """A question on how the two tasks share a network."""

    def impossible(self, known: Known) -> str:
        return "" if known.facts.expansions else "the windows have no expansion, so there is one task"


@register
class Tasks(OfBothTasks):
    id = study = "tasks"
    title = "Are the two tasks in each other's way?"
    noun = "divisions of the tasks"
    answers: ClassVar[Mapping[str, float]] = {"together": 0.75, "apart": 0.25}
    phase = 5

    def work(self, known: Known, number: int) -> Work:
        """Both tasks against each alone, two by two: the class alone and the pointers alone have no metric in common."""
        repeats, control = self.rounds[number], study_of(known, self.study, 1).against
        single = not control.startswith(BOTH)
        compared = {self.id: BOTH if single else CLASS} | ({} if single else {OF_POINTERS: POINTERS})
        specs = {key: study_of(known, self.study, repeats, (arm,)) for key, arm in compared.items()}
        return Work(dict(specs), sum(seconds_of_study(known, made) for made in specs.values()))

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run, comparisons = runs[self.id], [comparison_of(run) for run in runs.values()]
        rows = [row for one in comparisons for row in one.verdicts if row.against == one.against]
        own = [row for row in rows if (row.arm, row.metric) in ((CLASS, "auroc"), (POINTERS, "hit_at_3"))]
        own = own or [row for row in rows if row.arm == BOTH and row.decides]
        claims, text = tuple(as_claim(row) for row in own), "; ".join(f"{row.arm}: {in_words(row)}" for row in own)
        enough, gate = _next_to_gate(class_alone(comparison_of(run)), known.spec.gates.pointers)
        claims += gate
        if not own:
            return Answer(UNDECIDED, f"The tasks could not be compared.{enough}", run.id, claims)
        if any(row.verdict == ("hurts" if row.arm == BOTH else "helps") for row in own):
            return Answer("apart", f"Yes, alone is better: {text}.{enough}", run.id, claims)
        if max(row.p_hurts if row.arm == BOTH else row.p_helps for row in own) < 0.1:
            return Answer("together", f"That they are is not shown: {text}.{enough}", run.id, claims)
        return Answer(UNDECIDED, f"Not shown either way: {text}.{enough}", run.id, claims, 0.25)


def class_alone(comparison: Comparison) -> Sampled | None:
    """Macro F1 of the network of the class alone, which the study of the tasks trains; None where it was not measured."""
    return next((arm.f1 for arm in comparison.arms if arm.name.startswith(CLASS)), None)


def _next_to_gate(score: Sampled | None, threshold: float) -> tuple[str, tuple[Claim, ...]]:
    """What the score of the class alone says of adding the pointers, by the researcher's rule."""
    if score is None:
        return "", ()
    return f" {_on_which_side(score, threshold)}.", (Claim("macro F1 of the class alone", score.interval, threshold),)


def _on_which_side(score: Sampled, threshold: float) -> str:
    """Where the score of the class alone lies, next to the threshold of the researcher's rule."""
    own, state = score.interval, state_of(score, threshold)
    on = "cannot be told from" if state == "cannot be told" else f"is {state}"
    shown = f"{own.value:.2f} ({own.low:.2f} to {own.high:.2f})"
    return f"Macro F1 of the class alone, {shown}, {on} {threshold:.2f}, from which your rule adds the pointers"


@register
class Pointers(OfBothTasks):
    id = study = studies.POINTERS
    title = "Are the pointers better added from the weights of the class alone?"
    noun = "ways to add the pointers"
    reason = "A judgement: both ways train the same network on the same labels, and only where it starts differs."
    phase = 6

    def impossible(self, known: Known) -> str:
        return super().impossible(known) or _without_both(known) or _not_added(known)

    def needs(self, known: Known) -> bool:
        return known.answer(Tasks.id) not in ("", FAILED)


def _without_both(known: Known) -> str:
    """Why a network of both tasks has no place here; empty where it has."""
    tasks = known.networks.model.tasks
    return "" if tasks == "both" else f"the network has one task (model.tasks={tasks})"


def _not_added(known: Known) -> str:
    """Why nothing is added to the class alone: it was not trained, or the researcher's rule does not add the pointers; empty before it is known."""
    run = known.runs.get(Tasks.id)
    if run is None:
        return "" if known.answer(Tasks.id) in ("", FAILED) else NO_CLASS_ALONE
    comparison, threshold = known.once("comparison", run, partial(comparison_of, run)), known.spec.gates.pointers
    if not any(arm.name.startswith(CLASS) for arm in comparison.arms):
        return NO_CLASS_ALONE
    score = class_alone(comparison)
    if score is None or state_of(score, threshold) != "below":
        return ""
    return _on_which_side(score, threshold)


@register
class Losses(OfBothTasks):
    id = study = "losses"
    title = "Is the balance of the two losses wrong?"
    noun = "ways to weigh the losses"
    phase = 7


@register
class Gradients(OfBothTasks):
    id = study = "gradients"
    title = "Is PCGrad needed?"
    noun = "settings of PCGrad"
    phase = 8


@register
class Patience(OtherArms):
    id = study = "patience"
    title = "Does training stop too early?"
    noun = "patiences"
    phase = 9


@register
class Architectures(OtherArms):
    id = study = "architectures"
    title = "Is the network too large or too small?"
    noun = "architectures"
    phase = 10


@register
class Inputs(OtherArms):
    id, study = "inputs", "features"
    title = "Which inputs serve the network: the 12 features, the price path or both?"
    noun = "sets of inputs"
    phase = 4
