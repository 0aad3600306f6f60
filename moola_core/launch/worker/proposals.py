"""What Optuna says of a search: which settings to try next, and whether a trial is to end early.

Each question is asked of a study that is made anew from the trials that have ended, with a random stream of the trial's own number. So the
reply is a function of these trials alone, and a search that was interrupted goes on as one that was not.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from numpy.random import SeedSequence
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.study import StudyDirection
from optuna.trial import TrialState

from moola_core.diagnostics.results.search import COMPLETE, PRUNED, Trial
from moola_core.errors import SpecError
from moola_core.metrics import better
from moola_core.specs import Dimension, Search, spec_hash
from moola_core.specs.search import same

ATTEMPTS = 20  # proposals of settings that were tried before, until one that was not is looked for
STARTUP_TRIALS = 5  # complete trials before the median of their scores says anything
WARMUP_FITS = 2  # one fold's validation windows are too few
STATES = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED}


def propose(spec: Search, ended: Sequence[Trial]) -> dict[str, Any] | None:
    """The settings of the trial after those that have `ended`; None where every combination was tried."""
    number, tried = len(ended), {_key(spec, trial.settings) for trial in ended}
    for attempt in range(ATTEMPTS):
        study = _study(spec, ended, (spec.seed, number, attempt))
        values = study.ask(distributions(spec)).params
        settings = {name: _decoded(spec.space[name], value) for name, value in values.items()}
        if _key(spec, settings) not in tried:
            return settings
    if spec.size is None:  # a range of numbers never comes to its end
        return settings
    return next((one for one in spec.combinations() if _key(spec, one) not in tried), None)


def is_behind(spec: Search, ended: Sequence[Trial], inner: Sequence[float]) -> bool:
    """Whether a trial with these scores of the validation windows, one after each fit, is behind the median of the complete trials."""
    trial = _study(spec, ended, (spec.seed, len(ended))).ask()
    for step, value in enumerate(inner):
        trial.report(value, step)
    return trial.should_prune()


def distributions(spec: Search) -> dict[str, BaseDistribution]:
    """The space as Optuna has it; choices stand there as JSON."""
    return {name: _distribution(dimension, spec.is_whole(name)) for name, dimension in spec.space.items()}


def _distribution(dimension: Dimension, whole: bool) -> BaseDistribution:
    if dimension.choices is not None:
        return CategoricalDistribution([json.dumps(one) for one in dimension.choices])
    assert dimension.low is not None and dimension.high is not None
    if whole:
        step = round(dimension.step) if dimension.step is not None else 1
        return IntDistribution(round(dimension.low), round(dimension.high), dimension.log, step)
    return FloatDistribution(float(dimension.low), float(dimension.high), dimension.log, dimension.step)


def _study(spec: Search, ended: Sequence[Trial], key: tuple[int, ...]) -> optuna.Study:
    """A study in memory that has seen what has ended."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = int(SeedSequence(key).generate_state(1)[0])
    make = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}[spec.sampler]
    pruner = optuna.pruners.MedianPruner(STARTUP_TRIALS, WARMUP_FITS)
    direction = StudyDirection.MAXIMIZE if better(spec.metric) == "higher" else StudyDirection.MINIMIZE
    study = optuna.create_study(sampler=make(seed=seed), pruner=pruner, direction=direction)
    for trial in ended:
        if trial.state in STATES:
            study.add_trial(_frozen(spec, trial))
    return study


def _frozen(spec: Search, trial: Trial) -> optuna.trial.FrozenTrial:
    """The trial with those of its settings that lie in the space: the settings as they are may lie beyond it."""
    own = {
        name: one
        for name, one in distributions(spec).items()
        if spec.space[name].holds(trial.settings[name], spec.is_whole(name))
    }
    params = {name: _encoded(spec.space[name], trial.settings[name]) for name in own}
    values = dict(enumerate(trial.inner))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.trial.create_trial(
            state=STATES[trial.state],
            value=trial.score if trial.state == COMPLETE else None,
            params=params,
            distributions=own,
            intermediate_values=values,
        )


def _encoded(dimension: Dimension, value: Any) -> Any:
    if dimension.choices is None:
        return value
    return json.dumps(next(one for one in dimension.choices if same(one, value)))


def _decoded(dimension: Dimension, value: Any) -> Any:
    return value if dimension.choices is None else json.loads(value)


def _key(spec: Search, settings: dict[str, Any]) -> str:
    """By which settings are the same; settings that contradict each other are themselves alone."""
    try:
        return spec_hash(spec.trial(settings))
    except SpecError:
        return json.dumps(settings, sort_keys=True)
