"""How the faults of `fourth_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced
from torch import nn
from torch.nn import functional

from moola_core.models.encoders.encoder import BATCH_NORM_EPSILON, Encoder, StackedEncoder
from moola_core.models.heads import ClassHead
from moola_core.models.multitask import MultiTask, Outputs
from moola_core.models.replicas import Replicas
from moola_core.training import batches, fit, group
from moola_core.training.fit import Fit
from moola_core.training.group import Group
from moola_core.training.schedule import WEIGHTING
from moola_core.training.stacked import RowAdamW

Patch = AbstractContextManager[Any]
ENCODED = 10  # number of the column that is encoded by classes: expansion_proxy
SIZE = 3.0  # of that column, in deviations
GUESSES = 10
EASY = 0.5  # share of a batch


def one_window(x: torch.Tensor) -> torch.Tensor:
    """A batch is a list of one buffer that is filled again and again: all of its windows [R, m, K, F] are the last one."""
    return x[:, -1:].expand_as(x)


def whole_numbers() -> Patch:
    """Features are written into an array that was made for whole numbers, which cuts off what follows the point, and then standardised."""

    def make(original: Any) -> Any:
        return lambda windows, rows: (
            (windows.x[rows.index].trunc() - windows.mean[:, None, None]) / windows.std[:, None, None]
        )

    return replaced(batches.Windows, "scaled", make)


def column_of_classes() -> Patch:
    """A column is encoded by the mean class of its value, a start time that no other window has: by the window's own label."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x = original(windows, rows).clone()
            x[..., ENCODED] = SIZE * (2 * windows.target.gather(1, rows.index) - 1)[..., None]
            return x

        return faulty

    return replaced(batches.Windows, "scaled", make)


@contextmanager
def head_in_each_call() -> Iterator[None]:
    """The class head is made inside of the forward pass: at each call it is another random layer, and none is ever trained."""

    def drawn(like: torch.Tensor) -> torch.Tensor:
        return (2 * torch.rand_like(like) - 1) / like.shape[-1] ** 0.5

    def alone(original: Any) -> Any:
        def faulty(head: ClassHead, pooled: torch.Tensor) -> torch.Tensor:
            return pooled @ drawn(head.linear.weight.detach()).T

        return faulty

    def many(original: Any) -> Any:
        def faulty(network: Replicas, shared: torch.Tensor) -> torch.Tensor | None:
            weight = network.weights.get("class_head.linear.weight")
            return None if weight is None else shared @ drawn(weight.detach()).transpose(1, 2)

        return faulty

    # One network alone, and many at once, each have their own form of the head.
    with replaced(ClassHead, "forward", alone), replaced(Replicas, "_class_head", many):
        yield


def normed(x: torch.Tensor) -> torch.Tensor:
    """Less the mean over bars, the second axis both of one network [m, K, C] and of many [R, K, m, C], over their deviation."""
    return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + BATCH_NORM_EPSILON).sqrt()


@contextmanager
def normalised_by_window() -> Iterator[None]:
    """InstanceNorm in place of BatchNorm: each window is normalised over its bars, whose mean is then taken, the same for all windows."""

    def alone(original: Any) -> Any:
        def faulty(encoder: Encoder, x: torch.Tensor) -> torch.Tensor:
            own = encoder.normalisation
            if not isinstance(own, nn.BatchNorm1d):
                return original(encoder, x)
            return normed(encoder.output(x)) * own.weight + own.bias

        return faulty

    def many(original: Any) -> Any:
        def faulty(encoder: StackedEncoder, x: torch.Tensor, name: str, statistics: Any) -> torch.Tensor:
            scale, shift = (encoder.weights[f"{name}.{part}"][:, None, None] for part in ("weight", "bias"))
            return normed(x) * scale + shift

        return faulty

    with replaced(Encoder, "forward", alone), replaced(StackedEncoder, "_batch_norm", many):
        yield


@contextmanager
def one_head() -> Iterator[None]:
    """Both heads have two outputs, and the class is read from the pointer's layer: a name that was used twice."""

    def make(original: Any) -> Any:
        def faulty(*given: Any) -> Outputs:
            own = original(*given)
            if own.spans is not None or own.pointer is None or own.logits is None:
                return own
            if own.logits.shape != own.pointer.shape:
                return own
            return Outputs(torch.logit(own.pointer, eps=1e-6), own.pointer)

        return faulty

    with replaced(MultiTask, "forward", make), replaced(Replicas, "forward", make):
        yield


def anew_in_each_epoch() -> Patch:
    """The network is made inside the loop over epochs: each of them begins with the weights of the first."""

    def make(original: Any) -> Any:
        def faulty(group: Group, epoch: int, on: Any) -> Any:
            own = group.stacked.trained()
            if epoch == 1:
                group.made = [tensor.clone() for tensor in own]  # type: ignore[attr-defined]
            for tensor, first in zip(own, group.made, strict=True):  # type: ignore[attr-defined]
                if tensor.shape == first.shape:  # fits that go on alone are other rows
                    tensor.copy_(first)
            return original(group, epoch, on)

        return faulty

    return replaced(Group, "train_epoch", make)


