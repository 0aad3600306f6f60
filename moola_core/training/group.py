"""The one training step and epoch loop, of any number of fits at once; one alone is a group of one.

All tensors have a leading dimension of fits. Each fit has its own rows, dropout, noise, best weights and stopping point; one that has stopped
changes no more.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moola_core.host.engine import REPLICAS
from moola_core.models.checkpoint import Pretrained
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import NOTHING_DRAWN, Replicas
from moola_core.models.single import Single
from moola_core.specs import Finetune
from moola_core.training.averaging import Averages
from moola_core.training.batches import Batch, Rows, Windows
from moola_core.training.capture import Captured
from moola_core.training.device import Device
from moola_core.training.events import Emit, Event
from moola_core.training.fit import NOISE_WINDOWS, STEP_COLUMNS, Fit, Predicted, noise_share
from moola_core.training.folds import Fold, subsample_labels
from moola_core.training.gradients import combined
from moola_core.training.inputs import Inputs, Replicate
from moola_core.training.losses import class_loss, located_loss
from moola_core.training.mirror import mirrored
from moola_core.training.monitor import FitMonitor, score_inner
from moola_core.training.schedule import LAST, LOWER, WEIGHTING
from moola_core.training.stacked import RowAdamW, Stacked, unstacked
from moola_core.training.stacked_weightings import Weightings
from moola_core.training.terms import terms_of_each

# The share of the fits that must have stopped before the others go on alone: capturing the steps anew costs as much as dozens of them.
ENOUGH_STOPPED = {"cpu": 0.5, "cuda": 0.75}


class Group:
    """Fits that are trained at once. All state is on the device; `fits` keep each one's settings and streams.

    starts: the encoder that each fit begins with; none, or None for a fit, from random weights. The device's engine says whether their networks are
    computed as stacked ones; otherwise there is one fit, and its network is the module that it is. Made so, a group leaves torch's own
    random state where the fit's dropout begins.
    """

    def __init__(
        self,
        spec: Finetune,
        inputs: Inputs,
        folds: Sequence[Fold],
        device: Device,
        starts: Sequence[Pretrained | None] = (),
    ) -> None:
        self.spec, self.device, self.is_stacked = spec, device, device.engine.name == REPLICAS
        assert self.is_stacked or len(folds) == 1, "a module is one network"
        self.low = torch.bfloat16 if device.precision == "bf16" else None
        own = [subsample_labels(fold, inputs.label, spec.training) for fold in folds]
        begins = list(starts) or [None] * len(folds)
        several = device.kind == "cuda" and len(folds) > 1
        terms = terms_of_each(spec, inputs, own, begins) if several else [None] * len(folds)
        self.fits = [Fit(spec, inputs, *each) for each in zip(own, begins, terms, strict=True)]
        self.windows, self.stacked = Windows(inputs, self.fits, device.kind), Stacked(self.fits, device.kind)
        self.optimizer, self.batch = RowAdamW(self.stacked), self._batch()
        self.averages = Averages(self.stacked.trained, spec.training.averaging)
        self.anchor = self.stacked.matrix.clone() if self.fits[0].pulls else None
        self.weightings = Weightings(self.fits, self.stacked, device.kind)
        self.active = self.fits[0].active.to(device.kind)
        self.failure = ""
        self.steps: dict[bool, Captured] = {}
        self.ask: Captured | None = None

    def fit(self, emit: Emit) -> Iterator[Replicate]:
        """Train all to their end, yielded as each stops."""
        began = time.perf_counter()
        # Memory that is short shows here most often, and the fits then begin anew: nothing is reported of them before.
        begun = self._begin(1, self.fits, emit)
        monitors = [FitMonitor(fit, emit) for fit in self.fits]
        seconds = [0.0] * len(monitors)
        for epoch in range(1, self.spec.training.epochs + 1):
            on = [r for r, monitor in enumerate(monitors) if not monitor.stopped]
            if epoch > 1:
                begun = self._begin(epoch, [self.fits[r] for r in on], emit)
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
            scores[:] = score_inner([self.fits[r] for r in on], [predicted[r] for r in on])
        for r, known in zip(on, scores, strict=True):
            better[r] = monitors[r].measure(epoch, tables[r], predicted[r], known)
        self.stacked.keep(better.to(self.device.kind))

    def _begin(self, epoch: int, fits: Sequence[Fit], emit: Emit) -> bool:
        """Put the epoch's phase in force; whether one begins with it."""
        begun = sum(fit.unfreezing.begins(epoch) for fit in fits) > 0
        if begun:
            self.prepare(emit)
        return begun

    def prepare(self, emit: Emit | None = None) -> None:
        """Make ready for the schedule's phase that is in force: which weights train, and the steps as graphs."""
        self.steps, self.ask = {}, None
        if self.device.kind == "cuda":
            gc.collect()  # no older graph may be freed while a new one is captured
        self.rates = self.fits[0].rates_of_parts()
        self.trained = [part for part in self.stacked.columns if part in self.rates]
        self.names = self.stacked.train(self.trained)
        self.shared = self.fits[0].model.shared()
        self.network = self._network(self.stacked.views | self.stacked.buffers)
        self.weights = self.network.trained(self.names)
        self.batch.clear()
        pool = torch.cuda.graph_pool_handle() if self.batch.fixed else None
        self.steps = {split: Captured(partial(self.step, split), pool) for split in self._variants()}
        self.validation = self.rows_of([fit.fold.validation for fit in self.fits])
        ask = self.ask = Captured(partial(self.predict, self.network, self.windows, self.validation), pool)
        failure = next((one.failure for one in (*self.steps.values(), ask) if one.failure), "")
        if failure and not self.failure and emit:
            emit(Event("log", values={"message": f"Steps run without a CUDA graph, which is slower: {failure}"}))
        self.failure = self.failure or failure

    def _batch(self) -> Batch:
        return Batch(self.fits, self.device, draws=self.is_stacked, graphs=self.device.engine.graphs)

    def _network(self, weights: dict[str, Tensor]) -> Replicas | Single:
        """The networks that these weights are of, [R, *shape] by name."""
        if self.is_stacked:
            return Replicas(self.spec.model, weights, self.low, self.device.engine.form)
        return Single(self.fits[0].model, weights, self.low)

    def _variants(self) -> set[bool]:
        """Which kinds of steps there are: with the tasks' gradients taken apart, and without."""
        if self.spec.model.tasks != "both":
            return {False}
        return {True} if self.spec.loss.pcgrad else {True, False}

    @torch.no_grad()
    def encoder_noise(self, on: Sequence[int]) -> list[float | None]:
        """How much the frozen encoder's outputs of one window differ, over how much windows differ; None where it trains."""
        if not self.fits[0].unfreezing.phase.encoder_frozen:
            return [None] * len(on)
        rows = self.rows_of([fit.fold.train[:NOISE_WINDOWS] for fit in self.fits])
        x, rests = self.windows.scaled(rows).transpose(1, 2), self.fits[0].encoder_in_eval_mode
        with self.batch.kept_streams():
            drawn = (NOTHING_DRAWN if rests else self.batch.next_drawn(rows.present) for _ in range(2))
            first, second = (self.network.encode(x, one).mean(1) for one in drawn)
        sizes = [len(self.fits[r].fold.train[:NOISE_WINDOWS]) for r in on]
        return [noise_share(first[r, :size], second[r, :size]) for r, size in zip(on, sizes, strict=True)]

    def rows_of(self, rows: Sequence[np.ndarray]) -> Rows:
        return Rows.of([torch.from_numpy(own) for own in rows], max(map(len, rows)), self.device.kind)

    def train_epoch(self, epoch: int, on: Sequence[int]) -> dict[int, np.ndarray]:
        """One epoch of the fits that go on: rows of STEP_COLUMNS [steps, columns] of each."""
        rests, nothing = self.fits[0].encoder_in_eval_mode, torch.zeros(0, dtype=torch.long)
        every = [self.fits[r].batches() if r in on else [] for r in range(len(self.fits))]
        count = max(map(len, every))
        steps = [self.batch.step_of([own[i] if i < len(own) else nothing for own in every]) for i in range(count)]
        table = torch.empty(count, len(every), len(STEP_COLUMNS), device=self.device.kind)
        for i, step in enumerate(steps):
            self.batch.fill(step, rests)
            table[i] = self.steps[self.fits[0].splits(epoch, i)]()[0]
        columns = table.cpu().numpy()
        tables = {r: columns[: len(every[r]), r].copy() for r in on}
        if self.weightings.end_epoch(tables):
            self.prepare()
        return tables

    def step(self, split: bool) -> list[Tensor]:
        """One optimiser step of every fit that is live in the batch: the rows of STEP_COLUMNS [R, columns].

        It asks the host for nothing, so that it can be captured. `split` takes the tasks' gradients apart.
        """
        losses, terms, flat, measured = self.gradients(split)
        with torch.no_grad():
            self._update(flat)
            weighed = self.weightings.after_step(self.batch.live)
            return [torch.cat([terms.detach().sum(1, keepdim=True), losses.detach(), weighed, measured], dim=1)]

    def gradients(self, split: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of the batch: losses and weighted losses [R, 2], gradients [R, columns that train], what was measured of the tasks' [R, 6]."""
        losses, terms = self.weighted()
        return losses, terms, *self._gradients(terms, split)

    def weighted(self) -> tuple[Tensor, Tensor]:
        """Of the batch, in training mode: losses and weighted losses [R, 2]."""
        batch = self.batch
        x, drawn = self._noisy(self.windows.scaled(batch.rows)), batch.drawn(self.fits[0].encoder_in_eval_mode)
        outputs = self.network.forward(x.transpose(1, 2), drawn, self.windows.added(batch.rows))
        losses = self.losses(self.windows, outputs, batch.rows)
        return losses, self.weightings.terms(losses, batch.live) * self.active

    def _noisy(self, x: Tensor) -> Tensor:
        """The step's windows [R, m, K, F], some mirrored and with jitter, as the batch has drawn it."""
        batch, width = self.batch, x.shape[1]
        if batch.flipped is not None:
            turned = mirrored(x, self.windows.mean, self.windows.std)
            x = torch.where(batch.flipped[:, :width, None, None], turned, x)
        return x if batch.noise is None else x + self.spec.training.jitter_std * batch.noise[:, :width]

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
        """Gradients [R, columns that train], and what was measured of the two tasks' [R, 6], as `combined` says."""

        def flat(total: Tensor, again: bool) -> Tensor:
            grads = torch.autograd.grad(
                total, self.weights, retain_graph=again, allow_unused=True, materialize_grads=True
            )
            return torch.cat([grad.reshape(len(terms), -1) for grad in grads], dim=1)

        if not split:
            return flat(terms.sum(), False), terms.new_full((len(terms), 6), torch.nan)
        each = [flat(terms[:, task].sum(), task == 0) for task in (0, 1)]
        shared = sum(self.stacked.shapes[name].numel() for name in self.names if name in self.shared)
        return combined(each[0], each[1], shared, self.fits[0].projection)

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
        network.mul_((self.spec.training.max_grad_norm / (norm + 1e-6)).clamp(max=1))
        for part, piece in pieces.items():
            self.optimizer.update(self.stacked, part, piece, self.rates[part], self.batch.live)

    @torch.no_grad()
    def predict(self, network: Replicas | Single, windows: Windows, rows: Rows) -> list[Tensor]:
        """In eval mode: the unweighted losses [R, 2], then logits [R, m, outputs], pointers [R, m, 2] and spans [R, m, K, K].

        What the networks do not give is left out.
        """
        outputs = network.forward(windows.scaled(rows).transpose(1, 2), None, windows.added(rows))
        parts = (outputs.logits, outputs.pointer, outputs.spans)
        return [self.losses(windows, outputs, rows), *(part for part in parts if part is not None)]

    def predict_inner(self) -> list[Predicted]:
        """What each fit predicts of its validation windows."""
        assert self.ask is not None, "prepare comes first"
        return self._read(self.ask(), self.fits, [len(fit.fold.validation) for fit in self.fits])

    def _read(
        self, outputs: Sequence[Tensor], fits: Sequence[Fit], sizes: Sequence[int], final: bool = False
    ) -> list[Predicted]:
        losses, *rest = (tensor.cpu() for tensor in outputs)
        logits = rest.pop(0) if self.spec.model.tasks != "pointers" else None
        pointer = rest.pop(0) if self.spec.model.tasks != "class" else None
        spans = rest.pop(0) if self.spec.model.scores_spans else None
        predicted = []
        for r, (fit, size) in enumerate(zip(fits, sizes, strict=True)):
            own = Outputs(*(None if part is None else part[r, :size] for part in (logits, pointer, spans)))
            predicted.append(fit.to_predictions(own, losses[r].double().numpy(), final))
        return predicted

    def _end_phases(self, ended: Sequence[int], monitors: Sequence[FitMonitor]) -> None:
        """Where a phase ends, prove that it changed what it names and nothing else."""
        if ended:
            present = self.stacked.state(ended, best=False)
            for place, r in enumerate(ended):
                own = unstacked(present, place, self.fits[r].model)
                self.fits[r].model.load_state_dict({name: torch.from_numpy(w) for name, w in own.items()})
                monitors[r].emit_changed()

    def _finish(
        self, stopped: Sequence[int], monitors: Sequence[FitMonitor], seconds: Sequence[float]
    ) -> Iterator[Replicate]:
        """Predict the test windows with the best weights of the fits that have stopped."""
        weights, windows = self.stacked.state(stopped), copy.copy(self.windows)
        windows.select(torch.tensor(stopped, device=self.device.kind))
        tests = [self.fits[r].fold.test for r in stopped]
        outputs = self.predict(self._network(weights), windows, self.rows_of(tests))
        predicted = self._read(outputs, [self.fits[r] for r in stopped], [len(test) for test in tests], final=True)
        for place, r in enumerate(stopped):
            own = unstacked(weights, place, self.fits[r].model)
            yield monitors[r].finish(predicted[place], own, seconds[r], self.device)

    def select(self, left: Sequence[int]) -> None:
        """Go on with some of the fits alone; `prepare` must follow."""
        rows = torch.tensor(left, device=self.device.kind)
        self.fits = [self.fits[r] for r in left]
        for part in (self.windows, self.stacked, self.optimizer):
            part.select(rows)
        self.weightings.select(left)
        self.averages.select(rows)
        self.anchor = None if self.anchor is None else self.anchor[rows]
        before, self.batch = self.batch, self._batch()
        self.batch.dropout, self.batch.jitter = ([own[r] for r in left] for own in (before.dropout, before.jitter))
