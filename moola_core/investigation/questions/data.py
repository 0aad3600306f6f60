"""Is the data sound, what do the user's settings reach, and what does the doctor see in them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy.stats import norm

from moola_core.diagnostics.results.interval import exactly
from moola_core.investigation.causes import Cause, collected
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
from moola_core.investigation.verdicts import as_claim, in_words, rows_of, settled_by_repeats, smallest
from moola_core.metrics import METRICS
from moola_core.runs.store import Run
from moola_core.specs import Arm, Diagnose, change

CENTERS = 3.25  # centers lie on half bars, so within 3 means nearer than this
CHECK, CURRENT, FIXES = "data check", "current", "fixes"
MOST_FIXES = 3


@register
class DataSound(Question):
    id = "data"
    title = "Is the data sound?"
    answers: ClassVar[Mapping[str, float]] = {"sound": 0.75, "faulty": 0.25}
    reason = "A judgement: labelled files often hold a fault that their owner does not know of."
    changes = "cause"
    phase = 0
    rounds = (1,)

    def work(self, known: Known, number: int) -> Work:
        """The doctor's look at the files and the division, before anything is trained."""
        return Work({CHECK: Diagnose(name="doctor", planned=known.current.model_dump(mode="json"))}, 5.0)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        causes = [cause for cause in collected(known) if cause.run_id == runs[CHECK].id]
        if not causes:
            count = f"{known.facts.windows} windows and their division into folds"
            return Answer("sound", f"The checks of {count} found nothing.", runs[CHECK].id)
        return Answer("faulty", _named(causes), runs[CHECK].id, (exactly("findings", len(causes), 0),))


@register
class CurrentSettings(Question):
    id = "current"
    title = "What does the doctor see in a run of your settings?"
    answers: ClassVar[Mapping[str, float]] = {"nothing": 0.6, "cause": 0.4}
    reason = "A judgement: settings that were changed by hand often hold a mistake."
    changes = "cause"
    phase = 2
    rounds = (1,)

    def work(self, known: Known, number: int) -> Work:
        return Work({CURRENT: known.current}, seconds_of(known, known.current) + COMPARING_S)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = runs[CURRENT]
        causes = [cause for cause in collected(known) if cause.run_id == run.id]
        evaluation = evaluation_of(run)
        numbers = {name: value for name in TASKS if (value := mean_of(evaluation, name)) is not None}
        reached = " and ".join(f"{METRICS[name].title} {value:.2f}" for name, value in numbers.items())
        if not causes:
            return Answer("nothing", f"They reach {reached}; the doctor names no cause.", run.id, numbers=numbers)
        claims = tuple(claim for cause in causes for claim in cause.finding.claims or ())
        claims += (exactly("findings", len(causes), 0),)
        return Answer("cause", f"They reach {reached}. {_named(causes)}", run.id, claims, numbers=numbers)


def _named(causes: list[Cause]) -> str:
    return " ".join(f"{cause.finding.title}: {cause.finding.summary}" for cause in causes)


