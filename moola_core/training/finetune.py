"""Cross-validated fits to labelled windows: one replicate, or all of them over processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

from moola_core.errors import DataError
from moola_core.host.engine import ALONE, REPLICAS
from moola_core.models.checkpoint import Pretrained
from moola_core.specs import Finetune
from moola_core.training.device import Device, exact, own_random_state, resolve_device, torch_on_one_thread
from moola_core.training.engine import choose_engine
from moola_core.training.events import Emit
from moola_core.training.folds import Fold, subsample_labels
from moola_core.training.group import Group
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.processes import side_by_side, within
from moola_core.training.replicas import fit_replicas, start_at


def fit_replicate(
    spec: Finetune,
    inputs: Inputs,
    fold: Fold,
    emit: Emit,
    device: Device | None = None,
    start: Pretrained | None = None,
) -> Replicate:
    """One fit: train, select the epoch on the validation windows, predict the test windows once.

    start: the encoder that spec.transfer begins with.
    The same spec, inputs and fold give the same bits on a CPU, whatever else runs.
    """
    device = (device or resolve_device(spec.training)).using(ALONE)
    with own_random_state(device), torch_on_one_thread(device), exact(device):
        (replicate,) = Group(spec, inputs, [fold], device, [start]).fit(emit)
    return replicate


def _check_sizes(spec: Finetune, inputs: Inputs, folds: Sequence[Fold]) -> None:
    """Raise DataError, before any fit begins, where batch normalisation would have one window to normalise over."""
    for fold in folds if spec.model.normalisation == "batch" else ():
        if len(subsample_labels(fold, inputs.label, spec.training).train) < 2:
            raise DataError(
                f"fold {fold.fold} of repeat {fold.repeat} has one training window, and batch normalisation needs two.",
                where="training.folds",
                hint="Label more windows, ask for fewer folds, or set model.normalisation to layer or none.",
            )


def fit_all(
    spec: Finetune,
    inputs: Inputs,
    folds: Sequence[Fold],
    emit: Emit,
    starts: Sequence[Pretrained] = (),
    device: Device | None = None,
) -> Iterator[Replicate]:
    """Every fold, yielded as each ends.

    starts: the encoders that the fits begin with, as `spec.transfer.encoder_of` says; none from random weights.
    device: where and how; that of the spec, with the engine of `choose_engine`, where none is given. One after another on a CPU, the fits run in
    `training.processes` one-thread processes (0: as many as the engine says, or two where there are two cores); events reach `emit` in this
    process. Closing the iterator ends them.
    """
    if device is None:
        device = resolve_device(spec.training)
        device = device.using(choose_engine(spec, device, len(folds)))
    _check_sizes(spec, inputs, folds)
    if device.engine.name == REPLICAS:
        yield from fit_replicas(spec, inputs, folds, emit, device, starts)
        return
    asked = spec.training.processes or device.engine.processes or min(2, os.cpu_count() or 1)
    processes = min(within(asked), len(folds))
    if device.kind == "cuda" or processes <= 1:
        for fold in folds:
            yield _fit(spec, inputs, device, starts, fold, emit)
        return
    yield from side_by_side(partial(_fit, spec, inputs, device, starts), folds, processes, emit)


def _fit(
    spec: Finetune, inputs: Inputs, device: Device, starts: Sequence[Pretrained], fold: Fold, emit: Emit
) -> Replicate:
    return fit_replicate(spec, inputs, fold, emit, device, start_at(spec, starts, fold))
