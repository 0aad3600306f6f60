"""Pre-training: the encoder learns from windows without labels."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moola_core.errors import RunError
from moola_core.host.threads import several_threads_pay
from moola_core.models.checkpoint import put_weights, weights_of
from moola_core.models.encoders import encoder_class
from moola_core.specs import Pretrain
from moola_core.training import seeds
from moola_core.training.device import Device, seed_torch, torch_on_one_thread
from moola_core.training.events import Emit, Event
from moola_core.training.pretraining.adamw import AdamW
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.objectives import make_objective
from moola_core.training.pretraining.sampling import Sample

LEAST_BATCH = 2


def threads_of_step(spec: Pretrain, device: Device) -> AbstractContextManager[None]:
    """One thread of the CPU where a step is too small for more."""
    stacked = encoder_class(spec.model).stacked
    recurrent = stacked is not None and stacked.recurrent
    pays = several_threads_pay(recurrent, spec.model.hidden, spec.training.batch_size)
    return nullcontext() if pays else torch_on_one_thread(device)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Where pre-training stands after an epoch: all that is needed to go on as if nothing had happened.

    weights: the network's; best_weights: those of the epoch with the lowest validation loss; moments: the optimiser's state.
    """

    epoch: int
    weights: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    best_epoch: int
    best_loss: float
    best_weights: dict[str, np.ndarray]


