"""Fits of estimators that are no networks, on the same folds as networks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from moola_core.estimators import ESTIMATORS, Estimator, TrainingWindows
from moola_core.host.threads import WORTH_S, one_thread
from moola_core.specs import Finetune
from moola_core.training import seeds
from moola_core.training.events import Emit, Event
from moola_core.training.folds import Fold, subsample_labels
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.processes import side_by_side, within


def fit_baseline(spec: Finetune, inputs: Inputs, fold: Fold) -> Replicate:
    """One fit of the estimator that spec.estimator names, on the fold's training and validation windows together.

    These models stop nowhere early, so they need no validation windows.
    """
    started = time.perf_counter()
    fold = subsample_labels(fold, inputs.label, spec.training)
    rows = np.sort(np.r_[fold.train, fold.validation])
    seed = int(seeds.stream(spec.training.seed, fold.repeat, fold.fold, seeds.WEIGHTS).generate_state(1)[0])
    assert inputs.prices is not None
    with one_thread():
        estimator = make(spec, seed).fit(training_windows(spec, inputs, rows))
        predicted = estimator.predict(inputs.x[fold.test], inputs.prices[fold.test])
    return Replicate(
        fold.repeat,
        fold.fold,
        fold.test,
        predicted.probabilities,
        None if predicted.span is None else predicted.span[:, 0],
        None if predicted.span is None else predicted.span[:, 1],
        best_epoch=0,
        epochs=0,
        seconds=time.perf_counter() - started,
        device="cpu",
        spans=predicted.spans,
        estimator=estimator,
    )


def fit_baselines(spec: Finetune, inputs: Inputs, folds: Sequence[Fold], emit: Emit) -> Iterator[Replicate]:
    """Every fold, yielded as each ends: one after another, or side by side in `training.processes` where these are worth their start.

    Closing the iterator ends the processes.
    """
    seconds = 0.0
    for done, fold in enumerate(folds):
        left = len(folds) - done
        processes = min(within(spec.training.processes or min(2, os.cpu_count() or 1)), left)
        # The second fit tells how long one takes; the first may have compiled what it calls.
        if done > 1 and processes > 1 and seconds * left * (1 - 1 / processes) > WORTH_S:
            yield from side_by_side(partial(_fit_and_tell, spec, inputs), folds[done:], processes, emit)
            return
        replicate = _fit_and_tell(spec, inputs, fold, emit)
        seconds = replicate.seconds
        yield replicate


def _fit_and_tell(spec: Finetune, inputs: Inputs, fold: Fold, emit: Emit) -> Replicate:
    sizes = {"train": len(fold.train) + len(fold.validation), "test": len(fold.test)}
    emit(Event("replicate_started", fold.repeat, fold.fold, values=sizes))
    replicate = fit_baseline(spec, inputs, fold)
    emit(Event("replicate_finished", fold.repeat, fold.fold, values={"seconds": replicate.seconds}))
    return replicate


def make(spec: Finetune, seed: int) -> Estimator:
    """The estimator that the spec names, not fitted, with the settings of its part."""
    kind = ESTIMATORS.resolve(spec.estimator)
    return kind(seed=seed, **(getattr(spec, kind.part).model_dump() if kind.part else {}))


def training_windows(spec: Finetune, inputs: Inputs, rows: np.ndarray) -> TrainingWindows:
    """The windows at these rows as estimators read them."""
    assert inputs.prices is not None
    group = inputs.shared.groups(spec.training.folds)
    return TrainingWindows(
        inputs.x[rows],
        inputs.prices[rows],
        inputs.target[rows],
        np.stack([inputs.start, inputs.end], axis=1)[rows],
        group[rows],
        len(inputs.classes),
        spec.model.tasks,
    )
