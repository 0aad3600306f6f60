"""A search: trials one after another, each an ordinary run, and the best of them with what it is expected to reach."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any

from moola_core.diagnostics import search as judging
from moola_core.diagnostics.comparison import ArmPredictions, arm_predictions
from moola_core.diagnostics.results.search import COMPLETE, FAILED, PRUNED, BestTrial, SearchResult, Trial
from moola_core.errors import CheckpointError, DataError, DeviceError, MoolaError, RunError, SpecError, StoreError
from moola_core.host.engine import SEQUENTIAL
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.ending import EndedEarly
from moola_core.launch.worker.labelled import check_unchanged
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.metrics import METRICS
from moola_core.runs import codec
from moola_core.runs.folds import shared_bars
from moola_core.runs.store import Run
from moola_core.specs import Search

DEFAULT = "0"
OVERRUN = 1.1  # of the budget: a trial that would end later than that is not begun
RESULT = "search"


def work(run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
    """Make trials until their number, the budget or the space is used up. An interrupted search finds its trials again.

    Raises RunError when no trial has a score.
    """
    spec: Search = run.spec
    run.update(warnings=spec.notes)
    trials, clock = _ended_before(run), _Clock(run)
    made = Children(run, listen, execute, "search")
    ended = "It was interrupted."
    try:
        while not (ended := _reason_to_end(spec, trials, clock.spent())):
            settings = _settings_of_next(made, trials)
            if settings is None:
                ended = "Every combination of the space was tried."
                break
            trials.append(_trial(made, trials, settings))
            clock.keep()
            run.write_result(RESULT, _result(run, trials, "", clock.spent()))
    finally:
        run.write_result(RESULT, _judged(run, trials, ended or "It was interrupted.", clock.spent()))
    if not any(trial.state == COMPLETE for trial in trials):
        raise RunError(
            f"none of the {len(trials)} trials has a score. The first failed with: {trials[0].reason}",
            where=f"run {run.id}",
            hint="Correct that and start the search again.",
        )


class _Clock:
    """The seconds that the search has used, those of before an interruption included."""

    def __init__(self, run: Run) -> None:
        self.run, self.before, self.began = run, run.record.facts.spent_s or 0.0, time.monotonic()

    def spent(self) -> float:
        return self.before + time.monotonic() - self.began

    def keep(self) -> None:
        """Remember them in the record, with how far the search has come."""
        record, spec = self.run.record, self.run.spec
        done = record.progress.get("done", 0) + 1
        progress = {"done": min(done, spec.trials), "total": spec.trials, "epochs": 1, "unit": "trials"}
        self.run.update(facts=replace(record.facts, spent_s=self.spent()), progress=progress)


def _ended_before(run: Run) -> list[Trial]:
    """The trials that had ended when the search was interrupted; none when it begins."""
    known = (run.folder / "results" / f"{RESULT}.json").is_file()
    trials = list(codec.restore(SearchResult, run.result(RESULT)).trials) if known else []
    run.update(progress={"done": len(trials), "total": run.spec.trials, "epochs": 1, "unit": "trials"})
    return trials


def _reason_to_end(spec: Search, trials: Sequence[Trial], spent: float) -> str:
    """Why no further trial is begun; empty where one is. The first is always made."""
    if len(trials) >= spec.trials:
        return f"All {spec.trials} trials were made."
    if spec.budget_s is None or not trials:
        return ""
    if spent >= spec.budget_s:
        return f"The budget of {spec.budget_s:g} s was used up."
    took = [one.seconds for one in trials if one.seconds and one.state == COMPLETE]
    typical = median(took) if took else 0.0
    if spent + typical > OVERRUN * spec.budget_s:
        return f"Another trial, of about {typical:.0f} s, would have overrun the budget of {spec.budget_s:g} s."
    return ""


def _settings_of_next(made: Children, trials: Sequence[Trial]) -> dict[str, Any] | None:
    """What the next trial changes: of the run that an interruption left, else as they are in the first, else as Optuna proposes."""
    spec: Search = made.run.spec
    known = made.run.record.facts.children.get(_key(len(trials)))
    if known:
        return spec.settings_of(made.store.open(known).spec)
    if not trials:
        return spec.settings_of(spec.base)
    from moola_core.launch.worker.proposals import propose  # loads Optuna

    return propose(spec, trials)


def _key(number: int) -> str:
    return f"trial {number}"


def _trial(made: Children, ended: Sequence[Trial], settings: dict[str, Any]) -> Trial:
    """Carry out the next trial. One that fails is a row with its reason; what is wrong with all of them, such as the data or a full disk, ends the search."""
    spec: Search = made.run.spec
    number = len(ended)
    try:
        child = made.child(_key(number), spec.trial(settings), f"search: {_key(number)}")
    except SpecError as error:
        return Trial(number, settings, "", FAILED, reason=str(error))
    watch = _Watch(spec, ended, child, made.listen)
    try:
        if child.record.state != "done" and not watch.reason:
            made.execute(child, watch)
        watch.look()
    except EndedEarly:
        pass
    except StoreError:
        raise
    except MoolaError as error:
        of_all = isinstance(error, DataError | DeviceError | CheckpointError) and not ended
        if of_all or (isinstance(error, RunError) and "is running" in error.what):
            raise  # what is wrong with the data, the device or the encoder of the first is wrong with all
        return Trial(number, settings, child.id, FAILED, None, child.record.seconds, watch.inner, str(error))
    _hold_to_same_data(made.run, child)
    if watch.reason:
        return Trial(number, settings, child.id, PRUNED, None, child.record.seconds, watch.inner, watch.reason)
    score = _score(child, spec.metric)
    reason = "" if score is not None else f"The run has no {METRICS[spec.metric].title}, so it counts in no score."
    state = COMPLETE if score is not None else FAILED
    return Trial(number, settings, child.id, state, score, child.record.seconds, watch.inner, reason)


def _hold_to_same_data(run: Run, child: Run) -> None:
    """Remember the data of the first trial; raise DataError for another one that was made on other data."""
    own = {name: value for name, value in child.record.data_hashes.items() if name in ("windows", "bars", "folds")}
    check_unchanged(run, own)
    run.update(data_hashes=run.record.data_hashes | own)


class _Watch:
    """Listens to a trial and ends it when it is behind on the validation windows.

    Whether it is depends on the scores after each fit in their order and on the trials that have `ended`, never on which fit ended first: so a
    trial that came to its end before it could be asked is pruned all the same. Fits that are trained all at once are not pruned.
    """

    def __init__(self, spec: Search, ended: Sequence[Trial], child: Run, listen: ProgressCallback | None) -> None:
        self.spec, self.ended, self.child, self.listen = spec, ended, child, listen
        self.inner: tuple[float, ...] = ()
        self.reason = child.record.facts.pruned
        self.fits = 0
        if self.reason:
            self.inner = inner_scores(child, spec.metric)[: child.record.facts.pruned_after]

    def __call__(self, event: Any, progress: Any) -> None:
        if self.listen is not None:
            self.listen(event, progress)
        if progress.get("done", 0) > self.fits:
            self.fits = progress["done"]
            self.look()
            if self.reason:
                raise EndedEarly(self.reason)

    def look(self) -> None:
        """Ask of every fit that has ended since the last look whether the trial is behind."""
        facts = self.child.record.facts
        if self.reason or facts.engine != SEQUENTIAL:
            return
        scores = inner_scores(self.child, self.spec.metric)
        total = self.child.spec.training.folds * self.child.spec.training.repeats
        for n in range(len(self.inner) + 1, len(scores) + 1):
            self.inner = scores[:n]
            if n < total and self._is_behind():
                self.reason = (
                    f"It was pruned after {n} of {total} fits: on the validation windows its {METRICS[self.spec.metric].title} of "
                    f"{METRICS[self.spec.metric].text(scores[n - 1])} was behind the median of the trials before it."
                )
                self.child.update(facts=replace(facts, pruned=self.reason, pruned_after=n))
                return

    def _is_behind(self) -> bool:
        from moola_core.launch.worker.proposals import is_behind  # loads Optuna

        return is_behind(self.spec, self.ended, self.inner)


def inner_scores(child: Run, metric: str) -> tuple[float, ...]:
    """After each fit of a trial, in the order of repeats and folds, the mean metric of the validation windows of the fits so far.

    It ends before the first fit that has not ended. Empty where fits select no epoch, and so have no validation windows of their own, and
    where the metric is not measured of them. Test windows have no part in it.
    """
    training, folders = child.spec.training, child.replicates()
    values: list[float] = []
    means: list[float] = []
    for fit in product(range(training.repeats), range(training.folds)):
        if fit not in folders:
            break
        stored = codec.load_object((folders[fit] / "fit.json").read_bytes()).get("inner") or {}
        if stored.get(metric) is not None:
            values.append(float(stored[metric]))
        if not values:
            break
        means.append(sum(values) / len(values))
    return tuple(means)


def _score(child: Run, metric: str) -> float | None:
    """The metric of the trial's out-of-fold predictions; None where it has none."""
    try:
        spread = child.result("evaluation")["metrics"].get(metric)
    except RunError:
        return None
    return None if spread is None else spread.get("mean")


