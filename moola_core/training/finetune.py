"""Cross-validated fits to labelled windows: one replicate, or all of them over processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from moola_core.errors import RunError
from moola_core.models.checkpoint import Pretrained, put_weights, weights_of
from moola_core.specs import Finetune
from moola_core.training.device import Device, resolve_device
from moola_core.training.events import Emit, Event
from moola_core.training.folds import Fold, thin
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.loop import STEP_COLUMNS, Loop
from moola_core.training.processes import settle

SMALLEST_GAIN = 1e-6


def fit_replicate(
    spec: Finetune,
    inputs: Inputs,
    fold: Fold,
    emit: Emit,
    device: Device | None = None,
    start: Pretrained | None = None,
) -> Replicate:
    """One fit: train, choose the epoch on the inner windows, predict the test windows once.

    start: the encoder that spec.transfer begins with.
    The same spec, inputs and fold give the same bits on a CPU, whatever else runs.
    """
    started = time.perf_counter()
    device = device or resolve_device(spec.training)
    with (
        torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.kind == "cuda" else []),
        _one_thread(device),
    ):
        fold = thin(fold, inputs.label, spec.training)
        loop = Loop(spec, inputs, fold, device, start)
        where: dict[str, Any] = {"repeat": fold.repeat, "fold": fold.fold}
        emit(
            Event(
                "replicate_started",
                **where,
                values={role: len(getattr(fold, role)) for role in ("train", "inner", "test", "purged")},
            )
        )
        before = weights_of(loop.model)
        best_epoch, epochs, steps, weights = _train(loop, emit, where)
        moved = loop.unfreezing.moved(before)
        put_weights(loop.model, weights)
        probabilities, span, _ = loop.predict(fold.test)
    seconds = time.perf_counter() - started
    values = {"seconds": seconds, "best_epoch": best_epoch, "epochs": epochs, "moved": moved}
    emit(Event("replicate_finished", **where, values=values))
    sigmas = loop.weighting.sigmas() if spec.model.tasks == "both" else None
    return Replicate(
        fold.repeat,
        fold.fold,
        fold.test,
        probabilities,
        None if span is None else span[:, 0],
        None if span is None else span[:, 1],
        best_epoch,
        epochs,
        weights | {"scale.mean": loop.mean, "scale.std": loop.std},
        steps,
        sigmas[1] / sigmas[0] if sigmas else None,
        loop.model.count_trainable(),
        sum(parameter.numel() for parameter in loop.model.shared_parameters()),
        seconds,
        device.name,
    )


def _train(
    loop: Loop, emit: Emit, where: dict[str, Any]
) -> tuple[int, int, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """All epochs with early stopping: the chosen epoch, epochs run, per-step columns, and the chosen weights."""
    training = loop.spec.training
    best, best_epoch, weights = float("inf"), 0, weights_of(loop.model)
    tables: list[np.ndarray] = []
    for epoch in range(1, training.epochs + 1):
        if loop.begin_epoch(epoch):
            _tell_phase(loop, emit, where | {"epoch": epoch})
        table = loop.train_epoch(epoch)
        tables.append(table)
        probabilities, span, losses = loop.predict(loop.fold.inner)
        full = epoch % training.monitor_every == 0 or training.monitor == "f1_macro"
        found = loop.monitoring(loop.fold.inner, (probabilities, span), np.concatenate(tables)) if full else {}
        _tell(loop, emit, where | {"epoch": epoch}, (table, losses))
        if epoch % training.monitor_every == 0:
            emit(Event("monitor", **where, epoch=epoch, split="inner", values=found))
        score = loop.score(losses, found.get("f1_macro"))
        if not np.isfinite(losses).all():
            raise RunError(
                f"The loss is not a number from epoch {epoch} on (repeat {loop.fold.repeat}, fold {loop.fold.fold}).",
                mend="Lower training.learning_rate or training.clip_norm.",
            )
        if score < best - SMALLEST_GAIN:
            best, best_epoch, weights = score, epoch, weights_of(loop.model)
        # What is still to be unfrozen gets its turn: patience counts from the last change on.
        since = max(best_epoch, loop.unfreezing.last_change)
        stop = epoch == training.epochs or (training.patience is not None and epoch - since >= training.patience)
        if loop.unfreezing.ends(epoch, stop):
            changed = loop.unfreezing.changed()
            emit(Event("changed", **where, epoch=epoch, values={"names": changed, "count": len(changed)}))
        if stop:
            break
    return best_epoch, epoch, _columns(tables, where), weights


def _tell_phase(loop: Loop, emit: Emit, at: dict[str, Any]) -> None:
    values = {
        "parameters": loop.model.count_trainable(),
        "names": loop.unfreezing.trainable(),
        "rates": loop.unfreezing.phase.rates,
        "encoder_noise": loop.encoder_noise(),
    }
    emit(Event("trainable", **at, values=values))


def _tell(loop: Loop, emit: Emit, at: dict[str, Any], found: tuple[np.ndarray, np.ndarray]) -> None:
    table, losses = found
    sigmas = loop.weighting.sigmas()
    values: dict[str, Any] = {
        "loss": float(table[:, 0].mean()),
        "loss_class": float(table[:, 1].mean()),
        "loss_pointer": float(table[:, 2].mean()),
    }
    values |= {"sigma_class": sigmas[0], "sigma_pointer": sigmas[1]} if sigmas else {}
    emit(Event("epoch", **at, split="train", values=values | {"lr": max(loop.unfreezing.phase.rates.values())}))
    emit(
        Event(
            "epoch",
            **at,
            split="inner",
            values={"loss": loop.score(losses, None), "loss_class": float(losses[0]), "loss_pointer": float(losses[1])},
        )
    )


def _columns(tables: list[np.ndarray], where: dict[str, Any]) -> dict[str, np.ndarray]:
    table = np.concatenate(tables)
    sizes = [len(part) for part in tables]
    columns: dict[str, np.ndarray] = {name: np.full(len(table), value) for name, value in where.items()}
    columns["epoch"] = np.repeat(np.arange(1, len(tables) + 1), sizes)
    columns["step"] = np.arange(len(table))
    return columns | {name: table[:, i] for i, name in enumerate(STEP_COLUMNS)}


class _one_thread:
    """Hold torch to one CPU thread inside: sums then have one order, and two fits can run side by side."""

    def __init__(self, device: Device) -> None:
        self.on, self.before = device.kind == "cpu", torch.get_num_threads()

    def __enter__(self) -> None:
        if self.on:
            torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.before)


def fit_all(
    spec: Finetune,
    inputs: Inputs,
    folds: Sequence[Fold],
    emit: Emit,
    done: frozenset[tuple[int, int]] = frozenset(),
    start: Pretrained | None = None,
) -> Iterator[Replicate]:
    """Every fold that is not in `done` as (repeat, fold), yielded as each ends.

    On a CPU the fits run in `training.processes` one-thread processes (0: two, where there are two cores); events reach `emit`
    in this process. Closing the iterator ends them.
    """
    device = resolve_device(spec.training)
    waiting = [fold for fold in folds if (fold.repeat, fold.fold) not in done]
    processes = min(spec.training.processes or min(2, os.cpu_count() or 1), len(waiting))
    if device.kind == "cuda" or processes <= 1:
        for fold in waiting:
            yield fit_replicate(spec, inputs, fold, emit, device, start)
        return
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    others = _children()
    with context.Pool(processes, _start, ((spec, inputs, device, start), events, os.getpid())) as pool:
        workers = _children() - others
        running = [pool.apply_async(_fit, (fold,)) for fold in waiting]
        while running:
            _drain(events, emit)
            _check(workers)
            ended = [result for result in running if result.ready()]
            running = [result for result in running if result not in ended]
            for result in ended:
                replicate = result.get()
                _drain(events, emit)
                yield replicate
        _drain(events, emit)


def _children() -> set[int]:
    return {child.ident for child in multiprocessing.active_children() if child.ident is not None}


def _check(workers: set[int]) -> None:
    """A pool replaces a process that was killed and forgets its work: waiting for that fit would never end."""
    lost = workers - _children()
    if lost:
        raise RunError(
            f"a fitting process ended on its own (pid {', '.join(map(str, sorted(lost)))}).",
            where="training.processes",
            mend="It was killed, most often for want of memory: set training.processes=1 or use a smaller model.",
        )


def _drain(events: Any, emit: Emit) -> None:
    """Pass on what the processes have said, waiting a moment for the first."""
    wait = 0.1
    while True:
        try:
            emit(events.get(timeout=wait))
        except queue.Empty:
            return
        wait = 0.001


_work: dict[str, Any] = {}


def _start(work: tuple[Finetune, Inputs, Device, Pretrained | None], events: Any, parent: int) -> None:
    settle(parent)
    _work.update(work=work, emit=events.put)


def _fit(fold: Fold) -> Replicate:
    spec, inputs, device, start = _work["work"]
    return fit_replicate(spec, inputs, fold, _work["emit"], device, start)
