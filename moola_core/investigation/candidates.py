"""The models that were measured, which of them to use, and the score to expect of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from moola_core.diagnostics.comparison import arm_predictions
from moola_core.diagnostics.results import Best, Candidate, Diagnosis, Interval
from moola_core.diagnostics.results.search import SearchResult
from moola_core.diagnostics.selection import select_best
from moola_core.errors import DataError, RunError
from moola_core.investigation.causes import INVALID, diagnosis_of
from moola_core.investigation.goal import goal_of
from moola_core.investigation.known import Known, comparison_of, evaluation_of, mean_of
from moola_core.metrics import METRICS, better
from moola_core.runs.codec import restore
from moola_core.runs.fits import settings_of_fits
from moola_core.runs.folds import shared_bars
from moola_core.runs.record import FIT, run_of
from moola_core.runs.store import Run
from moola_core.specs import Faults, Finetune

JOINT, CLASS = "joint_at_3", "f1_macro"
OWN, TRIAL = {"current": "your settings"}, "trial"
SHOWN = ("f1_macro", "hit_at_3", "auroc", "ece")


@dataclass(frozen=True)
class Measured:
    """A model that was measured: what it is called, its run and settings, its score by the metric that chooses (None without one)."""

    name: str
    run: Run
    spec: Finetune
    score: float | None
    scores: Mapping[str, float | None]
    excluded: str


def chosen_by(known: Known) -> str:
    """The metric by which the model is chosen: that of the goal, else the one that covers all tasks of the data."""
    goal = goal_of(known.spec)
    return goal.metric if goal else JOINT if known.facts.expansions else CLASS


def measured(known: Known) -> list[Measured]:
    """Every model that was measured, the same settings once: the run with most repeats, under the first name that they had."""
    models: dict[str, Measured] = {}
    for name, run, inert in _runs(known):
        if run.record.state != "done":
            continue
        one = known.once("measured", run, partial(_measured, known, name, run, inert))
        key = repr((settings_of_fits(one.spec), _start_of(known, one.spec)))
        before = models.get(key)
        if before is None:
            models[key] = one
        elif before.spec.training.repeats < one.spec.training.repeats:
            models[key] = replace(one, name=before.name)
    return list(models.values())


def _start_of(known: Known, spec: Finetune) -> str:
    """What the fits start from: an encoder, or the settings of the fits of another run, which is made anew for more repeats."""
    first = next(iter(spec.transfer.encoders), "")
    if not FIT.fullmatch(first):
        return first
    with suppress(RunError):  # it was deleted since
        return repr(settings_of_fits(known.store.open(run_of(first)).spec))
    return first


def _measured(known: Known, name: str, run: Run, inert: bool) -> Measured:
    spec, scores = run.spec, _scores(run)
    why_not = "a placebo" if inert else _excluded(spec, known.once("diagnosis", run, partial(diagnosis_of, run)))
    return Measured(name, run, spec, scores.get(chosen_by(known)), scores, why_not)


def recommended(known: Known) -> Measured | None:
    """The best of the models that may be used; a network only where one is shown to be better than the simpler ones."""
    pool = _pool(known)
    sign = 1.0 if better(chosen_by(known)) == "higher" else -1.0
    return max(pool, key=lambda one: (sign * (one.score or 0.0), one.run.id), default=None)


def _pool(known: Known) -> list[Measured]:
    """The models that may be recommended: of a search, only what it shows to be better than the settings in use."""
    usable = [one for one in measured(known) if not one.excluded and one.score is not None]
    if known.answer("search") != "better":
        usable = [one for one in usable if not one.name.startswith(TRIAL)]
    simple = [one for one in usable if not one.spec.is_network]
    return usable if not simple or known.network_in_question() > 0.5 else simple


def _runs(known: Known) -> Iterator[tuple[str, Run, bool]]:
    """Cross-validated runs with what they are called, and whether they only serve to compare: single ones, and arms of studies."""
    for name, run in known.runs.items():
        if run.record.kind == "finetune":
            yield OWN.get(name, name), run, False
        elif run.record.kind == "search":
            result = restore(SearchResult, run.result("search"))
            for trial in result.complete:
                with suppress(RunError):
                    yield f"{TRIAL} {trial.number} of the search", known.store.open(trial.run_id), False
        elif run.record.kind == "study":
            comparison = comparison_of(run)
            for arm in comparison.arms:
                with suppress(RunError):  # it was deleted since
                    yield f"{comparison.name}: {arm.name}", known.store.open(arm.run_id), arm.name in comparison.inert


def _scores(run: Run) -> dict[str, float | None]:
    try:
        evaluation = evaluation_of(run)
    except RunError:
        return {}
    return {name: mean_of(evaluation, name) for name in evaluation.metrics if not METRICS[name].by_class}


def _excluded(spec: Finetune, diagnosis: Diagnosis | None) -> str:
    """Why a model is no candidate; empty when it is one."""
    if spec.training.train_size < 1:
        return "trained on a part of the labels"
    invalid = [one.title for one in diagnosis.findings if one.check in INVALID] if diagnosis else []
    if invalid or spec.faults.shuffled_folds or spec.faults.test_fold_selection:
        return f"its score cannot be trusted: {'; '.join(invalid) or 'a fault of the test is planted'}"
    return "" if spec.faults == Faults() else "a fault is planted in it"


def candidates(known: Known) -> tuple[Candidate, ...]:
    """All models that were measured, the best first."""
    sign = 1.0 if better(chosen_by(known)) == "higher" else -1.0
    rows = sorted(measured(known), key=lambda one: -sign * (one.score if one.score is not None else -sign * 1e9))
    shown = dict.fromkeys((chosen_by(known), *SHOWN))
    return tuple(
        Candidate(
            one.name,
            one.run.id,
            one.spec.estimator,
            {name: one.scores[name] for name in shown if name in one.scores},
            one.excluded,
        )
        for one in rows
    )


def best_of(known: Known, corrected: bool = True) -> Best | None:
    """The recommended model with the score to expect of it.

    corrected: for its being the best of several, which takes some seconds; otherwise its own score stands in.
    """
    one = recommended(known)
    if one is None or one.score is None:
        return None
    metric, pool = chosen_by(known), _pool(known)
    metrics = dict.fromkeys((metric, *SHOWN[:2]))
    expected = {name: _expected(known, pool, metric, name) if corrected else None for name in metrics}
    own = {name: interval or _sampled(one, name) for name, interval in expected.items()}
    first = own[metric] or Interval(one.score, one.score, one.score)
    model = plain(one.spec.estimator)
    others = {name: (i.value, i.low, i.high) for name, i in own.items() if i is not None and name != metric}
    return Best(
        one.name if plain(one.name) == model else f"{one.name} ({model})",
        one.run.id,
        metric,
        one.score,
        first.value,
        first.low,
        first.high,
        others,
    )


def plain(name: str) -> str:
    """A model's name in words."""
    return name.replace("_", " ")


def _expected(known: Known, pool: list[Measured], metric: str, scored: str) -> Interval | None:
    """The score in `scored` of whatever is picked by `metric` (BBC-CV); None with a single model, or where it cannot be worked out."""
    usable = [one for one in pool if one.scores.get(scored) is not None]
    if len(usable) < 2:
        return None
    tables = {one.run.id: one.run.predictions for one in usable}
    ids = sorted(set.intersection(*(set(table["window_id"].astype(str)) for table in tables.values())))
    shared = shared_bars(usable[0].run)
    if not ids or shared is None:
        return None
    arms = {run_id: arm_predictions(table, shared, ids) for run_id, table in tables.items()}
    own = {run_id: arm.predictions for run_id, arm in arms.items() if METRICS[metric].measures(arm.predictions)}
    groups = next(iter(arms.values())).shared.groups()
    with suppress(DataError):  # all windows share bars
        return select_best(own, metric, groups, seed=known.spec.seed, scored=scored).expected
    return None


def _sampled(one: Measured, metric: str) -> Interval | None:
    """The sampling interval of the run's own score, for a model that was not picked from several."""
    sampled = (evaluation_of(one.run).sampled or {}).get(metric)
    return sampled.interval if sampled else None