class Pretrainer:
    """Network, optimiser and random streams of one pre-training, all from the spec's seed."""

    def __init__(self, spec: Pretrain, windows: BarWindows, sample: Sample, device: Device, emit: Emit) -> None:
        self.spec, self.sample, self.device, self.emit = spec, sample, device, emit
        seed_torch(self._seed(0, seeds.WEIGHTS))
        self.objective = make_objective(spec, windows)
        self.network = self.objective.network
        training = spec.training
        self.optimizer = AdamW(self.network.parameters(), training.learning_rate, training.weight_decay)
        self.batch = min(training.batch_size, len(sample.train))
        self.part = self.batch  # windows at a time; halved when the device's memory does not suffice
        self.steps = training.epochs * max(len(sample.train) // self.batch, 1)
        self.valid_parts = np.array_split(sample.valid, -(-len(sample.valid) // training.batch_size))

    def _seed(self, epoch: int, which: int) -> int:
        return seeds.torch_seed(self.spec.training.seed, 0, epoch, which)

    def draw(self, epoch: int, which: int) -> torch.Generator:
        """The generator of one stream of an epoch; 0 is no epoch."""
        return torch.Generator(self.device.kind).manual_seed(self._seed(epoch, which))

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0: linear warm-up, then a half cosine to zero (Loshchilov and Hutter 2017)."""
        training = self.spec.training
        warmup = round(training.warmup_frac * self.steps)
        if step < warmup:
            return training.learning_rate * (step + 1) / warmup
        return training.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(self.steps - warmup, 1)))

    def train_epoch(self, epoch: int) -> float:
        """All windows once, in this epoch's order (the last few that fill no batch are left for another); mean loss."""
        self.network.train()
        rng = seeds.generator(self.spec.training.seed, 0, epoch, seeds.ORDER)
        order = rng.permutation(self.sample.train)
        draw = self.draw(epoch, seeds.AUGMENTATION)
        seed_torch(self._seed(epoch, seeds.DROPOUT))
        batches = max(len(order) // self.batch, 1)
        losses = []
        for i in range(batches):
            self.optimizer.rate = self.rate((epoch - 1) * batches + i)
            rows = np.sort(order[i * self.batch : (i + 1) * self.batch])
            losses.append(self.step(self.objective.prepare(rows, draw)))
        return float(torch.stack(losses).mean())

    def step(self, batch: dict[str, Tensor]) -> Tensor:
        """One optimiser step; the mean loss, on the device. Gradients are accumulated over parts when memory is short."""
        while True:
            try:
                loss = self.accumulate(batch)
                break
            except torch.OutOfMemoryError:
                if self.part <= LEAST_BATCH:
                    raise
                self.part = max(self.part // 2, LEAST_BATCH)
                torch.cuda.empty_cache()
                text = f"Out of GPU memory: {self.part} windows at a time from here on, gradients accumulated."
                if self.objective.compares_windows:
                    text += " Each window is then compared with fewer others."
                self.emit(Event("log", values={"message": text}))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.spec.training.max_grad_norm)
        self.optimizer.step()
        return loss

    def accumulate(self, batch: dict[str, Tensor]) -> Tensor:
        """The mean loss of a batch, on the device, and its gradients on the parameters, summed over parts where memory is short."""
        self.optimizer.forget_gradients()
        parts = [
            dict(zip(batch, tensors, strict=True))
            for tensors in zip(*(t.split(self.part) for t in batch.values()), strict=True)
        ]
        count = self.objective.count(batch).clamp(min=1)
        total = torch.zeros((), device=self.device.kind)
        for part in parts:
            loss = self._loss(part) / count
            loss.backward()
            total += loss.detach()
        return total

    def _loss(self, batch: dict[str, Tensor]) -> Tensor:
        with torch.autocast(self.device.kind, torch.bfloat16, enabled=self.device.precision == "bf16"):
            return self.objective.loss(batch)

    def validation_batches(self) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
        """First bars and batch of each part of the validation windows, prepared in the same way every time."""
        draw = self.draw(0, seeds.VALIDATION)
        for rows in self.valid_parts:
            yield rows, self.objective.prepare(rows, draw)

    @torch.no_grad()
    def validate(self) -> float:
        """Mean loss on the validation windows."""
        self.network.eval()
        losses = [(self._loss(batch), self.objective.count(batch)) for _, batch in self.validation_batches()]
        return float(sum(loss for loss, _ in losses) / sum(count for _, count in losses))

    def moments(self) -> dict[str, np.ndarray]:
        """The optimiser's state by parameter name."""
        names = {id(p): name for name, p in self.network.named_parameters()}
        return {
            f"{names[id(parameter)]}|{key}": value.detach().cpu().numpy().copy()
            for parameter, state in self.optimizer.state.items()
            for key, value in state.items()
        }

    def resume(self, snapshot: Snapshot) -> None:
        """Go back to where the snapshot was taken."""
        put_weights(self.network, snapshot.weights)
        parameters = dict(self.network.named_parameters())
        for name, value in snapshot.moments.items():
            parameter, _, key = name.partition("|")
            self.optimizer.state[parameters[parameter]][key] = torch.from_numpy(np.array(value)).to(self.device.kind)


def pretrain(trainer: Pretrainer, start: Snapshot | None = None) -> Iterator[Snapshot]:
    """All epochs, from the beginning or from `start`, yielded as each ends.

    On a CPU the weights are the same whether it was interrupted or not.
    """
    best_epoch, best_loss, best = 0, float("inf"), weights_of(trainer.network)
    if start is not None:
        trainer.resume(start)
        best_epoch, best_loss, best = start.best_epoch, start.best_loss, start.best_weights
    for epoch in range(start.epoch + 1 if start else 1, trainer.spec.training.epochs + 1):
        began = time.perf_counter()
        train, valid = trainer.train_epoch(epoch), trainer.validate()
        if not math.isfinite(train + valid):
            raise RunError(
                f"The loss is not a number from epoch {epoch} on.",
                hint="Lower training.learning_rate or training.max_grad_norm.",
            )
        _emit_epoch(trainer, epoch, {"train": train, "valid": valid}, time.perf_counter() - began)
        weights = weights_of(trainer.network)
        if valid < best_loss:
            best_epoch, best_loss, best = epoch, valid, weights
        yield Snapshot(epoch, weights, trainer.moments(), best_epoch, best_loss, best)


def _emit_epoch(trainer: Pretrainer, epoch: int, losses: dict[str, float], seconds: float) -> None:
    for split, loss in losses.items():
        values: dict[str, Any] = {"loss": loss}
        if split == "train":
            values |= {"lr": trainer.optimizer.rate, "seconds": seconds}
        trainer.emit(Event("epoch", epoch=epoch, split=split, values=values))
