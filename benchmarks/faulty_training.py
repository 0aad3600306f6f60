"""How faults are planted in a step of training while it runs; `fault_kinds.py` lists them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from moola_core.training import fit
from moola_core.training import folds as folding
from moola_core.training.fit import Fit
from moola_core.training.group import Group
from moola_core.training.stacked import RowAdamW


@contextmanager
def replaced(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """With `owner.name` replaced by what `make` makes of it."""
    with patch.object(owner, name, make(getattr(owner, name))):
        yield


def gradients(change: Callable[[Group, torch.Tensor, bool], torch.Tensor]) -> Callable[[], AbstractContextManager[Any]]:
    """A fault of the gradients [R, columns] of a step."""

    def make(original: Any) -> Any:
        def faulty(group: Group, terms: torch.Tensor, split: bool) -> Any:
            flat, measured = original(group, terms, split)
            return change(group, flat, split), measured

        return faulty

    return lambda: replaced(Group, "_gradients", make)


def accumulated(group: Group, flat: torch.Tensor, split: bool) -> torch.Tensor:
    """Gradients are never set back to zero."""
    before = getattr(group, "not_zeroed", None)
    total = flat if before is None or before.shape != flat.shape else flat + before
    group.not_zeroed = total.detach().clone()  # type: ignore[attr-defined]
    return total


def ascending(group: Group, flat: torch.Tensor, split: bool) -> torch.Tensor:
    return -flat


def noisy_gradients(group: Group, flat: torch.Tensor, split: bool) -> torch.Tensor:
    return flat + 3 * flat.std() * torch.randn_like(flat)


def fixed_order() -> AbstractContextManager[Any]:
    """The same batches of windows that lie next to each other, in every epoch."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit) -> list[torch.Tensor]:
            order = torch.sort(torch.cat(original(fit)))[0]
            return list(order.split(fit.spec.training.batch_size))

        return faulty

    return replaced(Fit, "batches", make)


def one_batch() -> AbstractContextManager[Any]:
    """Only the first batch of each epoch is ever used."""
    return replaced(Fit, "batches", lambda original: lambda fit: original(fit)[:1] * len(original(fit)))


def stale_state() -> AbstractContextManager[Any]:
    """The moments of the optimiser are forgotten before each step."""

    def make(original: Any) -> Any:
        def faulty(optimizer: RowAdamW, *given: Any) -> None:
            for values in vars(optimizer).values():
                if isinstance(values, torch.Tensor) and values.is_floating_point():
                    values.zero_()
            original(optimizer, *given)

        return faulty

    return replaced(RowAdamW, "update", make)


def losses(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], AbstractContextManager[Any]]:
    """A fault of the losses [R, 2] of class and pointer, in training alone."""

    def make(original: Any) -> Any:
        def faulty(group: Group, windows: Any, outputs: Any, rows: Any) -> torch.Tensor:
            own = original(group, windows, outputs, rows)
            return change(own) if torch.is_grad_enabled() else own

        return faulty

    return lambda: replaced(Group, "losses", make)


def scaled_by_all() -> AbstractContextManager[Any]:
    """Mean and deviation of the inputs are those of all windows, tested ones included."""

    def make(original: Any) -> Any:
        def faulty(spec: Any, inputs: Any, fold: Any, start: Any) -> Any:
            return original(spec, inputs, dataclasses.replace(fold, train=np.arange(len(inputs.x))), start)

        return faulty

    return replaced(fit, "scale_of", make)


def unstratified() -> AbstractContextManager[Any]:
    """Folds are blocks of time, whatever classes they hold."""

    def make(original: Any) -> Any:
        def faulty(label: np.ndarray, group: np.ndarray, parts: int, seed: Any) -> list[tuple[np.ndarray, np.ndarray]]:
            place = np.argsort(np.argsort(label, kind="stable"), kind="stable") * parts // len(label)
            return [(np.flatnonzero(place != k), np.flatnonzero(place == k)) for k in range(parts)]

        return faulty

    folding._kept.clear()  # or the folds of a run before, without the fault, are taken
    return replaced(folding, "_split", make)
