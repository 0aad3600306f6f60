"""How the faults of `new_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced

from moola_core.models.encoders.bilstm import BiLSTM
from moola_core.models.pooling import Pooling
from moola_core.training import batches, fit, stacked
from moola_core.training import folds as folding
from moola_core.training.fit import Fit
from moola_core.training.stacked import Stacked

Patch = AbstractContextManager[Any]
Folds = tuple[folding.Fold, ...]
SHIFT = 30  # bars
GATES = (0, 3, 1, 2)  # input, output, forget, cell: the order of ONNX, in the numbers of torch's


def reshaped() -> Patch:
    """Features come before bars in the array, and it is given its shape anew where its axes should be exchanged."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x = original(windows, rows)
            return x.transpose(2, 3).reshape(x.shape)

        return faulty

    return replaced(batches.Windows, "scaled", make)


@contextmanager
def other_columns() -> Iterator[None]:
    """Training reads the columns in the order of the settings, prediction in that of the alphabet."""

    def begin(original: Any) -> Any:
        def faulty(windows: Any, inputs: Any, *given: Any) -> None:
            original(windows, inputs, *given)
            windows.alphabet = torch.from_numpy(np.argsort(inputs.features))

        return faulty

    def read(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x = original(windows, rows)
            order = vars(windows).get("alphabet")
            return x if order is None or torch.is_grad_enabled() else x[..., order.to(x.device)]

        return faulty

    with replaced(batches.Windows, "__init__", begin), replaced(batches.Windows, "scaled", read):
        yield


def shifted(x: torch.Tensor) -> torch.Tensor:
    """Each window is moved along time by some bars, round the end, and its pointers are not."""
    by = torch.randint(-SHIFT, SHIFT + 1, x.shape[:2], device=x.device)
    bar = (torch.arange(x.shape[2], device=x.device) - by[..., None]) % x.shape[2]
    return x.gather(2, bar[..., None].expand_as(x))


def along_the_batch() -> Patch:
    """The recurrence takes the first axis for time, which is that of the windows of a batch."""

    def make(original: Any) -> Any:
        return lambda encoder, x: original(encoder, x.transpose(0, 1)).transpose(0, 1)

    return replaced(BiLSTM, "output", make)


def attention_over_batch() -> Patch:
    """The softmax of attention is taken over the windows of a batch and not over the bars of a window."""

    def make(original: Any) -> Any:
        def faulty(pooling: Pooling, sequence: torch.Tensor) -> torch.Tensor:
            if pooling.score is None:
                return original(pooling, sequence)
            return (torch.softmax(pooling.score(sequence), dim=0) * sequence).sum(1)

        return faulty

    return replaced(Pooling, "forward", make)


def head_in_bars(fit: Fit) -> None:
    """The pointer head begins at the median in bars where it answers in fractions, so that its sigmoids are shut."""
    head, median = fit.model.pointer_head, np.nanmedian(fit.inputs.pointer[fit.fold.train], axis=0)
    if head is not None and tuple(head.linear.bias.shape) == (2,):
        head.linear.bias.copy_(torch.from_numpy(median * fit.inputs.window_bars))


def numbered_anew() -> Patch:
    """Classes are numbered in the order in which they appear in a batch: the first window's class is always number 0."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
            target, pointer = original(windows, rows)
            if not torch.is_grad_enabled():
                return target, pointer
            first = target[:, :1].expand_as(target)
            exchanged = torch.where(target == 0, first, target)
            return torch.where(target == first, torch.zeros_like(target), exchanged), pointer

        return faulty

    return replaced(batches.Windows, "targets", make)


def one_class_a_batch() -> Patch:
    """Windows are read class by class, as from a folder for each, so that no batch holds two classes."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit) -> list[torch.Tensor]:
            order, target = torch.cat(original(fit)), torch.from_numpy(fit.targets())
            parts = [order[target[order] == number] for number in range(len(fit.inputs.classes))]
            every = [batch for part in parts for batch in part.split(fit.spec.training.batch_size)]
            return [batch for batch in every if len(batch) > 1]

        return faulty

    return replaced(Fit, "batches", make)


def large_epsilon() -> Patch:
    """The constant that keeps Adam from dividing by zero is 1, as in settings for another network."""
    return replaced(stacked, "EPSILON", lambda original: 1.0)


@contextmanager
def tested_in_training() -> Iterator[None]:
    """Every second window of a test fold is among its training windows too."""
    with trained_on_too(lambda fold: fold.test[::2]):
        yield


@contextmanager
def divided_otherwise(change: Callable[[Folds], Folds]) -> Iterator[None]:
    """With the folds of a run changed."""

    def make(original: Any) -> Any:
        return lambda *given: change(original(*given))

    folding._kept.clear()  # folds of a run without the fault are not to be taken, nor these by a later one
    try:
        with replaced(folding, "_made", make):
            yield
    finally:
        folding._kept.clear()


def trained_on_too(rows: Callable[[folding.Fold], np.ndarray]) -> Patch:
    """These rows of each fold are among its training windows too."""
    return divided_otherwise(
        lambda folds: tuple(dataclasses.replace(f, train=np.sort(np.r_[f.train, rows(f)])) for f in folds)
    )


def kept_by_reference() -> Patch:
    """The best weights are remembered without a copy: they go on to train, and the last ones are what is tested."""

    def make(original: Any) -> Any:
        def faulty(own: Stacked, better: torch.Tensor) -> None:
            own.best = own.matrix, own.buffers

        return faulty

    return replaced(Stacked, "keep", make)


def gates_in_other_order() -> Patch:
    """The gates of a checkpoint's LSTM are in the order of another framework, and their shapes fit."""

    def ordered(name: str, weight: np.ndarray) -> np.ndarray:
        parts = np.split(np.asarray(weight), 4) if name.startswith("lstm.") else []
        return np.concatenate([parts[gate] for gate in GATES]) if parts else weight

    def make(original: Any) -> Any:
        def faulty(module: Any, weights: Any, where: str = "checkpoint") -> None:
            original(module, {name: ordered(name, weight) for name, weight in weights.items()}, where)

        return faulty

    return replaced(fit, "put_weights", make)
