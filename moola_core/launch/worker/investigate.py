"""An investigation: the most valuable question is asked, its runs are carried out, and what is believed changes, until nothing more would."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from moola_core.diagnostics.results import InvestigationReport, Step, Unasked
from moola_core.errors import DataError, MoolaError, RunError, SpecError
from moola_core.investigation import beliefs, order, questions
from moola_core.investigation.candidates import best_of, candidates
from moola_core.investigation.conclusion import conclusion, gauges, own_rules
from moola_core.investigation.goal import goal_of
from moola_core.investigation.known import FAILED, SETTLED, SMALL, UNDECIDED, Answer, Facts, Known
from moola_core.investigation.question import QUESTIONS, kind_of_fit, kind_of_run
from moola_core.investigation.questions.pretraining import LABELLED, best_network, schedule_of, study_of
from moola_core.launch.estimate import estimate_study
from moola_core.launch.worker import ahead
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.labelled import check_unchanged, load_labelled
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.presets import preset
from moola_core.runs import decisions
from moola_core.runs.checkpoints import description_of
from moola_core.runs.codec import restore
from moola_core.runs.facts import Doing, Prepared
from moola_core.runs.store import Run, Store, utcnow_iso
from moola_core.specs import Features, Investigation, change

RESULT = "investigation"
WHO, PREFIX = "investigation", "pretrain."
LEAST_WINDOWS = 20
LARGEST_SHARE = 0.4  # of the budget, for the study of pre-training with the preferred network
CUT = "The budget ended while this ran."
UPDATED_S = 2.0

assert questions  # importing it registers all questions


class NotMade(Exception):
    """A run that an answer is read from was not made."""


class Made(dict[str, Run]):
    """The finished runs of a question's round by what they are for."""

    def __missing__(self, key: str) -> Run:
        raise NotMade(key)


class BudgetSpent(KeyboardInterrupt):
    """The budget is used up while a run goes on: it is cancelled, and keeps the fits that are finished."""


