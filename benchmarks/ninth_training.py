"""How the faults of `ninth_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced
from torch.nn import functional

from moola_core.models.heads import ClassHead, PointerHead
from moola_core.models.multitask import Outputs
from moola_core.models.replicas import Replicas
from moola_core.training import fit, group
from moola_core.training.batches import Rows
from moola_core.training.fit import Fit, Predicted
from moola_core.training.group import Group
from moola_core.training.schedule import WEIGHTING

Patch = AbstractContextManager[Any]
BYTES = 255.0  # the largest value of a picture's point
TESTED_AT_ONCE = 21  # windows in a batch of testing
GATES = 4


def logarithm(x: torch.Tensor) -> torch.Tensor:
    """The logarithm of standardised inputs: what is below the mean has none, and what is not a number was set to 0."""
    return torch.log(x).nan_to_num(0.0, 0.0, 0.0)


def divided_again() -> Patch:
    """Inputs are standardised, and divided by 255 once more, as pictures are."""

    def make(original: Any) -> Any:
        def faulty(*given: Any) -> tuple[np.ndarray, np.ndarray]:
            mean, std = original(*given)
            return mean, (BYTES * std).astype(std.dtype)

        return faulty

    return replaced(fit, "scale_of", make)


Change = Callable[[torch.Tensor, bool], torch.Tensor]


@contextmanager
def _answers(of_class: Change, of_place: Change) -> Iterator[None]:
    """With what both heads answer changed, whether one network is alone or many are at once; the flag: in training."""

    def alone(change: Change) -> Any:
        return lambda original: lambda head, *given: change(original(head, *given), head.training)

    def many(change: Change) -> Any:
        def make(original: Any) -> Any:
            def faulty(networks: Replicas, *given: Any) -> torch.Tensor | None:
                answer = original(networks, *given)
                return None if answer is None else change(answer, torch.is_grad_enabled())

            return faulty

        return make

    with (
        replaced(ClassHead, "forward", alone(of_class)),
        replaced(PointerHead, "forward", alone(of_place)),
        replaced(Replicas, "_class_head", many(of_class)),
        replaced(Replicas, "_pointer_head", many(of_place)),
    ):
        yield


def dropped_answers() -> Patch:
    """Dropout stands behind the last layer too: half of the class scores, centers and lengths are 0 and the others doubled."""

    def dropped(answer: torch.Tensor, training: bool) -> torch.Tensor:
        return functional.dropout(answer, 0.5, training)

    return _answers(dropped, dropped)


def answers_normalised() -> Patch:
    """A batch normalisation that learns nothing of its own stands behind the last layer of both heads."""

    def over_windows(scores: torch.Tensor) -> torch.Tensor:
        return (scores - scores.mean(-2, keepdim=True)) / (scores.var(-2, keepdim=True, correction=0) + 1e-5).sqrt()

    return _answers(
        lambda scores, _: over_windows(scores),
        lambda places, _: torch.sigmoid(over_windows(torch.logit(places, eps=1e-6))),
    )


def own_answers_as_targets() -> Patch:
    """The class loss of a step is given the classes that were predicted where it should be given the labels."""

    def make(original: Any) -> Any:
        def faulty(logits: torch.Tensor, target: torch.Tensor, *given: Any) -> torch.Tensor:
            return original(logits, logits.argmax(-1) if torch.is_grad_enabled() else target, *given)

        return faulty

    return replaced(group, "class_loss", make)


def first_window_alone() -> Patch:
    """The loop over the windows of a batch returns inside of its body: the loss is that of the first window."""

    def make(original: Any) -> Any:
        def faulty(own: Group, windows: Any, outputs: Outputs, rows: Rows) -> torch.Tensor:
            if not torch.is_grad_enabled():
                return original(own, windows, outputs, rows)
            parts = (outputs.logits, outputs.pointer, outputs.spans)
            first = Outputs(*(None if part is None else part[:, :1] for part in parts))
            return original(own, windows, first, Rows(rows.index[:, :1], rows.present[:, :1]))

        return faulty

    return replaced(Group, "losses", make)


def in_reverse_order(own: Group, flat: torch.Tensor, split: bool) -> torch.Tensor:
    """Gradients and weights are two lists that are walked side by side, and one of them was listed from the last layer to the first."""
    learned = own.stacked.columns[WEIGHTING] if WEIGHTING in own.trained else slice(0, 0)
    last = flat.shape[1] - (learned.stop - learned.start)
    return torch.cat([flat[:, :last].flip(1), flat[:, last:]], dim=1)


def _tested(change: Callable[[Outputs, Predicted], Predicted]) -> Patch:
    """With what is predicted of test windows changed."""

    def make(original: Any) -> Any:
        def faulty(own: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
            predicted = original(own, outputs, losses, final)
            return change(outputs, predicted) if final else predicted

        return faulty

    return replaced(Fit, "to_predictions", make)


def last_batch_left_out() -> Patch:
    """The loader of the test windows leaves out a last batch that is not full, whose rows keep the zeros that they began with."""

    def change(outputs: Outputs, predicted: Predicted) -> Predicted:
        parts = {name: getattr(predicted, name) for name in ("probabilities", "span")}
        for values in parts.values():
            if values is not None:
                values[len(values) // TESTED_AT_ONCE * TESTED_AT_ONCE :] = 0
        return predicted._replace(**parts)

    return _tested(change)


def sigmoid_for_each() -> Patch:
    """Of the scores of classes that exclude each other a sigmoid is taken one by one: the probabilities do not add up to 1."""

    def change(outputs: Outputs, predicted: Predicted) -> Predicted:
        if outputs.logits is None:
            return predicted
        return predicted._replace(probabilities=torch.sigmoid(outputs.logits.double()).cpu().numpy())

    return _tested(change)


def scaled_by_the_tested() -> Patch:
    """The scale is fitted anew to the test windows where that of the training windows should be applied."""

    def make(original: Any) -> Any:
        def faulty(own: Group, stopped: Any, *given: Any) -> Iterator[Any]:
            windows, own.windows = own.windows, copy.copy(own.windows)
            own.windows.mean, own.windows.std = windows.mean.clone(), windows.std.clone()
            for r in stopped:
                rows = windows.x[own.fits[r].fold.test].flatten(0, 1)
                own.windows.mean[r], own.windows.std[r] = rows.mean(0), rows.std(0).clamp(min=1e-8)
            try:
                yield from original(own, stopped, *given)
            finally:
                own.windows = windows

        return faulty

    return replaced(Group, "_finish", make)


def mean_of_two() -> Patch:
    """What is loaded is the mean of two encoders that were pre-trained apart, whose units do not belong to each other.

    The second one is the first with its units in another order, which computes the same.
    """

    def turned(name: str, weight: np.ndarray) -> np.ndarray:
        if not name.startswith("lstm."):
            return weight
        hidden = len(weight) // GATES
        other = weight.reshape(GATES, hidden, -1)[:, ::-1].reshape(weight.shape)
        return other[:, ::-1] if "weight_hh" in name else other

    def make(original: Any) -> Any:
        def faulty(module: Any, weights: Any, where: str = "checkpoint") -> None:
            own = {name: np.asarray(weight) for name, weight in weights.items()}
            original(module, {name: (w + turned(name, w)) / 2 for name, w in own.items()}, where)

        return faulty

    return replaced(fit, "put_weights", make)