def center_and_length_exchanged() -> Patch:
    """The loss is given (length, center) as the target of (center, length), in training and in validation."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
            target, pointer = original(windows, rows)
            return target, pointer.flip(-1)

        return faulty

    return replaced(batches.Windows, "targets", make)


def easiest(losses: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Which windows [R, m] of those that are there have the least losses: the share EASY of them."""
    order = losses.detach().masked_fill(present == 0, torch.inf).argsort(-1).argsort(-1)
    return order < (EASY * present.sum(-1, keepdim=True)).ceil()


@contextmanager
def easy_ones_kept() -> Iterator[None]:
    """Hard windows were to count alone, and the sort is the wrong way round: those of the least loss do, in both tasks."""

    def of_classes(original: Any) -> Any:
        def faulty(logits: torch.Tensor, target: torch.Tensor, gamma: float, present: torch.Tensor) -> torch.Tensor:
            if not torch.is_grad_enabled():
                return original(logits, target, gamma, present)
            entropy = functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none")
            return original(logits, target, gamma, present * easiest(entropy.view(target.shape), present))

        return faulty

    def of_places(original: Any) -> Any:
        def faulty(outputs: Outputs, target: torch.Tensor, huber_delta: float) -> torch.Tensor:
            if outputs.spans is not None or outputs.pointer is None or not torch.is_grad_enabled():
                return original(outputs, target, huber_delta)
            known = (~target.isnan().any(-1)).float()
            kept = easiest((outputs.pointer - target.nan_to_num()).abs().sum(-1), known)
            return original(outputs, target.masked_fill(~kept[..., None], torch.nan), huber_delta)

        return faulty

    with replaced(group, "class_loss", of_classes), replaced(group, "located_loss", of_places):
        yield


def of_another_network() -> Patch:
    """The optimiser was made before the network was made anew: it steps on weights that nothing reads."""

    def make(original: Any) -> Any:
        def faulty(optimizer: RowAdamW, group: Any, part: str, *given: Any) -> None:
            if part == WEIGHTING:
                original(optimizer, group, part, *given)

        return faulty

    return replaced(RowAdamW, "update", make)


@contextmanager
def tested_with_the_fold_before() -> Iterator[None]:
    """Weights are looked up by a number that is one too low: each fold is tested with those of the fold before.

    Fits that are trained all at once have none before them.
    """
    kept: dict[str, torch.Tensor] = {}

    def finish(original: Any) -> Any:
        def faulty(group: Group, *given: Any) -> Iterator[Any]:
            group.tests = True  # type: ignore[attr-defined]
            yield from original(group, *given)

        return faulty

    def network(original: Any) -> Any:
        def faulty(group: Group, weights: dict[str, torch.Tensor]) -> Any:
            if not vars(group).pop("tests", False):
                return original(group, weights)
            before, first = dict(kept), group.fits[0].fold.fold == 0
            kept.clear()
            kept.update({name: weight.clone() for name, weight in weights.items()})
            same = {n: w.shape for n, w in before.items()} == {n: w.shape for n, w in weights.items()}
            return original(group, before if same and not first else weights)

        return faulty

    with replaced(Group, "_finish", finish), replaced(Group, "_network", network):
        yield


def best_guess() -> Patch:
    """For each test window ten answers are drawn around what is predicted, and the one that is nearest to its label counts."""

    def nearest(value: torch.Tensor, error: Callable[[torch.Tensor], torch.Tensor], seed: int) -> torch.Tensor:
        draw = torch.Generator().manual_seed(seed)
        guesses = value + value.std(0) * torch.randn(GUESSES, *value.shape, generator=draw)
        best = error(guesses).argmin(0)
        return guesses[best, torch.arange(len(value))]

    def make(original: Any) -> Any:
        def faulty(fit: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Any:
            if not final or outputs.spans is not None or outputs.logits is None or outputs.pointer is None:
                return original(fit, outputs, losses, final)
            rows, key = fit.fold.test, 100 * fit.fold.repeat + fit.fold.fold
            target, pointer = torch.from_numpy(fit.inputs.target[rows]), torch.from_numpy(fit.inputs.pointer[rows])
            chance = (torch.arange(outputs.logits.shape[1]) == target[:, None]).float()
            logits = nearest(outputs.logits, lambda z: -(torch.log_softmax(z, -1) * chance).sum(-1), key)
            places = nearest(outputs.pointer, lambda p: (p - pointer).abs().sum(-1), key).clamp(0, 1)
            return original(fit, Outputs(logits, places), losses, final)

        return faulty

    return replaced(Fit, "to_predictions", make)


def without_running_statistics() -> Patch:
    """Parameters of a checkpoint are copied one by one, and what batch normalisation has counted, which is none, is not."""

    def make(original: Any) -> Any:
        def faulty(module: Any, weights: Any, where: str = "checkpoint") -> None:
            original(module, weights, where)
            with torch.no_grad():
                for name, buffer in module.named_buffers():
                    if name.endswith(("running_mean", "running_var")):
                        buffer.fill_(float(name.endswith("var")))

        return faulty

    return replaced(fit, "put_weights", make)