def work(run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
    """Ask until nothing can change the conclusion or the budget ends. An interrupted investigation goes on with what it knew."""
    Investigator(run, listen, execute).work()


def opened(spec: Investigation, root: Path) -> Known:
    """What is known before anything was asked.

    root: the folder of the store. Raises DataError for windows from which nothing can be learned, SpecError for settings that cannot
    be, CheckpointError for an encoder that is not there, and what load_windows and load_bars raise.
    """
    goal_of(spec)
    unknown = sorted(set(spec.priors) - set(QUESTIONS))
    if unknown:
        raise SpecError(f"unknown question {unknown[0]}.", where="priors", hint=f"Known: {', '.join(QUESTIONS)}.")
    material = load_labelled(spec.data, Features(), root / "cache")
    kept, own = material.trainable, material.bars
    classes = Counter(map(str, kept.label))
    if len(kept) < LEAST_WINDOWS:
        raise DataError(
            f"{len(kept)} windows take part; an investigation needs at least {LEAST_WINDOWS}.",
            where=str(spec.data.windows),
            hint="Label more windows, or let those of grade D take part (data.exclude_grades).",
        )
    hashes = {"windows": kept.content_hash} | ({"bars": own.content_hash} if own is not None else {})
    bars = 0 if own is None else len(own)
    facts = Facts(len(kept), dict(classes), int(kept.has_pointer.sum()), kept.bars, bars, hashes)
    known = Known(spec, facts, Store(root), beliefs=beliefs.priors(spec.priors))
    change(
        preset(spec.preset).pretrain(), {name.removeprefix(PREFIX): value for name, value in known.pretraining.items()}
    )
    if spec.checkpoint:
        description_of(spec.checkpoint, root)
    change(known.current, {})  # made here, so that a wrong setting is refused before anything is asked
    return known


class Investigator:
    """Carries an investigation out and keeps its report up to date."""

    def __init__(self, run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
        self.run, self.listen, self.spec = run, listen, run.spec
        self.began, self.updated = time.monotonic(), 0.0
        self.children = Children(run, self._watched, execute, "investigation")
        self.known = opened(self.spec, run.store_root)
        check_unchanged(run, self.known.facts.hashes)
        run.update(data_hashes=self.known.facts.hashes)
        self.steps: list[Step] = []
        self.spent_before = 0.0
        self._prepare()
        self._go_on()

    def work(self) -> None:
        """Ask one question after another."""
        ended = ""
        while not ended:
            self.known.left_s = self.left_s
            open_ = order.options(self.known)
            possible = [one for one in open_ if one.work.seconds <= self.left_s]
            if not open_:
                planned = "No phase of the plan is left. "
                ended = (
                    f"{planned * (self.spec.order == 'phases')}No open question is expected to change the conclusion."
                )
            elif not possible:
                self._refuse_short(open_)
                ended = f"The budget is spent: the open question {open_[0].question.title!r} needs {open_[0].work.time} more."
            else:
                ended = self._ask(possible[0], possible)
            self._write(ended)

    @property
    def spent_s(self) -> float:
        return self.spent_before + time.monotonic() - self.began

    @property
    def left_s(self) -> float:
        return self.spec.budget_s - self.spent_s

    def _watched(self, event: Any, progress: dict[str, Any]) -> None:
        """Every event of every run passes here: the budget ends what is running, and the record says how far it is."""
        if self.spent_s > order.LATEST * self.spec.budget_s:
            raise BudgetSpent
        if time.monotonic() - self.updated > UPDATED_S:
            self.updated = time.monotonic()
            done = min(self.spent_s, self.spec.budget_s)
            own = {"done": round(done), "total": round(self.spec.budget_s), "epochs": 1, "unit": "seconds"}
            self.run.update(progress=own)
        if self.listen:
            self.listen(event, progress)

    def _prepare(self) -> None:
        """Which network is asked about, and what pre-training may see of the labelled windows; kept, so that a resumed one asks the same."""
        known, facts = self.known, self.run.record.facts
        if facts.prepared:
            known.network, known.labelled = facts.prepared.network, facts.prepared.labelled
            return
        known.network = "" if known.has_network else best_network(known)
        if known.facts.bars and not known.spec.checkpoint:
            known.labelled = self._labelled()
            with suppress(MoolaError):  # a study that cannot be made costs nothing
                study = study_of(known, "transfer", 2, (schedule_of(known),))
                seconds = estimate_study(study, known.facts.windows, known.facts.bars, known.store).seconds
                if not known.has_network and seconds > LARGEST_SHARE * self.spec.budget_s:
                    known.network = SMALL
        self.run.update(facts=replace(facts, prepared=Prepared(known.network, known.labelled)))

    def _labelled(self) -> str:
        """The strictest way to leave labelled windows out of pre-training that leaves enough bars, and time for it; empty where no way does."""
        known = self.known
        if LABELLED in known.own_pretraining:
            return ""
        for way in ("exclude", "per_fold", "see"):
            known.labelled = way
            with suppress(MoolaError):
                study = study_of(known, "transfer", 1, (schedule_of(known),))
                ahead.refuse(study, self.run.store_root)
                seconds = estimate_study(study, known.facts.windows, known.facts.bars, known.store).seconds
                if way != "per_fold" or seconds < LARGEST_SHARE * self.spec.budget_s:
                    return way
        return ""

    def _go_on(self) -> None:
        """Take up what an interrupted investigation knew: its finished steps, read again from their runs."""
        if not (self.run.folder / "results" / f"{RESULT}.json").is_file():
            return
        report = restore(InvestigationReport, self.run.result(RESULT))
        made = self.run.record.facts.children
        for step in report.steps:
            if step.state == "cut":
                continue
            prefix = _what(step.question, step.round - 1, "")
            runs = {what.removeprefix(prefix): run_id for what, run_id in made.items() if what.startswith(prefix)}
            done = {key: self.known.store.open(run_id) for key, run_id in runs.items()}
            done = {key: run for key, run in done.items() if run.record.state == "done"}
            self._take(step.question, done, Answer(FAILED, step.outcome, step.run_id))
            self.steps.append(step)
            self.spent_before += step.seconds

    def _ask(self, option: order.Option, open_: list[order.Option]) -> str:
        """Carry out the question's runs and take its answer; returns why the investigation ends here, if it does."""
        question, started = option.question, time.monotonic()
        why = order.why(option, open_, self.known)
        self._say(question.title, why)
        runs: dict[str, Run] = {}
        problems: dict[str, str] = {}
        cut = ""
        try:
            for key, spec in option.work.specs.items():
                what = _what(question.id, option.number, key)
                try:
                    runs[key] = self.children.get(what, spec, f"{question.title} {key}"[:80])
                except MoolaError as error:
                    problems[key] = str(error)
        except BudgetSpent:
            cut = f"The budget ended while a question was open: {question.title}"
        made = self.run.record.facts.children
        of_round = [made[name] for key in option.work.specs if (name := _what(question.id, option.number, key)) in made]
        first = next(iter(of_round), "")
        failed = Answer(FAILED, " ".join(problems.values()) or CUT, first)
        answer = failed if cut else self._take(question.id, runs, failed)
        if problems and answer is not failed:
            lost = "; ".join(f"{key}: {reason}" for key, reason in problems.items())
            answer = replace(answer, outcome=f"{answer.outcome} Failed: {lost}")
        seconds, state = time.monotonic() - started, {UNDECIDED: UNDECIDED, FAILED: FAILED}.get(answer.answer, SETTLED)
        self.steps.append(
            Step(
                question.id,
                question.title,
                option.number + 1,
                why,
                option.value,
                option.work.seconds,
                answer.answer,
                answer.outcome,
                answer.run_id,
                seconds,
                "cut" if cut else state,
                utcnow_iso(),
            )
        )
        self._decide(self.steps[-1])
        return cut

    def _decide(self, step: Step) -> None:
        """Keep the step and its reason as a decision about the data."""
        runs = (self.run.id, *([step.run_id] if step.run_id else []))
        text = f"{step.title} {step.outcome}"[: decisions.MOST_LETTERS]
        own = decisions.Decision(text, step.why, self.known.facts.hashes, self.run.record.data, runs, WHO)
        decisions.add(self.known.store, own)

    def _take(self, name: str, runs: Mapping[str, Run], failed: Answer) -> Answer:
        """The answer that the runs of a round give, and what is believed after it."""
        known, question = self.known, QUESTIONS[name]
        known.runs |= runs
        for run in runs.values():
            self._count_fits(run)
        answer = failed
        if runs or not question.trains:
            with suppress(NotMade):  # the run that it is read from failed
                answer = question.read(known, Made(runs))
        if name in known.answers and answer.answer == FAILED:
            answer = known.answers[name]  # a further round that failed takes nothing back
        known.answers[name] = answer
        known.rounds[name] = known.rounds.get(name, 0) + 1
        known.adopted |= answer.numbers.get("adopted", {})
        known.beliefs, why = beliefs.updated(known.beliefs, name, answer)
        for other, because in why.items():
            known.because.setdefault(other, []).append(because)
        return answer

    def _count_fits(self, run: Run) -> None:
        """Keep how many repeats of each kind of fit the finished run leaves, for the costs of questions that share them."""
        spec, fitted = run.spec, self.known.fitted
        if run.record.kind == "finetune":
            fitted[kind_of_run(spec)] = spec.training.repeats
        elif run.record.kind == "study":
            for arm in spec.arms:
                key = kind_of_fit(spec, arm.name)
                fitted[key] = max(fitted.get(key, 0), spec.base.training.repeats)
            for first in spec.firsts():
                fitted[kind_of_run(first)] = max(fitted.get(kind_of_run(first), 0), spec.base.training.repeats)

    def _say(self, title: str, why: str) -> None:
        self.run.update(facts=replace(self.run.record.facts, doing=Doing(title, why, utcnow_iso())))

    def _refuse_short(self, open_: list[order.Option]) -> None:
        """Raise SpecError where the budget does not suffice for a single question."""
        if not self.steps:
            least = min(open_, key=lambda one: one.work.seconds)
            raise SpecError(
                f"the budget of {self.spec.budget_s:.0f} s is shorter than the shortest question, which takes {least.work.time}.",
                where="budget",
                hint=f"Give at least --budget {least.work.seconds * 2:.0f}s; 5m is a good start.",
            )

    def _write(self, ended: str) -> None:
        """Keep the report as it stands."""
        known = self.known
        best = best_of(known, corrected=bool(ended))
        listed = known.number("next windows", "windows") or ()
        rest = order.not_asked(known, self.left_s) if ended else []
        unasked = tuple(Unasked(name, QUESTIONS[name].title, why) for name, why in rest)
        report = InvestigationReport(
            conclusion(known, best),
            best,
            tuple(self.steps),
            unasked,
            candidates(known),
            gauges(known, best),
            known.beliefs,
            tuple(listed),
            ended,
            self.spent_s,
            self.spec.budget_s,
            vars(known.facts) | {"network": known.network_settings[0]},
            *own_rules(known),
        )
        self.run.write_result(RESULT, report)
        if ended:
            self.run.update(facts=replace(self.run.record.facts, doing=None))
            if not any(step.state in (SETTLED, UNDECIDED) for step in self.steps):
                cut = self.steps[0].state == "cut"
                raise RunError(
                    f"no question could be answered. {'' if cut else 'The first failed with: '}{self.steps[0].outcome}",
                    where=f"run {self.run.id}",
                    hint="Give it more time." if cut else "Correct that and start again.",
                )


def _what(question: str, number: int, key: str) -> str:
    """What a child run is for, as the record keeps it."""
    return f"{question} {number}: {key}"
