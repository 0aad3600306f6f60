"""Would other settings of the recommended model be better?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from moola_core.diagnostics.results.interval import Claim, Interval
from moola_core.diagnostics.results.search import COMPLETE, SearchResult
from moola_core.investigation.candidates import chosen_by, recommended
from moola_core.investigation.known import UNDECIDED, Answer, Known
from moola_core.investigation.question import COMPARING_S, Question, Work, register, seconds_of
from moola_core.investigation.verdicts import as_claim, in_words
from moola_core.metrics import METRICS
from moola_core.runs.codec import restore
from moola_core.runs.store import Run
from moola_core.searches import NOTHING, SPACES, search_spec

SEARCH = "search"
TRIALS, SHARE = 12, 0.25  # of the budget, at most


@register
class Search(Question):
    id = "search"
    title = "Would other settings of the recommended model be better?"
    answers: ClassVar[Mapping[str, float]] = {"same": 0.85, "better": 0.15}
    reason = (
        "A judgement: presets were chosen on other data, and few settings matter beyond what this many labels can show."
    )
    changes = "model"
    rounds = (1,)

    def needs(self, known: Known) -> bool:
        best = recommended(known)
        able = best is not None and best.spec.estimator in SPACES and best.spec.estimator not in NOTHING
        return able and "learnable" in known.answers and "network" in known.answers

    def relevance(self, known: Known) -> float:
        """Less where the labels' own scatter leaves no room above."""
        return 1 - 0.8 * known.chance("ceiling", "near")

    def work(self, known: Known, number: int) -> Work:
        best = recommended(known)
        assert best is not None
        base = known.prepared(best.spec, {})
        one = seconds_of(known, base)
        budget = min(SHARE * known.spec.budget_s, TRIALS * one)
        metric = METRICS[chosen_by(known)]
        by = metric.name if metric.compared else None
        spec = search_spec(base, trials=TRIALS, budget_s=max(budget, 2 * one), seed=known.spec.seed, metric=by)
        return Work({SEARCH: spec}, max(budget, 2 * one) + COMPARING_S)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[SEARCH]
        result = restore(SearchResult, run.result("search"))
        count, best, row = len([one for one in result.trials if one.state == COMPLETE]), result.best, result.default
        if best is None:
            return Answer(UNDECIDED, "The search ended before it could compare any settings.", run.id)
        expected = f"the best of {count} is expected to have {best.expected:.2f} ({best.low:.2f} to {best.high:.2f}) in {METRICS[best.metric].title}"
        claims: tuple[Claim, ...] = (
            Claim(f"{best.metric} of the best of the search", Interval(best.expected, best.low, best.high)),
        )
        if row is None:
            return Answer("same", f"No: of {count} settings those in use were best; {expected}.", run.id, claims)
        claims += (as_claim(row),)
        changed = ", ".join(f"{name}={value}" for name, value in best.settings.items())
        if row.verdict == "helps":
            return Answer("better", f"Yes, {changed}: {in_words(row)}; {expected}.", run.id, claims)
        return Answer(
            "same", f"None of {count} is shown to be better: {in_words(row)} for the best; {expected}.", run.id, claims
        )
