"""Fits of many replicates at once: the sequential path's steps with a leading replica dimension.

Thousands of tiny steps leave a GPU almost idle when they run one after another. Here one step serves all replicates, each with its own
rows, dropout, noise, best weights and stopping point; a replicate that has stopped changes no more.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moola_core.models.checkpoint import Pretrained
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import Replicas
from moola_core.specs import Finetune
from moola_core.training.averaging import Averages
from moola_core.training.batches import Batch, Rows, Windows
from moola_core.training.capture import Captured, out_of_memory
from moola_core.training.device import Device
from moola_core.training.events import Emit, Event
from moola_core.training.folds import Fold, thin
from moola_core.training.gradients import combined
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.loop import NOISE_WINDOWS, STEP_COLUMNS, Loop, Predicted, noise_share
from moola_core.training.losses import class_loss, located_loss
from moola_core.training.mirror import mirrored
from moola_core.training.monitor import FitMonitor, score_inner
from moola_core.training.schedule import LAST, LOWER
from moola_core.training.stacked import WEIGHTING, RowAdamW, Stacked, unstacked
from moola_core.training.stacked_weightings import Weightings

MOST_AT_A_TIME = {"cpu": 10, "cuda": 100}  # memory grows with them; on CUDA fewer are tried when it does not suffice
# The share of the fits that must have stopped before the others go on alone: capturing the steps anew costs as much as dozens of them.
ENOUGH_STOPPED = {"cpu": 0.5, "cuda": 0.75}
SHARED = ("encoder.", "pooling.", "trunk.")


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
    """All folds, as many at a time as memory allows, yielded as each stops."""
    waiting, most = list(folds), MOST_AT_A_TIME[device.kind]
    while waiting:
        tried, ended = waiting[:most], set()
        try:
            for replicate in Group(spec, inputs, tried, device, starts).fit(emit):
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


class Group:
    """Replicates that are trained at once. All state is on the device; the loops keep each one's settings and streams."""

    def __init__(
        self, spec: Finetune, inputs: Inputs, folds: Sequence[Fold], device: Device, starts: Sequence[Pretrained] = ()
    ) -> None:
        self.spec, self.device = spec, device
        cpu = replace(device, kind="cpu", precision="float32")
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.kind == "cuda" else []):
            self.loops = [
                Loop(spec, inputs, thin(fold, inputs.label, spec.training), cpu, start_at(spec, starts, fold))
                for fold in folds
            ]
        self.windows, self.stacked = Windows(inputs, self.loops, device.kind), Stacked(self.loops, device.kind)
        self.optimizer, self.batch = RowAdamW(self.stacked), Batch(self.loops, device.kind)
        self.averages = Averages(self.stacked.trained, spec.training.averaging)
        self.anchor = self.stacked.matrix.clone() if self._pulls else None
        self.weightings = Weightings(self.loops, self.stacked, device.kind)
        self.active = self.loops[0].active.to(device.kind)
        self.failure = ""
        self.steps: dict[bool, Captured] = {}
        self.ask: Captured | None = None

    @property
    def _pulls(self) -> bool:
        return self.loops[0].start is not None and self.spec.transfer.l2_sp > 0

    def fit(self, emit: Emit) -> Iterator[Replicate]:
        """Train all to their end, yielded as each stops."""
        began = time.perf_counter()
        # Memory that is short shows here most often, and the fits then begin anew: nothing is reported of them before.
        begun = self._begin(1, self.loops, emit)
        monitors = [FitMonitor(loop, emit) for loop in self.loops]
        seconds = [0.0] * len(monitors)
        for epoch in range(1, self.spec.training.epochs + 1):
            on = [r for r, monitor in enumerate(monitors) if not monitor.stopped]
            if epoch > 1:
                begun = self._begin(epoch, [self.loops[r] for r in on], emit)
            if begun:
                for r, noise in zip(on, self.encoder_noise(on), strict=True):
                    monitors[r].emit_phase(epoch, noise)
            tables = self.train_epoch(epoch, on)
            with self.averages.in_force(epoch):
                self._measure(epoch, on, tables, monitors)
            self._end_phases([r for r in on if monitors[r].ends_phase()], monitors)
            now = time.perf_counter()
            for r in on:
                seconds[r] += (now - began) / len(on)
            began = now
            stopped = [r for r in on if monitors[r].stopped]
            if stopped:
                yield from self._finish(stopped, monitors, seconds)
            left = [r for r in on if not monitors[r].stopped]
            if not left:
                return
            if len(left) <= len(monitors) * (1 - ENOUGH_STOPPED[self.device.kind]):
                monitors, seconds = [monitors[r] for r in left], [seconds[r] for r in left]
                self.select(left)
                self.prepare(emit)

    def _measure(
        self, epoch: int, on: Sequence[int], tables: dict[int, np.ndarray], monitors: Sequence[FitMonitor]
    ) -> None:
        """Measure the epoch of the fits that go on, and remember the weights of those that are the best so far."""
        predicted = self.predict_inner()
        better = torch.zeros(len(monitors), dtype=torch.bool)
        scores: list[dict[str, Any] | None] = [None] * len(on)
        if monitors[on[0]].scores_epoch(epoch):
            scores[:] = score_inner([self.loops[r] for r in on], [predicted[r] for r in on])
        for r, known in zip(on, scores, strict=True):
            better[r] = monitors[r].measure(epoch, tables[r], predicted[r], known)
        self.stacked.keep(better.to(self.device.kind))

    def _begin(self, epoch: int, loops: Sequence[Loop], emit: Emit) -> bool:
        """Put the epoch's phase in force; whether one begins with it."""
        begun = sum(loop.begin_epoch(epoch) for loop in loops) > 0
        if begun:
            self.prepare(emit)
        return begun

    def prepare(self, emit: Emit | None = None) -> None:
        """Make ready for the schedule's phase that is in force: which weights train, and the steps as graphs."""
        self.steps, self.ask = {}, None
        if self.device.kind == "cuda":
            gc.collect()  # no older graph may be freed while a new one is captured
        phase = self.loops[0].unfreezing.phase
        self.trained = [part for part in self.stacked.columns if part in phase.rates or part == WEIGHTING]
        self.names = self.stacked.train(self.trained)
        groups = self.loops[0].optimizer.param_groups
        self.rates = {group.get("part", WEIGHTING): (group["lr"], group["weight_decay"]) for group in groups}
        low = torch.bfloat16 if self.device.precision == "bf16" else None
        self.network = Replicas(self.spec.model, self.stacked.views | self.stacked.buffers, low)
        self.batch.clear()
        pool = torch.cuda.graph_pool_handle() if self.device.kind == "cuda" else None
        self.steps = {split: Captured(partial(self.step, split), pool) for split in self._variants()}
        self.inner = self.rows_of([loop.fold.inner for loop in self.loops])
        ask = self.ask = Captured(partial(self.predict, self.network, self.windows, self.inner), pool)
        failure = next((one.failure for one in (*self.steps.values(), ask) if one.failure), "")
        if failure and not self.failure and emit:
            emit(Event("log", values={"message": f"Steps run without a CUDA graph, which is slower: {failure}"}))
        self.failure = self.failure or failure

    def _variants(self) -> set[bool]:
        """Which kinds of steps there are: with the tasks' gradients taken apart, and without."""
        if self.spec.model.tasks != "both":
            return {False}
        return {True} if self.spec.loss.pcgrad else {True, False}

    @torch.no_grad()
    def encoder_noise(self, on: Sequence[int]) -> list[float | None]:
        """Loop.encoder_noise of some fits, with the draws that they would make next."""
        if not self.loops[0].unfreezing.phase.encoder_frozen:
            return [None] * len(on)
        rows = self.rows_of([loop.fold.train[:NOISE_WINDOWS] for loop in self.loops])
        x, counted = (
            self.windows.scaled(rows).transpose(1, 2),
            None if self.loops[0].encoder_in_eval_mode else rows.present,
        )
        draws = self.batch.between(rows.present.shape[1], 0 if counted is None else 2)
        first, second = (self.network.encode(x, next(draws, []), counted).mean(1) for _ in range(2))
        sizes = [len(self.loops[r].fold.train[:NOISE_WINDOWS]) for r in on]
        return [noise_share(first[r, :size], second[r, :size]) for r, size in zip(on, sizes, strict=True)]

    def rows_of(self, rows: Sequence[np.ndarray]) -> Rows:
        return Rows.of([torch.from_numpy(own) for own in rows], max(map(len, rows)), self.device.kind)

    def train_epoch(self, epoch: int, on: Sequence[int]) -> dict[int, np.ndarray]:
        """One epoch of the fits that go on: rows of STEP_COLUMNS [steps, columns] of each."""
        encoder_in_eval_mode = self.loops[0].encoder_in_eval_mode
        every = [self.loops[r].batches() if r in on else [] for r in range(len(self.loops))]
        count = max(map(len, every))
        nothing = torch.zeros(0, dtype=torch.long)
        by_step = [[own[i] if i < len(own) else nothing for own in every] for i in range(count)]
        rows = [Rows.of(own, self.batch.width, self.device.kind) for own in by_step]
        live = torch.tensor([[[float(len(own) > 0)] for own in step] for step in by_step]).to(self.device.kind)
        table = torch.empty(count, len(every), len(STEP_COLUMNS), device=self.device.kind)
        for i in range(count):
            self.batch.fill(rows[i], live[i], [len(own) for own in by_step[i]], encoder_in_eval_mode)
            table[i] = self.steps[self.loops[0].splits(epoch, i)]()[0]
        columns = table.cpu().numpy()
        tables = {r: columns[: len(every[r]), r].copy() for r in on}
        if self.weightings.end_epoch(tables):
            self.prepare()
        return tables

    def step(self, split: bool) -> list[Tensor]:
        """One optimiser step of every fit that is live in the batch: the rows of STEP_COLUMNS [R, columns].

        It asks the host for nothing, so that it can be captured. `split` takes the tasks' gradients apart.
        """
        batch, training = self.batch, self.spec.training
        x = self.windows.scaled(batch.rows)
        if batch.flipped is not None:
            windows = self.windows
            x = torch.where(batch.flipped[:, :, None, None], mirrored(x, windows.mean, windows.std), x)
        if batch.noise is not None:
            x = x + training.jitter_std * batch.noise
        encoder_in_eval_mode = self.loops[0].encoder_in_eval_mode
        counted = None if encoder_in_eval_mode else batch.rows.present
        dropped, added = batch.dropped(encoder_in_eval_mode), self.windows.added(batch.rows)
        outputs = self.network.forward(x.transpose(1, 2), dropped, counted, added)
        losses = self.losses(self.windows, outputs, batch.rows)
        terms = self.weightings.terms(losses, batch.live) * self.active
        flat, measured = self._gradients(terms, split)
        with torch.no_grad():
            self._update(flat)
            weighed = self.weightings.after_step(batch.live)
            return [torch.cat([terms.detach().sum(1, keepdim=True), losses.detach(), weighed, measured], dim=1)]

    def losses(self, windows: Windows, outputs: Outputs, rows: Rows) -> Tensor:
        """Unweighted losses [R, 2] of class and pointer; 0 for a task that is not trained."""
        (target, pointer), loss = windows.targets(rows), self.spec.loss
        zero = rows.present.new_zeros(len(rows.present))
        first = second = zero
        if outputs.logits is not None:
            first = class_loss(outputs.logits, target, loss.focal_gamma, rows.present)
        if outputs.pointer is not None:
            second = located_loss(outputs, pointer, loss.huber_delta)
        return torch.stack([first, second], dim=1)

    def _gradients(self, terms: Tensor, split: bool) -> tuple[Tensor, Tensor]:
        """Gradients [R, columns that train], and what was measured of the two tasks' [R, 6], as in Conflict."""
        weights = [self.stacked.views[name] for name in self.names]

        def flat(total: Tensor, again: bool) -> Tensor:
            grads = torch.autograd.grad(total, weights, retain_graph=again, allow_unused=True, materialize_grads=True)
            return torch.cat([grad.reshape(len(grad), -1) for grad in grads], dim=1)

        if not split:
            return flat(terms.sum(), False), terms.new_full((len(terms), 6), torch.nan)
        each = [flat(terms[:, task].sum(), task == 0) for task in (0, 1)]
        shared = sum(self.stacked.shapes[name].numel() for name in self.names if name.startswith(SHARED))
        return combined(each[0], each[1], shared, self.loops[0].projection)

    def _update(self, flat: Tensor) -> None:
        """Pull towards the pre-trained encoder, clip each fit's gradient, and step."""
        pieces, at = {}, 0
        for part in self.trained:
            columns = self.stacked.columns[part]
            pieces[part], at = flat[:, at : at + columns.stop - columns.start], at + columns.stop - columns.start
            if self.anchor is not None and part in (LOWER, LAST):
                moved = self.stacked.matrix[:, columns] - self.anchor[:, columns]
                pieces[part].add_(moved, alpha=self.spec.transfer.l2_sp)
        network = flat if WEIGHTING not in pieces else flat[:, : -pieces[WEIGHTING].shape[1]]
        norm = network.norm(dim=1, keepdim=True)
        network.mul_((self.spec.training.clip_norm / (norm + 1e-6)).clamp(max=1))
        for part, piece in pieces.items():
            self.optimizer.update(self.stacked, part, piece, self.rates[part], self.batch.live)

    @torch.no_grad()
    def predict(self, network: Replicas, windows: Windows, rows: Rows) -> list[Tensor]:
        """In eval mode: the unweighted losses [R, 2], then logits [R, m, outputs], pointers [R, m, 2] and spans [R, m, K, K], where there are."""
        outputs = network.forward(windows.scaled(rows).transpose(1, 2), terms=windows.added(rows))
        parts = (outputs.logits, outputs.pointer, outputs.spans)
        return [self.losses(windows, outputs, rows), *(part for part in parts if part is not None)]

    def predict_inner(self) -> list[Predicted]:
        """What each fit predicts of its inner windows, as Loop.predict gives it."""
        assert self.ask is not None, "prepare comes first"
        return self._read(self.ask(), self.loops, [len(loop.fold.inner) for loop in self.loops])

    def _read(
        self, outputs: Sequence[Tensor], loops: Sequence[Loop], sizes: Sequence[int], final: bool = False
    ) -> list[Predicted]:
        losses, *rest = (tensor.cpu() for tensor in outputs)
        logits = rest.pop(0) if self.spec.model.tasks != "pointers" else None
        pointer = rest.pop(0) if self.spec.model.tasks != "class" else None
        spans = rest.pop(0) if self.spec.model.scores_spans else None
        predicted = []
        for r, (loop, size) in enumerate(zip(loops, sizes, strict=True)):
            own = Outputs(*(None if part is None else part[r, :size] for part in (logits, pointer, spans)))
            predicted.append(loop.to_predictions(own, losses[r].double().numpy(), final))
        return predicted

    def _end_phases(self, ended: Sequence[int], monitors: Sequence[FitMonitor]) -> None:
        """Where a phase ends, prove that it changed what it names and nothing else."""
        if ended:
            present = self.stacked.state(ended, best=False)
            for place, r in enumerate(ended):
                own = unstacked(present, place, self.loops[r].model)
                self.loops[r].model.load_state_dict({name: torch.from_numpy(w) for name, w in own.items()})
                monitors[r].emit_changed()

    def _finish(
        self, stopped: Sequence[int], monitors: Sequence[FitMonitor], seconds: Sequence[float]
    ) -> Iterator[Replicate]:
        """Predict the test windows with the best weights of the fits that have stopped."""
        weights, windows = self.stacked.state(stopped), copy.copy(self.windows)
        windows.select(torch.tensor(stopped, device=self.device.kind))
        tests = [self.loops[r].fold.test for r in stopped]
        network = Replicas(self.spec.model, weights, self.network.low)
        outputs = self.predict(network, windows, self.rows_of(tests))
        predicted = self._read(outputs, [self.loops[r] for r in stopped], [len(test) for test in tests], final=True)
        for place, r in enumerate(stopped):
            own = unstacked(weights, place, self.loops[r].model)
            yield monitors[r].finish(predicted[place], own, seconds[r], self.device)

    def select(self, left: Sequence[int]) -> None:
        """Go on with some of the fits alone; `prepare` must follow."""
        rows = torch.tensor(left, device=self.device.kind)
        self.loops = [self.loops[r] for r in left]
        for part in (self.windows, self.stacked, self.optimizer):
            part.select(rows)
        self.weightings.select(left)
        self.averages.select(rows)
        self.anchor = None if self.anchor is None else self.anchor[rows]
        before, self.batch = self.batch, Batch(self.loops, self.device.kind)
        self.batch.dropout, self.batch.jitter = ([own[r] for r in left] for own in (before.dropout, before.jitter))
