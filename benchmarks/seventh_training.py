"""How the faults of `seventh_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced
from sklearn.isotonic import IsotonicRegression

from moola_core.models.heads import PointerHead
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import Replicas
from moola_core.training import batches, monitor
from moola_core.training.fit import Fit, Predicted
from moola_core.training.group import Group

Patch = AbstractContextManager[Any]
GAIN = 1.0  # of the loss below which an epoch is no better than the ones before
CERTAIN = 0.01  # how near calibrated probabilities come to 0 and 1


@contextmanager
def scaled_by_place() -> Iterator[None]:
    """Mean and deviation are taken over the windows alone, so that each bar of a window has its own, and not over windows and bars."""

    def begin(original: Any) -> Any:
        def faulty(windows: Any, inputs: Any, fits: Any, device: str) -> None:
            original(windows, inputs, fits, device)
            rows = [inputs.x[fit.fold.train].astype(np.float64) for fit in fits]
            std = np.stack([own.std(0) for own in rows])
            places = np.stack([own.mean(0) for own in rows]), np.where(std > 1e-8, std, 1.0)
            windows.places = [torch.from_numpy(own.astype(np.float32)).to(device) for own in places]

        return faulty

    def read(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            mean, std = windows.places
            return (windows.x[rows.index] - mean[:, None]) / std[:, None]

        return faulty

    def select(original: Any) -> Any:
        def faulty(windows: Any, rows: torch.Tensor) -> None:
            original(windows, rows)
            windows.places = [own[rows] for own in windows.places]

        return faulty

    own = batches.Windows
    with replaced(own, "__init__", begin), replaced(own, "scaled", read), replaced(own, "select", select):
        yield


def columns_left_permuted() -> Patch:
    """The importance of each column was measured by shuffling it among the windows, in place, and none was put back before training."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, *given: Any) -> None:
            original(windows, *given)
            rng, x = np.random.default_rng(0), windows.x.clone()
            for column in range(x.shape[2]):
                x[..., column] = x[torch.from_numpy(rng.permutation(len(x))).to(x.device), :, column]
            windows.x = x

        return faulty

    return replaced(batches.Windows, "__init__", make)


@contextmanager
def squashed_twice() -> Iterator[None]:
    """The head of the pointers ends with a sigmoid, and so does the code that calls it: nothing can be below one half."""

    def alone(original: Any) -> Any:
        def faulty(head: PointerHead, pooled: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(original(head, pooled, sequence))

        return faulty

    def many(original: Any) -> Any:
        def faulty(network: Replicas, shared: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor | None:
            answer = original(network, shared, sequence)
            return None if answer is None else torch.sigmoid(answer)

        return faulty

    # One network alone, and many at once, each have their own form of the head.
    with replaced(PointerHead, "forward", alone), replaced(Replicas, "_pointer_head", many):
        yield


def drawn_too_large(fit: Fit) -> None:
    """All weights are drawn from a normal distribution of deviation 1, whatever the width of their layer."""
    rng = torch.Generator().manual_seed(fit.fold.fold)
    for parameter in fit.model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(generator=rng)


def class_numbers_as_weights() -> Patch:
    """A sampler that is to even out the classes is given the class numbers where it expects a weight for each window: 0 is never drawn."""

    def make(original: Any) -> Any:
        def faulty(own: Fit) -> list[torch.Tensor]:
            sizes, train = [len(batch) for batch in original(own)], own.fold.train
            weight = own.inputs.target[train].astype(float)
            drawn = own.order.choice(train, sum(sizes), p=weight / weight.sum())
            return list(torch.from_numpy(drawn).split(sizes))

        return faulty

    return replaced(Fit, "batches", make)


def large_least_gain() -> Patch:
    """Early stopping asks for a gain of 1, meant as one percent and taken as it is: the sum of both losses begins near 2."""
    return replaced(monitor, "SMALLEST_GAIN", lambda original: GAIN)


def mirrored_copies() -> Patch:
    """Test windows are predicted as they are and backwards in time, and the mean is taken without turning the places back."""

    def make(original: Any) -> Any:
        def faulty(group: Group, network: Any, windows: Any, rows: Any) -> list[torch.Tensor]:
            losses, *outputs = original(group, network, windows, rows)
            if windows is group.windows:  # the validation windows
                return [losses, *outputs]
            backwards = copy.copy(windows)
            backwards.x = windows.x.flip(1)
            mirrored = original(group, network, backwards, rows)[1:]
            return [losses, *((one + other) / 2 for one, other in zip(outputs, mirrored, strict=True))]

        return faulty

    return replaced(Group, "predict", make)


def calibrated_on_test() -> Patch:
    """Probabilities of the test windows go through an isotonic regression that is fitted to just these windows and their classes."""

    def calibrated(p: np.ndarray, target: np.ndarray) -> np.ndarray:
        own = [
            IsotonicRegression(y_min=CERTAIN, y_max=1 - CERTAIN).fit_transform(p[:, c], target == c)
            for c in range(p.shape[1])
        ]
        return np.stack(own, axis=1) / np.sum(own, axis=0)[:, None]

    def make(original: Any) -> Any:
        def faulty(fit: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
            predicted, test = original(fit, outputs, losses, final), fit.fold.test
            p = predicted.probabilities
            if not final or p is None or len(p) != len(test):
                return predicted
            return predicted._replace(probabilities=calibrated(p, fit.inputs.target[test]))

        return faulty

    return replaced(Fit, "to_predictions", make)


def center_as_corner() -> Patch:
    """What is written of the test windows is center and width, in a form of boxes where a corner and a width are read."""

    def make(original: Any) -> Any:
        def faulty(fit: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
            predicted = original(fit, outputs, losses, final)
            if not final or predicted.span is None:
                return predicted
            late = (predicted.span[:, 1:] - predicted.span[:, :1]) / 2
            return predicted._replace(span=np.minimum(predicted.span + late, fit.inputs.window_bars - 1))

        return faulty

    return replaced(Fit, "to_predictions", make)