def _result(run: Run, trials: Sequence[Trial], ended: str, spent_s: float, **judged: Any) -> SearchResult:
    values = {"best": None, "default": None, "compared": 0} | judged
    return SearchResult(run.spec.metric, tuple(trials), **values, ended=ended, spent_s=spent_s, notes=run.spec.notes)


def _judged(run: Run, trials: Sequence[Trial], ended: str, spent_s: float) -> SearchResult:
    """The result with the best of the complete trials, on the windows that all of them predict."""
    spec: Search = run.spec
    complete = {str(trial.number): trial for trial in trials if trial.state == COMPLETE and _kept(run, trial)}
    gone = [trial.number for trial in trials if trial.state == COMPLETE and str(trial.number) not in complete]
    if gone:
        numbers = ", ".join(map(str, gone))
        run.update(
            warnings=(
                *spec.notes,
                f"Not among those that were picked from, for their runs were deleted: trials {numbers}.",
            )
        )
    if not complete:
        return _result(run, trials, ended, spent_s)
    arms = _predictions(run, list(complete.values()))
    try:
        selection = judging.best_of(arms, spec.metric, spec.seed)
    except DataError as error:  # all windows share bars
        run.update(warnings=(*spec.notes, f"The best trial has no corrected score: {error}"))
        return _result(run, trials, ended, spent_s)
    best = complete[selection.name]
    expected = selection.expected
    row = BestTrial(
        best.number,
        best.run_id,
        spec.trial(best.settings).estimator,
        best.settings,
        spec.metric,
        selection.measured,
        expected.value,
        expected.low,
        expected.high,
        len(complete),
        selection.share[selection.name],
    )
    verdict = judging.against_default(arms, DEFAULT, selection.name, spec.metric, spec.margin)
    return _result(run, trials, ended, spent_s, best=row, default=verdict, compared=len(arms) - (DEFAULT in arms))


def _kept(run: Run, trial: Trial) -> bool:
    """Whether the trial's run is still in the store."""
    return (run.folder.with_name(trial.run_id) / "predictions.parquet").is_file()


def _predictions(run: Run, trials: Sequence[Trial]) -> dict[str, ArmPredictions]:
    """What each trial predicted, windows in one order."""
    runs = {str(trial.number): Run(run.folder.with_name(trial.run_id)) for trial in trials}
    tables = {name: one.predictions for name, one in runs.items()}
    common = sorted(set.intersection(*(set(table["window_id"].astype(str)) for table in tables.values())))
    shared = shared_bars(next(iter(runs.values())))
    return {name: arm_predictions(table, shared, common) for name, table in tables.items()}
