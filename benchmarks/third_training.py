"""How the faults of `third_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced
from torch.nn import functional

from moola_core.models.heads import PointerHead
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import Drawn
from moola_core.training import batches, group
from moola_core.training import folds as folding
from moola_core.training.fit import Fit
from moola_core.training.group import Group
from moola_core.training.stacked import RowAdamW

Patch = AbstractContextManager[Any]
LONGEST = 64  # bars that a loader takes of a window
SHUT = -4.0  # of each of the two biases of a forget gate
FOREIGN = (12.0, 1.0)  # weights of the classes of another set of labels
WARM_UP = 10_000  # steps, of a template for much larger sets


def read(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], Patch]:
    """A fault of the windows [R, m, K, F] as the network reads them, in training, in validation and in test."""

    def make(original: Any) -> Any:
        return lambda windows, rows: change(original(windows, rows))

    return lambda: replaced(batches.Windows, "scaled", make)


def clipped(x: torch.Tensor) -> torch.Tensor:
    """Inputs are held between 0 and 1, as they were when they were scaled by minimum and maximum; now half of them are below."""
    return x.clamp(0, 1)


def cut_short(x: torch.Tensor) -> torch.Tensor:
    """A loader's longest length is shorter than a window: the bars behind it are filled with zeros."""
    return x * (torch.arange(x.shape[2], device=x.device) < LONGEST)[:, None]


def mixed_alone(x: torch.Tensor) -> torch.Tensor:
    """Each window is averaged with another one of its batch, as mixup does, and keeps its own label and pointer alone."""
    return (x + x[:, torch.randperm(x.shape[1], device=x.device)]) / 2


def adding_to_one() -> Patch:
    """Center and length come out of a softmax where each should have its own sigmoid: they add up to 1."""

    def faulty(head: PointerHead, pooled: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
        return torch.softmax(head.linear(pooled), dim=-1)

    return replaced(PointerHead, "forward", lambda original: faulty)


def gates_shut(fit: Fit) -> None:
    """The forget gates, which should begin open, were given the wrong sign: a bar's state is gone at the next one."""
    for name, parameter in fit.model.encoder.named_parameters():
        if name.split(".")[-1].startswith("bias_"):
            quarter = len(parameter) // 4
            parameter[quarter : 2 * quarter] = SHUT


def never_evaluating() -> Patch:
    """The network stays in training mode where it predicts: dropout goes on, and windows are normalised by those beside them."""

    def make(original: Any) -> Any:
        @torch.no_grad()
        def faulty(group: Group, network: Any, windows: Any, rows: Any) -> list[torch.Tensor]:
            drawn = Drawn((), None, rows.present)
            outputs = network.forward(windows.scaled(rows).transpose(1, 2), drawn, windows.added(rows))
            parts = (outputs.logits, outputs.pointer, outputs.spans)
            return [group.losses(windows, outputs, rows), *(part for part in parts if part is not None)]

        return faulty

    return replaced(Group, "predict", make)


def each_with_every() -> Patch:
    """Shapes [m, 1] and [m] meet in the pointer loss, so that each prediction is compared with every window's target."""

    def make(original: Any) -> Any:
        def faulty(outputs: Outputs, target: torch.Tensor, huber_delta: float) -> torch.Tensor:
            if outputs.spans is not None or outputs.pointer is None:
                return original(outputs, target, huber_delta)
            own, others = torch.broadcast_tensors(outputs.pointer[..., :, None, :], target[..., None, :, :])
            return original(Outputs(None, own.flatten(-3, -2)), others.flatten(-3, -2), huber_delta)

        return faulty

    return replaced(group, "located_loss", make)


def biases_alone() -> Patch:
    """Parameters were divided into those with and without weight decay, and only the second group was given to the optimiser."""

    def make(original: Any) -> Any:
        def faulty(group: Group, *given: Any) -> None:
            original(group, *given)
            group.weights = [
                weight if "bias" in name or name.startswith("weighting") else weight.detach().clone().requires_grad_()
                for name, weight in zip(group.names, group.weights, strict=True)
            ]

        return faulty

    return replaced(Group, "prepare", make)


def foreign_weights() -> Patch:
    """The class loss has the class weights of another, lopsided set of labels."""

    def make(original: Any) -> Any:
        def faulty(logits: torch.Tensor, target: torch.Tensor, gamma: float, present: torch.Tensor) -> torch.Tensor:
            if not torch.is_grad_enabled():
                return original(logits, target, gamma, present)
            factors = functional.pad(target.new_tensor(FOREIGN, dtype=present.dtype), (0, logits.shape[-1]), value=1.0)
            return original(logits, target, gamma, present * factors[target])

        return faulty

    return replaced(group, "class_loss", make)


def endless_warm_up() -> Patch:
    """The rate rises over ten thousand steps to what was set, and training has some hundred."""

    def make(original: Any) -> Any:
        def faulty(optimizer: RowAdamW, group: Any, part: str, gradient: torch.Tensor, rate: Any, live: Any) -> None:
            risen = ((optimizer.steps[part] + 1) / WARM_UP).clamp(max=1).float()
            original(optimizer, group, part, gradient, rate._replace(learning=rate.learning * risen), live)

        return faulty

    return replaced(RowAdamW, "update", make)


@contextmanager
def validation_in_training() -> Iterator[None]:
    """Validation windows were drawn from those of training and not taken out of them."""

    def make(original: Any) -> Any:
        def faulty(*given: Any) -> tuple[folding.Fold, ...]:
            folds = original(*given)
            return tuple(dataclasses.replace(f, train=np.sort(np.r_[f.train, f.validation])) for f in folds)

        return faulty

    folding._kept.clear()  # folds of a run without the fault are not to be taken, nor these by a later one
    try:
        with replaced(folding, "_made", make):
            yield
    finally:
        folding._kept.clear()


def names_in_other_order() -> Patch:
    """The script that tests names the columns of probabilities in the reverse order of the one that trained."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Any:
            own = original(fit, outputs, losses, final)
            if not final or own.probabilities is None:
                return own
            return own._replace(probabilities=np.ascontiguousarray(own.probabilities[:, ::-1]))

        return faulty

    return replaced(Fit, "to_predictions", make)
