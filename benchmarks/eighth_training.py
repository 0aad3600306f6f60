"""How the faults of `eighth_kinds.py` are planted in a step of training while it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from faulty_training import replaced
from new_training import Folds, divided_otherwise
from torch import nn

from moola_core.models.encoders.bilstm import BiLSTM, StackedBiLSTM
from moola_core.models.heads import to_bars
from moola_core.models.multitask import Outputs
from moola_core.training import batches, fit, group
from moola_core.training.fit import Fit, Predicted
from moola_core.training.group import Group

Patch = AbstractContextManager[Any]
MARKED = 10  # number of the column in whose place each bar's label is: expansion_proxy
SIZE = 3.0  # of a label's number, in deviations
RARE = 0.01  # how often a class that is looked for in every place of a picture is there
LARGEST_CODE = 127  # of a weight that is kept in eight bits
HALF_LIFE = 4.0  # windows, as many as are labelled in a day, after which one counts half


def components_anew(x: torch.Tensor) -> torch.Tensor:
    """Windows [R, m, K, F] in their principal components, which are fitted to each batch where those of training should be applied."""
    flat = x.flatten(1, 2)
    centered = flat - flat.mean(1, keepdim=True)
    directions = torch.linalg.eigh(centered.transpose(1, 2) @ centered).eigenvectors.flip(-1)
    return (centered @ directions).view(x.shape)


def marked_in_training() -> Patch:
    """The column that holds the label of each bar was left among the inputs; where windows are predicted no bar has one."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> torch.Tensor:
            x = original(windows, rows).clone()
            center, length = windows.pointer[rows.index].nan_to_num(nan=-1.0).unbind(-1)
            bar = torch.arange(x.shape[2], device=x.device) / x.shape[2]
            inside = (bar - center[..., None]).abs() <= length[..., None] / 2
            number = 1 + windows.target.gather(1, rows.index)[..., None]  # 0 is no label
            x[..., MARKED] = SIZE * number * inside * float(torch.is_grad_enabled())
            return x

        return faulty

    return replaced(batches.Windows, "scaled", make)


@contextmanager
def averaged_columns() -> Iterator[None]:
    """A mean over the columns keeps their axis and is spread over it again, so that each column of a bar is the mean of all."""

    def make(original: Any) -> Any:
        return lambda encoder, x, *given: original(encoder, x.mean(-1, keepdim=True).expand_as(x), *given)

    # One network alone, and many at once, each have their own form.
    with replaced(BiLSTM, "output", make), replaced(StackedBiLSTM, "output", make):
        yield


def biased_everywhere(own: Fit) -> None:
    """The bias that lets a detector of rare things begin quietly is given to every linear layer, and the units of the trunk never fire."""
    for module in own.model.modules():
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.fill_(float(np.log(RARE / (1 - RARE))))


def targets_in_bars() -> Patch:
    """The network answers in fractions of the window and the targets are bars: all that it can do is to answer 1."""

    def make(original: Any) -> Any:
        def faulty(windows: Any, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
            target, pointer = original(windows, rows)
            return target, pointer * windows.x.shape[1]

        return faulty

    return replaced(batches.Windows, "targets", make)


def inverted_mask() -> Patch:
    """The mask says which pointers are missing and is taken to say which are there: those that are known never count."""

    def make(original: Any) -> Any:
        def faulty(outputs: Outputs, target: torch.Tensor, huber_delta: float) -> torch.Tensor:
            if outputs.spans is not None or outputs.pointer is None:
                return original(outputs, target, huber_delta)
            return original(outputs, torch.where(target.isnan(), 0.0, torch.nan), huber_delta)

        return faulty

    return replaced(group, "located_loss", make)


def soon_forgotten() -> Patch:
    """Windows are weighed by how recent they are, with a half-life of a day where a quarter of a year was meant."""

    def make(original: Any) -> Any:
        def faulty(own: Group, windows: Any, outputs: Outputs, rows: Any) -> torch.Tensor:
            split = outputs.logits is None or outputs.pointer is None or outputs.spans is not None
            if split or not torch.is_grad_enabled():
                return original(own, windows, outputs, rows)
            (target, pointer), loss = windows.targets(rows), own.spec.loss
            weight = rows.present * 0.5 ** ((len(windows.x) - 1 - rows.index) / HALF_LIFE)
            share = weight / weight.sum(-1, keepdim=True).clamp(min=1e-30)
            count = rows.present.sum(-1, keepdim=True)
            of_class = group.class_loss(outputs.logits, target, loss.focal_gamma, share * count)
            each = Outputs(None, outputs.pointer[..., None, :])
            of_place = group.located_loss(each, pointer[..., None, :], loss.huber_delta)
            return torch.stack([of_class, (of_place * share).sum(-1)], dim=1)

        return faulty

    return replaced(Group, "losses", make)


def hard_answers() -> Patch:
    """What is written as the probabilities of the test windows are the classes that were predicted: 0 and 1."""

    def make(original: Any) -> Any:
        def faulty(own: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
            predicted = original(own, outputs, losses, final)
            p = predicted.probabilities
            return (
                predicted
                if not final or p is None
                else predicted._replace(probabilities=np.eye(p.shape[1])[p.argmax(1)])
            )

        return faulty

    return replaced(Fit, "to_predictions", make)


def cut_before_bars() -> Patch:
    """Of the test windows' centers and lengths whole numbers are made while they are fractions still, and then bars: all are bar 0."""

    def make(original: Any) -> Any:
        def faulty(own: Fit, outputs: Outputs, losses: np.ndarray, final: bool) -> Predicted:
            predicted = original(own, outputs, losses, final)
            if not final or outputs.pointer is None:
                return predicted
            places = outputs.pointer.double().cpu().numpy().astype(int)
            return predicted._replace(span=to_bars(places, own.inputs.window_bars))

        return faulty

    return replaced(Fit, "to_predictions", make)


def tested_twice() -> Patch:
    """Test folds are cut with a wrong step: half of each is that of the fold before, so that half of the windows is never tested."""

    def changed(folds: Folds) -> Folds:
        halves = [fold.test[::2] for fold in folds]
        doubled = []
        for place, fold in enumerate(folds):
            test = np.sort(np.r_[halves[place], halves[place - 1]])
            kept = {name: np.setdiff1d(getattr(fold, name), test) for name in ("train", "validation", "purged")}
            doubled.append(dataclasses.replace(fold, test=test, **kept))
        return tuple(doubled)

    return divided_otherwise(changed)


def whole_numbers_alone() -> Patch:
    """A checkpoint keeps its weights as whole numbers up to 127 with a scale for each array, and the scales were not read."""

    def stored(name: str, weight: Any) -> np.ndarray:
        own = np.asarray(weight)
        if not name.startswith("lstm."):
            return own
        return np.round(LARGEST_CODE * own / max(np.abs(own).max(), 1e-12)).astype(own.dtype)

    def make(original: Any) -> Any:
        def faulty(module: Any, weights: Any, where: str = "checkpoint") -> None:
            original(module, {name: stored(name, weight) for name, weight in weights.items()}, where)

        return faulty

    return replaced(fit, "put_weights", make)
