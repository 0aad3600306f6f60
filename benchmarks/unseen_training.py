"""How the faults of `unseen_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced

from moola_core.models.multitask import Outputs
from moola_core.training import batches, fit, group
from moola_core.training.fit import Fit
from moola_core.training.group import Group
from moola_core.training.monitor import FitMonitor
from moola_core.training.stacked import RowAdamW

Patch = AbstractContextManager[Any]
BLANK = 0.6  # share of a batch
SUMMED = 16  # batches; an epoch of the demo has four or so
DECAY = 0.85  # of the rate, meant for an epoch


def augmented(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], Patch]:
    """A fault of what is done to the windows [R, m, K, F] of a step of training alone."""
    return lambda: replaced(Group, "_noisy", lambda original: lambda group, x: change(original(group, x)))


def blanked(x: torch.Tensor) -> torch.Tensor:
    """A random mask that was meant for bars is applied along the windows of the batch."""
    return x * (torch.rand(x.shape[:2], device=x.device) >= BLANK)[..., None, None]


def sorted_alone(x: torch.Tensor) -> torch.Tensor:
    """The windows of a batch are sorted, as for packing by length, and their labels and pointers are not."""
    order = x.mean((2, 3)).argsort(dim=1)
    return x.gather(1, order[..., None, None].expand_as(x))


def scaled_twice() -> Patch:
    """Training standardises windows that are standardised already; measuring and predicting do it once."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x = original(windows, rows)
            return (x - windows.mean[:, None, None]) / windows.std[:, None, None] if torch.is_grad_enabled() else x

        return faulty

    return replaced(batches.Windows, "scaled", make)


def detached() -> Patch:
    """The encoder's outputs are cut off from their history: none of its weights gets a gradient."""

    def make(original: Any) -> Any:
        def faulty(group: Group, *given: Any) -> None:
            original(group, *given)
            group.weights = [
                weight.detach().clone().requires_grad_() if name.startswith("encoder.") else weight
                for name, weight in zip(group.names, group.weights, strict=True)
            ]

        return faulty

    return replaced(Group, "prepare", make)


def never_counted() -> Patch:
    """The running mean and variance of batch normalisation stay what they were before the first step."""

    def make(original: Any) -> Any:
        def faulty(group: Group, split: bool) -> list[torch.Tensor]:
            before = {name: buffer.clone() for name, buffer in group.stacked.buffers.items()}
            result = original(group, split)
            for name, buffer in group.stacked.buffers.items():
                buffer.copy_(before[name])
            return result

        return faulty

    return replaced(Group, "step", make)


def after_made(change: Callable[[Fit], None]) -> Callable[[], Patch]:
    """A fault of the weights that a fit begins with."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit, *given: Any, **named: Any) -> None:
            original(fit, *given, **named)
            with torch.no_grad():
                change(fit)

        return faulty

    return lambda: replaced(Fit, "__init__", make)


def all_zero(fit: Fit) -> None:
    """Every weight of the network is set to zero, where gradients are zero too but for the last biases."""
    for parameter in fit.model.parameters():
        parameter.zero_()


def stepped_per_batch() -> Patch:
    """The decay of the rate that was meant for each epoch is made at each batch."""

    def make(original: Any) -> Any:
        def faulty(optimizer: RowAdamW, group: Any, part: str, gradient: torch.Tensor, rate: Any, live: Any) -> None:
            left = (DECAY ** optimizer.steps[part]).float()
            original(optimizer, group, part, gradient, rate._replace(learning=rate.learning * left), live)

        return faulty

    return replaced(RowAdamW, "update", make)


def rare_steps() -> Patch:
    """Gradients are summed up over more batches than an epoch has before the optimiser makes a step."""

    def make(original: Any) -> Any:
        def faulty(group: Group, flat: torch.Tensor) -> None:
            summed = [*vars(group).get("summed", ()), flat]
            if summed[0].shape != flat.shape:  # another phase, in which other weights train
                summed = [flat]
            if len(summed) == SUMMED:
                original(group, torch.stack(summed).mean(0))
                summed = []
            group.summed = summed  # type: ignore[attr-defined]

        return faulty

    return replaced(Group, "_update", make)


def softmax_before_loss() -> Patch:
    """Probabilities are given to a loss that takes logits and makes probabilities of them itself."""

    def make(original: Any) -> Any:
        return lambda logits, *given: original(torch.softmax(logits, -1), *given)

    return replaced(group, "class_loss", make)


@contextmanager
def worst_epoch() -> Iterator[None]:
    """The epoch with the highest loss is kept, and patience waits for a higher one; what is reported is right."""

    def emit(original: Any) -> Any:
        def plain(monitor: FitMonitor, *given: Any) -> None:
            monitor.fit.reports = True  # type: ignore[attr-defined]
            original(monitor, *given)
            monitor.fit.reports = False  # type: ignore[attr-defined]

        return plain

    def score(original: Any) -> Any:
        def faulty(fit: Fit, losses: np.ndarray, f1: float | None) -> float:
            own = original(fit, losses, f1)
            return own if vars(fit).get("reports") else -own

        return faulty

    with replaced(FitMonitor, "_emit_epoch", emit), replaced(Fit, "score", score):
        yield


def other_order() -> Patch:
    """Test windows are read in a shuffled order, and what is predicted is written beside the windows in theirs."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Any:
            if final:
                parts = (outputs.logits, outputs.pointer, outputs.spans)
                size = next(len(part) for part in parts if part is not None)
                order = torch.from_numpy(np.random.default_rng(fit.key).permutation(size))
                outputs = Outputs(*(None if part is None else part[order] for part in parts))
            return original(fit, outputs, losses, final)

        return faulty

    return replaced(Fit, "to_predictions", make)


@contextmanager
def carried_over() -> Iterator[None]:
    """The network is made once, before the folds: each fit goes on from the weights that the fit before it ended with.

    Fits that are trained all at once have none before them.
    """
    kept: dict[str, torch.Tensor] = {}

    def begin(fit: Fit) -> None:
        own = fit.model.state_dict()
        if {name: weight.shape for name, weight in kept.items()} == {name: own[name].shape for name in own}:
            fit.model.load_state_dict(kept)

    def finish(original: Any) -> Any:
        def faulty(monitor: FitMonitor, predicted: Any, weights: dict[str, np.ndarray], *given: Any) -> Any:
            kept.clear()
            kept.update({name: torch.from_numpy(weight.copy()) for name, weight in weights.items()})
            return original(monitor, predicted, weights, *given)

        return faulty

    with replaced(FitMonitor, "finish", finish), after_made(begin)():
        yield


def not_scaled() -> Patch:
    """A pre-trained encoder is given windows in raw units, without the scale that it was trained with."""

    def make(original: Any) -> Any:
        def faulty(spec: Any, inputs: Any, fold: Any, start: Any) -> tuple[np.ndarray, np.ndarray]:
            mean, std = original(spec, inputs, fold, start)
            return (mean, std) if start is None else (np.zeros_like(mean), np.ones_like(std))

        return faulty

    return replaced(fit, "scale_of", make)


def not_loaded() -> Patch:
    """No name in the checkpoint is one of the network's, and those that are missing are passed over in silence."""
    return replaced(fit, "put_weights", lambda original: lambda module, weights, where="": None)
