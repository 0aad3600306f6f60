"""The settings of a network: they matter as far as a network does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from moola_core.diagnostics.gates import state_of
from moola_core.diagnostics.results import Comparison, Sampled
from moola_core.diagnostics.results.interval import Claim
from moola_core.investigation.known import UNDECIDED, Answer, Known, comparison_of
from moola_core.investigation.question import register
from moola_core.investigation.questions.pretraining import OtherArms
from moola_core.investigation.verdicts import as_claim, in_words
from moola_core.runs.store import Run


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

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[self.id]
        comparison = comparison_of(run)
        rows = [row for row in comparison.verdicts if row.against == comparison.against]
        own = [row for row in rows if (row.arm, row.metric) in (("class only", "auroc"), ("pointers only", "hit_at_3"))]
        claims, text = tuple(as_claim(row) for row in own), "; ".join(f"{row.arm}: {in_words(row)}" for row in own)
        enough, gate = _next_to_gate(class_alone(comparison), known.spec.gates.pointers)
        claims += gate
        apart = [row for row in own if row.verdict == "helps"]
        if apart:
            return Answer("apart", f"Yes, alone is better: {text}.{enough}", run.id, claims)
        if own and max(row.p_helps for row in own) < 0.1:
            return Answer("together", f"That they are is not shown: {text}.{enough}", run.id, claims)
        return Answer(UNDECIDED, f"Not shown either way: {text}.{enough}", run.id, claims, 0.25)


def class_alone(comparison: Comparison) -> Sampled | None:
    """Macro F1 of the network of the class alone, which the study of the tasks trains; None where it was not measured."""
    return next((arm.f1 for arm in comparison.arms if arm.name.startswith("class only")), None)


def _next_to_gate(score: Sampled | None, threshold: float) -> tuple[str, tuple[Claim, ...]]:
    """What the score of the class alone says of adding the pointers, by the researcher's rule."""
    if score is None:
        return "", ()
    own, state = score.interval, state_of(score, threshold)
    on = "cannot be told from" if state == "cannot be told" else f"is {state}"
    text = (
        f" Macro F1 of the class alone, {own.value:.2f} ({own.low:.2f} to {own.high:.2f}), {on} {threshold:.2f}, from which your rule adds "
        "the pointers."
    )
    return text, (Claim("macro F1 of the class alone", own, threshold),)


@register
class Losses(OfBothTasks):
    id = study = "losses"
    title = "Is the balance of the two losses wrong?"
    noun = "ways to weigh the losses"
    phase = 6


@register
class Gradients(OfBothTasks):
    id = study = "gradients"
    title = "Is PCGrad needed?"
    noun = "settings of PCGrad"
    phase = 7


@register
class Patience(OtherArms):
    id = study = "patience"
    title = "Does training stop too early?"
    noun = "patiences"
    phase = 8


@register
class Architectures(OtherArms):
    id = study = "architectures"
    title = "Is the network too large or too small?"
    noun = "architectures"
    phase = 9


@register
class Inputs(OtherArms):
    id, study = "inputs", "features"
    title = "Which inputs serve the network: the 12 features, the price path or both?"
    noun = "sets of inputs"
    phase = 4
