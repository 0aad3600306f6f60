"""How the faults of `sixth_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced

from moola_core.features import matrix
from moola_core.models.encoders.bilstm import BiLSTM, StackedBiLSTM
from moola_core.models.heads import PointerHead
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import Replicas
from moola_core.training import batches, fit, group
from moola_core.training.fit import Fit, Predicted
from moola_core.training.group import Group
from moola_core.training.schedule import WEIGHTING
from moola_core.training.stacked import RowAdamW, Stacked

Patch = AbstractContextManager[Any]
ADDED = 1.0  # deviations of the noise that each step adds
PIECE = 7  # bars that are given to a recurrence at a time
SMOOTHED = 0.9  # share of the targets that is spread over all classes
LARGEST = 0.01  # that a weight may be, as of a critic
NEIGHBOURS = 5  # rows that a filter takes the mean of


def exchanged_scale() -> Patch:
    """The function gives (mean, deviation), and it is read as (deviation, mean): deviations are taken away, and means divided by."""

    def make(original: Any) -> Any:
        def faulty(*given: Any) -> tuple[np.ndarray, np.ndarray]:
            mean, std = original(*given)
            return std, np.where(np.abs(mean) > 1e-8, mean, 1).astype(mean.dtype)

        return faulty

    return replaced(fit, "scale_of", make)


@contextmanager
def noise_in_place() -> Iterator[None]:
    """Noise for a step of training is added to the stored windows themselves and not to a copy, so that it piles up."""

    def begin(original: Any) -> Any:
        def faulty(windows: Any, *given: Any) -> None:
            original(windows, *given)
            windows.x = windows.x.clone()  # or other fits would find the noise of this one

        return faulty

    def read(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            if torch.is_grad_enabled():
                index = rows.index[rows.present > 0].unique()
                noise = torch.randn(len(index), *windows.x.shape[1:], device=windows.x.device)
                windows.x[index] += ADDED * windows.std.mean(0) * noise
            return original(windows, rows)

        return faulty

    with replaced(batches.Windows, "__init__", begin), replaced(batches.Windows, "scaled", read):
        yield


@contextmanager
def over_the_table() -> Iterator[None]:
    """Features are made over the rows of one long table of all windows, as if it were a series: nothing begins anew with a window."""

    def states(original: Any) -> Any:
        return lambda ohlc, length, starts: original(ohlc, length, np.zeros(1, int))

    def path(original: Any) -> Any:
        def faulty(prices: np.ndarray) -> np.ndarray:
            scale = (prices[..., 1] - prices[..., 2]).mean()
            return ((prices - prices[0, 0, 3]) / (scale if scale > 0 else 1.0)).astype(np.float32)

        return faulty

    with replaced(matrix, "relativity", states), replaced(matrix, "price_path", path):
        yield


@contextmanager
def rounded_pointers() -> Iterator[None]:
    """Center and length are rounded to whole bars before the loss, where no gradient passes."""

    def alone(original: Any) -> Any:
        def faulty(head: PointerHead, pooled: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
            bars = sequence.shape[1]
            return (original(head, pooled, sequence) * bars).round() / bars

        return faulty

    def many(original: Any) -> Any:
        def faulty(network: Replicas, shared: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor | None:
            answer, bars = original(network, shared, sequence), sequence.shape[1]
            return None if answer is None else (answer * bars).round() / bars

        return faulty

    # One network alone, and many at once, each have their own form of the head.
    with replaced(PointerHead, "forward", alone), replaced(Replicas, "_pointer_head", many):
        yield


@contextmanager
def state_forgotten() -> Iterator[None]:
    """Windows are cut into pieces of seven bars, as for a recurrence that keeps its state between calls, and this one does not."""

    def alone(original: Any) -> Any:
        def faulty(encoder: BiLSTM, x: torch.Tensor) -> torch.Tensor:
            count, bars, width = x.shape
            if bars % PIECE:
                return original(encoder, x)
            return original(encoder, x.reshape(-1, PIECE, width)).reshape(count, bars, -1)

        return faulty

    def many(original: Any) -> Any:
        def faulty(encoder: StackedBiLSTM, x: torch.Tensor, dropped: Any, statistics: Any) -> torch.Tensor:
            fits, bars, count, width = x.shape
            if bars % PIECE or len(dropped):
                return original(encoder, x, dropped, statistics)
            pieces = x.view(fits, -1, PIECE, count, width).transpose(1, 2).reshape(fits, PIECE, -1, width)
            h = original(encoder, pieces, dropped, statistics)
            return h.view(fits, PIECE, -1, count, h.shape[-1]).transpose(1, 2).reshape(fits, bars, count, -1)

        return faulty

    with replaced(BiLSTM, "output", alone), replaced(StackedBiLSTM, "output", many):
        yield


def smoothed_targets() -> Patch:
    """Nine tenths of each class target are spread over all classes: what is left of the label was given where what is spread was asked."""

    def make(original: Any) -> Any:
        def faulty(logits: torch.Tensor, target: torch.Tensor, gamma: float, present: torch.Tensor) -> torch.Tensor:
            own = original(logits, target, gamma, present)
            if not torch.is_grad_enabled():
                return own
            spread = -torch.log_softmax(logits, -1).mean(-1)
            spread = (spread * present).sum(-1) / present.sum(-1).clamp(min=1)
            return (1 - SMOOTHED) * own + SMOOTHED * spread

        return faulty

    return replaced(group, "class_loss", make)


def clipped_weights() -> Patch:
    """After each step all weights are held within a hundredth of 0, a line of a training loop for the critic of a GAN."""

    def make(original: Any) -> Any:
        def faulty(optimizer: RowAdamW, own: Stacked, part: str, *given: Any) -> None:
            original(optimizer, own, part, *given)
            if part != WEIGHTING:
                with torch.no_grad():
                    own.matrix[:, own.columns[part]].clamp_(-LARGEST, LARGEST)

        return faulty

    return replaced(RowAdamW, "update", make)


def rows_of_the_subset() -> Patch:
    """A batch holds places in the list of training windows, and these are read as rows of the whole table."""

    def make(original: Any) -> Any:
        def faulty(own: Fit) -> list[torch.Tensor]:
            train = torch.from_numpy(np.sort(own.fold.train))
            return [torch.searchsorted(train, batch) for batch in original(own)]

        return faulty

    return replaced(Fit, "batches", make)


def smoothed_predictions() -> Patch:
    """What is predicted of the test windows goes through a filter along their rows, as stages of sleep do."""

    def mean(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        reach = NEIGHBOURS // 2
        padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS, axis=0).mean(-1)

    def make(original: Any) -> Any:
        def faulty(own: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
            predicted = original(own, outputs, losses, final)
            if not final:
                return predicted
            return predicted._replace(probabilities=mean(predicted.probabilities), span=mean(predicted.span))

        return faulty

    return replaced(Fit, "to_predictions", make)


def meter_never_reset() -> Patch:
    """The meter of the validation loss is not set back after an epoch: it shows the mean over all epochs so far."""

    def make(original: Any) -> Any:
        def faulty(own: Group) -> list[Predicted]:
            shown = []
            for one, predicted in zip(own.fits, original(own), strict=True):
                every = [*vars(one).get("metered", ()), predicted.losses]
                one.metered = every  # type: ignore[attr-defined]
                shown.append(predicted._replace(losses=np.mean(every, axis=0)))
            return shown

        return faulty

    return replaced(Group, "predict_inner", make)
