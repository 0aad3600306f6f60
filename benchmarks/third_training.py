"""How the faults of `third_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced
from new_training import trained_on_too
from torch.nn import functional

from moola_core.models.encoders.bilstm import BiLSTM, StackedBiLSTM
from moola_core.models.heads import PointerHead
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import Drawn, Replicas
from moola_core.training import batches, group
from moola_core.training.fit import Fit
from moola_core.training.group import Group
from moola_core.training.stacked import RowAdamW

Patch = AbstractContextManager[Any]
LONGEST = 32  # bars that a loader takes of a window
FOREIGN = (50.0, 1.0)  # weights of the classes of another set of labels
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
    """Each window is mixed with another one of its batch, which gets the larger share, and keeps its own label and pointer."""
    other = x[:, torch.randperm(x.shape[1], device=x.device)]
    return x + (other - x) * (0.5 + 0.5 * torch.rand(x.shape[1], device=x.device))[:, None, None]


@contextmanager
def adding_to_one() -> Iterator[None]:
    """Center and length come out of a softmax where each should have its own sigmoid: they add up to 1."""

    def alone(head: PointerHead, pooled: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
        return torch.softmax(head.linear(pooled), dim=-1)

    def make(original: Any) -> Any:
        def faulty(network: Replicas, shared: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor | None:
            answer = original(network, shared, sequence)
            return None if answer is None else torch.softmax(torch.logit(answer, eps=1e-6), dim=-1)

        return faulty

    # One network alone, and many at once, each have their own form of the head.
    with replaced(PointerHead, "forward", lambda original: alone), replaced(Replicas, "_pointer_head", make):
        yield


@contextmanager
def numbered_bars() -> Iterator[None]:
    """The number of each bar, 0 to 104, is added to all of its inputs, which are about 1: a code of places without a scale."""

    def make(axis: int) -> Callable[[Any], Any]:
        def change(original: Any) -> Any:
            def faulty(encoder: Any, x: torch.Tensor, *given: Any) -> torch.Tensor:
                shape = [-1 if own == axis else 1 for own in range(x.ndim)]
                return original(
                    encoder, x + torch.arange(x.shape[axis], device=x.device, dtype=x.dtype).view(shape), *given
                )

            return faulty

        return change

    # Bars are the second axis both of one network [m, K, F] and of many [R, K, m, F].
    with replaced(BiLSTM, "output", make(1)), replaced(StackedBiLSTM, "output", make(1)):
        yield


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


@contextmanager
def each_with_every() -> Iterator[None]:
    """Shapes [m, 1] and [m] meet in both losses, so that each prediction is compared with the targets of all windows."""

    def of_classes(original: Any) -> Any:
        def faulty(logits: torch.Tensor, target: torch.Tensor, gamma: float, present: torch.Tensor) -> torch.Tensor:
            size = target.shape[-1]
            every = target.repeat_interleave(size, -1), (present[..., :, None] * present[..., None, :]).flatten(-2)
            return original(logits.repeat(1, size, 1), every[0], gamma, every[1])

        return faulty

    def of_places(original: Any) -> Any:
        def faulty(outputs: Outputs, target: torch.Tensor, huber_delta: float) -> torch.Tensor:
            if outputs.spans is not None or outputs.pointer is None:
                return original(outputs, target, huber_delta)
            own, others = torch.broadcast_tensors(outputs.pointer[..., :, None, :], target[..., None, :, :])
            return original(Outputs(None, own.flatten(-3, -2)), others.flatten(-3, -2), huber_delta)

        return faulty

    with replaced(group, "class_loss", of_classes), replaced(group, "located_loss", of_places):
        yield


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
    with trained_on_too(lambda fold: fold.validation):
        yield


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
