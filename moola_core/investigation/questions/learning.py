"""Is anything learnable, and is a network needed for it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from moola_core.diagnostics.results import Comparison, Evaluation
from moola_core.diagnostics.results.interval import Claim
from moola_core.investigation.known import TASKS, UNDECIDED, Answer, Known, comparison_of, evaluation_of, mean_of
from moola_core.investigation.question import (
    COMPARING_S,
    Question,
    Work,
    compared,
    register,
    seconds_of,
    seconds_of_study,
)
from moola_core.investigation.verdicts import as_claim, in_words, rows_of, settled_by_repeats, widened
from moola_core.runs.store import Run
from moola_core.specs import Arm, Finetune, change

PATH = {"features.columns": ("price_path",)}
SIMPLE: dict[str, dict] = {
    "locate then classify": {"estimator": "locate_then_classify"} | PATH,
    "logistic on aggregates": {"estimator": "logistic"},
    "MiniRocket on prices": {"estimator": "minirocket"} | PATH,
    "extra trees on prices": {"estimator": "extra_trees"} | PATH,
}
WELL_AUROC, WELL_HIT = 0.9, 0.8


def simple_models(known: Known) -> dict[str, Finetune]:
    """The models that are no networks, which any network must beat; the span model only where there are expansions."""
    return {
        name: known.prepared(Finetune(), changes)
        for name, changes in SIMPLE.items()
        if known.facts.expansions or changes["estimator"] != "locate_then_classify"
    }


@register
class Learnable(Question):
    id = "learnable"
    title = "Can anything be learned from these windows at all?"
    answers: ClassVar[Mapping[str, float]] = {"some": 0.55, "well": 0.25, "no": 0.2}
    reason = "A judgement: some sets of labels hold nothing that a model finds."
    phase = 1
    rounds = (1,)

    def work(self, known: Known, number: int) -> Work:
        specs = simple_models(known)
        return Work(dict(specs), sum(seconds_of(known, spec) for spec in specs.values()) + COMPARING_S)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        evaluations = {name: evaluation_of(run) for name, run in runs.items()}
        claims: dict[str, list[Claim]] = {name: [] for name in evaluations}
        for name, one in evaluations.items():
            if one.auroc_within_folds is not None:
                claims[name].append(Claim(f"AUROC of {name}", widened(one.auroc_within_folds, len(runs)), 0.5))
            gain = (one.pointer_gains or {}).get("center")
            if gain is not None:
                claims[name].append(Claim(f"bars by which {name} is nearer", widened(gain, len(runs)), 1.0))
        best = max(evaluations, key=lambda name: _score(evaluations[name]))
        flat = tuple(claim for own in claims.values() for claim in own)
        learned = [name for name, own in claims.items() if any(claim.outcome == "supported" for claim in own)]
        described = _in_words(best, evaluations[best])
        if not learned:
            text = f"No model is shown to do better than chance. The best, {described}"
            return Answer("no", text, runs[best].id, flat, numbers={"best": best})
        well = _well(evaluations[best])
        beyond = "" if best in learned else f" ({', '.join(learned)})"
        text = f"Yes{beyond}. The best, {described}"
        return Answer("well" if well else "some", text, runs[best].id, flat, numbers={"best": best})


def _score(one: Evaluation) -> float:
    """The mean of macro F1 and of the centers within 3 bars, as far as there are both."""
    values = [value for name in TASKS if (value := mean_of(one, name)) is not None]
    return sum(values) / len(values) if values else float("-inf")


def _well(one: Evaluation) -> bool:
    auroc, hit = one.auroc_within_folds, mean_of(one, "hit_at_3")
    points = hit is None or hit >= WELL_HIT
    return auroc is not None and auroc.low >= WELL_AUROC and points


def _in_words(name: str, one: Evaluation) -> str:
    auroc, hit = one.auroc_within_folds, mean_of(one, "hit_at_3")
    parts = [f"an AUROC of {auroc.value:.2f} ({auroc.low:.2f} to {auroc.high:.2f})"] if auroc is not None else []
    if hit is not None:
        parts.append(f"{hit:.0%} of the centers within 3 bars")
    return f"{name}, has {' and '.join(parts)}."


@register
class NetworkNeeded(Question):
    id = "network"
    title = "Is a network needed, or does a simpler model serve as well?"
    answers: ClassVar[Mapping[str, float]] = {"no": 0.85, "yes": 0.15}
    reason = "A judgement: with fewer than a few hundred labels, simple models are seldom behind (docs/LOG.md)."
    phase = 3
    rounds = (1, 2, 3)

    def needs(self, known: Known) -> bool:
        return "learnable" in known.answers and known.number("learnable", "best") is not None

    def work(self, known: Known, number: int) -> Work:
        repeats, best = self.rounds[number], known.number("learnable", "best")
        base = change(known.networks, {"training.repeats": repeats})
        arms = (Arm(name=best, changes=SIMPLE[best], baseline=True), Arm(name="network"))
        study = compared(known, ("network or not", self.title), base, arms)
        return Work({"network study": study}, seconds_of_study(known, study))

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs["network study"]
        comparison = comparison_of(run)
        rows = rows_of(comparison, len(self.rounds))
        claims = tuple(as_claim(row) for row in rows)
        better = [row for row in rows if row.verdict == "helps"]
        worse = [row for row in rows if row.verdict == "hurts"]
        text = "; ".join(in_words(row) for row in rows)
        best, numbers = comparison.against, {"f1_macro": _f1(comparison, "network")}
        if better and not worse:
            return Answer("yes", f"The network is better than {best}: {text}.", run.id, claims, numbers=numbers)
        if worse and not better:
            return Answer("no", f"No: the network is worse than {best}: {text}.", run.id, claims, numbers=numbers)
        if rows and all(row.verdict == "equivalent" for row in rows):
            return Answer("no", f"No: {best} serves as well: {text}.", run.id, claims, numbers=numbers)
        ahead = max((row.p_helps for row in rows), default=0.0)
        if not better and ahead < 0.05:
            return Answer(
                "no",
                f"Nothing speaks for a network: it is not shown to be better than {best} ({text}), and the probability that it is by more than the "
                f"margin is {ahead:.2f}.",
                run.id,
                claims,
                numbers=numbers,
            )
        return Answer(
            UNDECIDED,
            f"The network is not shown to be better than {best}: {text}.",
            run.id,
            claims,
            settled_by_repeats(rows, 3),
            numbers,
        )


def _f1(comparison: Comparison, arm: str) -> float | None:
    return next((one.metrics.get("f1_macro") for one in comparison.arms if one.name == arm), None)
