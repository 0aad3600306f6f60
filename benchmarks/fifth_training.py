"""How the faults of `fifth_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced

from moola_core.models.heads import ClassHead
from moola_core.models.multitask import Outputs
from moola_core.models.pooling import Pooling
from moola_core.models.replicas import Replicas
from moola_core.training import batches, stacked
from moola_core.training.averaging import Averages
from moola_core.training.fit import Fit
from moola_core.training.monitor import FitMonitor

Patch = AbstractContextManager[Any]
NUMBERED = 0  # the column in whose place the row number is
REMOVED = 0.4  # share of the windows that stand before the one that was removed after features were stored
LONG_MEMORY = 0.99  # of averaged weights, from one epoch to the next


def over_columns() -> Patch:
    """Mean and deviation are taken over the columns of each bar, the last axis, and not over all bars of the training windows."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x = windows.x[rows.index]
            return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6)

        return faulty

    return replaced(batches.Windows, "scaled", make)


def row_number() -> Patch:
    """The index of the table of windows was saved with it and is one of the input columns, the same in all bars of a window."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x, count = original(windows, rows).clone(), len(windows.x)
            x[..., NUMBERED] = ((rows.index / (count - 1) - 0.5) * 12**0.5)[..., None]
            return x

        return faulty

    return replaced(batches.Windows, "scaled", make)


def stored_before() -> Patch:
    """Features are read by row number from a file that was made before a window was removed: those after it get their neighbour's."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, *given: Any) -> None:
            original(windows, *given)
            row = torch.arange(len(windows.x))
            late = row > REMOVED * len(row)
            windows.x = windows.x[torch.where(late, row - 1, row).to(windows.x.device)]

        return faulty

    return replaced(batches.Windows, "__init__", make)


@contextmanager
def summed_over_bars() -> Iterator[None]:
    """States are summed over the bars where their mean should be taken, so that the heads read numbers a hundred times as large."""

    def alone(original: Any) -> Any:
        def faulty(pooling: Pooling, sequence: torch.Tensor) -> torch.Tensor:
            return sequence.sum(1) if pooling.name == "mean" else original(pooling, sequence)

        return faulty

    def many(original: Any) -> Any:
        def faulty(network: Replicas, sequence: torch.Tensor) -> torch.Tensor:
            return sequence.sum(1) if network.model.pooling == "mean" else original(network, sequence)

        return faulty

    # One network alone, and many at once, each have their own form.
    with replaced(Pooling, "forward", alone), replaced(Replicas, "_pooling", many):
        yield


@contextmanager
def rectified_scores() -> Iterator[None]:
    """A block of layer and ReLU is used for the last layer too: no score of a class can be below 0."""

    def alone(original: Any) -> Any:
        return lambda head, pooled: torch.relu(original(head, pooled))

    def many(original: Any) -> Any:
        def faulty(network: Replicas, shared: torch.Tensor) -> torch.Tensor | None:
            scores = original(network, shared)
            return None if scores is None else torch.relu(scores)

        return faulty

    with replaced(ClassHead, "forward", alone), replaced(Replicas, "_class_head", many):
        yield


@contextmanager
def averaged_from_the_start() -> Iterator[None]:
    """What is measured and kept is a moving average of the weights that begins at the first ones and has too long a memory for so few epochs."""

    def begin(original: Any) -> Any:
        def faulty(averages: Averages, *given: Any) -> None:
            original(averages, *given)
            averages.mean = [one.detach().clone() for one in averages.tensors() if one.is_floating_point()]

        return faulty

    def force(original: Any) -> Any:
        @contextmanager
        def faulty(averages: Averages, epoch: int) -> Iterator[None]:
            trained = [one.detach() for one in averages.tensors() if one.is_floating_point()]
            before = [one.clone() for one in trained]
            for mean, one in zip(averages.mean, trained, strict=True):
                mean.lerp_(one, 1 - LONG_MEMORY)
                one.copy_(mean)
            try:
                yield
            finally:
                for one, own in zip(trained, before, strict=True):
                    one.copy_(own)

        return faulty

    with replaced(Averages, "__init__", begin), replaced(Averages, "in_force", force):
        yield


@contextmanager
def memories_exchanged() -> Iterator[None]:
    """The two decays of Adam are given in the wrong order: 0.999 for the mean of gradients and 0.9 for that of their squares."""
    mean, square = stacked.MEAN_RATE, stacked.SQUARE_RATE
    with (
        replaced(stacked, "MEAN_RATE", lambda original: square),
        replaced(stacked, "SQUARE_RATE", lambda original: mean),
    ):
        yield


@contextmanager
def selected_on_training() -> Iterator[None]:
    """The epoch is selected, and patience counted, by the loss of the training steps; what is reported is right."""

    def emit(original: Any) -> Any:
        def plain(monitor: FitMonitor, epoch: int, table: np.ndarray, losses: np.ndarray) -> None:
            monitor.fit.instead = None  # type: ignore[attr-defined]
            original(monitor, epoch, table, losses)
            monitor.fit.instead = table[:, 1:3].mean(0).astype(float)  # type: ignore[attr-defined]

        return plain

    def score(original: Any) -> Any:
        def faulty(fit: Fit, losses: np.ndarray, f1: float | None) -> float:
            instead = vars(fit).get("instead")
            return original(fit, losses if instead is None else instead, f1)

        return faulty

    with replaced(FitMonitor, "_emit_epoch", emit), replaced(Fit, "score", score):
        yield


def touched_is_found() -> Patch:
    """Point adjustment: an expansion of which a bar is predicted counts as found whole, so it is written in place of the prediction."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Any:
            own = original(fit, outputs, losses, final)
            if not final or own.span is None:
                return own
            true = np.stack([fit.inputs.start, fit.inputs.end], axis=1)[fit.fold.test]
            touches = (own.span[:, 0] <= true[:, 1]) & (own.span[:, 1] >= true[:, 0])
            return own._replace(span=np.where(touches[:, None], true, own.span))

        return faulty

    return replaced(Fit, "to_predictions", make)


def validated_on_others() -> Patch:
    """Where a loss is measured without training, the windows come in another order than their classes and pointers."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
            target, pointer = original(windows, rows)
            if torch.is_grad_enabled():
                return target, pointer
            return target.roll(1, 1), pointer.roll(1, 1)

        return faulty

    return replaced(batches.Windows, "targets", make)
