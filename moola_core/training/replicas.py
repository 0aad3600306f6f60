"""Fits of many replicates at once, as many at a time as memory allows.

Thousands of tiny steps leave a GPU almost idle when they run one after another; here one step serves them all.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

import torch

from moola_core.models.checkpoint import Pretrained
from moola_core.specs import Finetune
from moola_core.training.capture import out_of_memory
from moola_core.training.device import Device, exact, own_random_state
from moola_core.training.events import Emit, Event
from moola_core.training.folds import Fold
from moola_core.training.group import Group
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.memory import most_at_once

MOST_AT_A_TIME = {"cpu": 10, "cuda": 100}  # memory grows with them; on CUDA fewer are tried when it does not suffice


def start_at(spec: Finetune, starts: Sequence[Pretrained], fold: Fold) -> Pretrained | None:
    """The encoder that the fit of a fold begins with; None from random weights."""
    return starts[spec.transfer.encoder_of(fold.repeat, fold.fold)] if starts else None


def fit_replicas(
    spec: Finetune,
    inputs: Inputs,
    folds: Sequence[Fold],
    emit: Emit,
    device: Device,
    starts: Sequence[Pretrained] = (),
) -> Iterator[Replicate]:
    """All folds, as many at a time as the engine says and memory allows, yielded as each stops."""
    waiting, most = list(folds), device.engine.at_once or MOST_AT_A_TIME[device.kind]
    while waiting:
        room = most_at_once(device, most)
        if room < min(most, len(waiting)):
            emit(
                Event(
                    "log", values={"message": f"The free memory holds {room} fits at a time, as measured on this host."}
                )
            )
        most = min(most, room)
        tried, ended = waiting[:most], set()
        try:
            with exact(device):
                for replicate in _group(spec, inputs, tried, device, starts).fit(emit):
                    ended.add((replicate.repeat, replicate.fold))
                    yield replicate
            short = False
        except RuntimeError as error:
            if len(tried) == 1 or not out_of_memory(error):
                raise
            short = True
        if short:
            most = max(1, len(tried) // 2)
            emit(Event("log", values={"message": f"Out of GPU memory: {most} fits at a time from here on."}))
        waiting = [fold for fold in waiting if (fold.repeat, fold.fold) not in ended]
        if waiting:  # a group and its steps hold each other; outside the handler, whose traceback would keep them too
            gc.collect()
            torch.cuda.empty_cache()


def _group(
    spec: Finetune,
    inputs: Inputs,
    folds: Sequence[Fold],
    device: Device,
    starts: Sequence[Pretrained],
) -> Group:
    with own_random_state(device):
        return Group(spec, inputs, folds, device, [start_at(spec, starts, fold) for fold in folds])