@register
class Fixes(Question):
    id = FIXES
    title = "Do the doctor's corrections restore the score?"
    answers: ClassVar[Mapping[str, float]] = {"restores": 0.4, "no": 0.6}
    reason = "A judgement: some faults cost much of the score, others little."
    changes = "model"
    rounds = (1, 2, 3)

    def impossible(self, known: Known) -> str:
        if CURRENT in known.runs and not self._correctable(known):
            return "the doctor names no cause that a setting would correct"
        return ""

    def needs(self, known: Known) -> bool:
        return CURRENT in known.runs

    @staticmethod
    def _correctable(known: Known) -> list[Cause]:
        current = known.runs[CURRENT].id
        causes = [cause for cause in collected(known) if not cause.by_hand and cause.run_id == current]
        return causes[:MOST_FIXES]

    def work(self, known: Known, number: int) -> Work:
        """The settings as they are and each correction on the same folds; a correction of the test itself as a run of its own."""
        causes = self._correctable(known)
        base = change(known.current, {"training.repeats": self.rounds[number]})
        same = [cause for cause in causes if cause.comparable]
        specs: dict = {}
        seconds = 0.0
        if same:
            arms = (
                Arm(name="your settings"),
                *(Arm(name=_title(cause), changes=dict(cause.changes)) for cause in same),
            )
            specs[FIXES] = compared(known, ("corrections", self.title), base, arms)
            seconds += seconds_of_study(known, specs[FIXES])
        if number == 0:
            for cause in causes:
                if not cause.comparable:
                    own = {name: value for name, value in cause.changes.items() if name != "training.repeats"}
                    if own:
                        spec = change(known.current, own)
                        specs[f"corrected {cause.finding.check}"] = spec
                        seconds += seconds_of(known, spec)
        return Work(specs, seconds + COMPARING_S)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        outcome = []
        for key, run in runs.items():
            if key != FIXES:
                outcome.append(
                    f"With {key}, macro F1 is {mean_of(evaluation_of(run), 'f1_macro'):.2f}; only this score may be read."
                )
        if FIXES not in runs:
            return Answer(
                "no", " ".join(outcome) or "Nothing could be corrected by a setting.", next(iter(runs.values())).id
            )
        comparison = comparison_of(runs[FIXES])
        rows = rows_of(comparison, len(self.rounds))
        claims = tuple(as_claim(row) for row in rows)
        helping = [row for row in rows if row.verdict == "helps"]
        outcome += [f"“{row.arm}” is better: {in_words(row)}." for row in helping]
        if helping:
            return Answer("restores", " ".join(outcome), runs[FIXES].id, claims)
        none = (
            f"No correction is shown to change the score; a difference of {smallest(rows):.2f} would have been found."
        )
        return Answer(UNDECIDED, " ".join([*outcome, none]), runs[FIXES].id, claims, settled_by_repeats(rows, 3))


def _title(cause: Cause) -> str:
    return f"corrected: {cause.finding.title}"[:60]


@register
class Ceiling(Question):
    id = "ceiling"
    title = "How good can any model be, as the labels scatter?"
    trains = False
    answers: ClassVar[Mapping[str, float]] = {"room": 0.7, "near": 0.3}
    reason = "A judgement: most models are further from the labels than the labels scatter."
    changes = "model"
    rounds = (1,)

    def impossible(self, known: Known) -> str:
        return "" if known.facts.expansions else "the windows have no expansion whose ends could scatter"

    def needs(self, known: Known) -> bool:
        return self._located(known) is not None

    @staticmethod
    def _located(known: Known) -> Run | None:
        return next((run for run in known.runs.values() if run.record.counts.get("label_noise")), None)

    def work(self, known: Known, number: int) -> Work:
        return Work({}, 1.0)

    def read(self, known: Known, runs: Mapping[str, Run]) -> Answer:
        run = self._located(known)
        assert run is not None
        noise = run.record.counts["label_noise"]
        scatter = float(np.mean(noise["scatter_bars"]))
        misplaced = float(np.mean(noise["misplaced_frac"]))
        most = (1 - misplaced) * (2 * norm.cdf(CENTERS * np.sqrt(2) / max(scatter, 1e-6)) - 1)
        hit = mean_of(evaluation_of(run), "hit_at_3")
        text = (
            f"Labelled ends scatter by about {scatter:.1f} bars, and {misplaced:.0%} of the expansions seem to lie elsewhere, as the span "
            f"model reads them: a perfect model would have about {most:.0%} of the centers within 3 bars of the labelled ones"
        )
        near = hit is not None and hit > most - 0.05
        text += f"; {run.spec.estimator.replace('_', ' ')} has {hit:.0%}." if hit is not None else "."
        return Answer("near" if near else "room", text, run.id, numbers={"most": most, "hit_at_3": hit})
