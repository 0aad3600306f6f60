"""Folds, losses, steps and orders of windows by their definitions, with NumPy: what `audit.py` compares training with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from moola_core.training.folds import Fold

ROLES = {"train": "training", "validation": "validation", "test": "testing"}
ALIKE = 1e-3  # relative difference that float32 explains
LEAST_ORDER = 4  # windows whose order can be judged


class Deviation(NamedTuple):
    """A difference: in which part (folds, batches, start, inputs, targets, network, loss, gradient, step, statistics), and in words, as a clause."""

    part: str
    detail: str


def in_order(rows: np.ndarray) -> float:
    """Rank correlation of the order with the rows' numbers, in standard deviations of chance."""
    places, ranks = np.arange(len(rows)), np.argsort(np.argsort(rows))
    return float(np.corrcoef(places, ranks)[0, 1] * np.sqrt(len(rows) - 1)) if len(rows) > LEAST_ORDER else 0.0


def mixing(target: np.ndarray) -> float:
    """By how many standard deviations neighbours are of different classes more often than by chance."""
    shares = np.bincount(target) / len(target)
    chance = 1 - float(shares @ shares)
    spread = np.sqrt(max(chance * (1 - chance), 1e-9) / max(len(target) - 1, 1))
    return float(((target[1:] != target[:-1]).mean() - chance) / spread) if len(target) > LEAST_ORDER else 0.0


def apart(own: np.ndarray, wanted: np.ndarray) -> float:
    """Mean distance over the wanted values' spread; infinite for another shape."""
    if own.shape != wanted.shape:
        return float("inf")
    return float(np.abs(own - wanted).mean() / max(np.abs(wanted).mean(), 1e-12))


def share_apart(own: np.ndarray, wanted: np.ndarray) -> str:
    """At how many of the values the two differ by more than a hundredth, in words."""
    if own.shape != wanted.shape:
        return "all"
    return f"{(np.abs(own - wanted) > 10 * ALIKE * np.maximum(np.abs(wanted), 1)).mean():.0%}"


def differ(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    """Whether any of the tensors is not that of the other sequence."""
    return any(not torch.allclose(a, b, rtol=ALIKE, atol=ALIKE) for a, b in zip(one, other, strict=True))


def cross_entropy(logits: np.ndarray, target: np.ndarray, gamma: float) -> float:
    """Mean cross-entropy or focal loss of logits [m, C]."""
    own = logits.astype(float) - logits.max(1, keepdims=True)
    loss = np.log(np.exp(own).sum(1)) - own[np.arange(len(own)), target]
    return float(((1 - np.exp(-loss)) ** gamma * loss).mean())


def huber(pointer: np.ndarray, target: np.ndarray, delta: float) -> float:
    """Mean Huber loss of (center, length) [m, 2] over rows with a target; 0 without one."""
    known = np.isfinite(target[:, 0])
    off = np.abs(pointer[known].astype(float) - target[known])
    loss = np.where(off <= delta, off**2 / 2, delta * (off - delta / 2))
    return float(loss.mean()) if known.any() else 0.0


@dataclass
class AdamW:
    """Loshchilov and Hutter 2019, Algorithm 2, with the constants of torch.optim, on flat weights."""

    weights: np.ndarray
    rate: float
    decay: float
    mean: np.ndarray | float = 0.0
    square: np.ndarray | float = 0.0
    steps: int = 0

    def step(self, gradient: np.ndarray) -> None:
        """Go on by one step."""
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient**2
        mean, square = self.mean / (1 - 0.9**self.steps), self.square / (1 - 0.999**self.steps)
        self.weights = self.weights * (1 - self.rate * self.decay) - self.rate * mean / (np.sqrt(square) + 1e-8)


def of_folds(folds: Sequence[Fold], n: int) -> Iterator[Deviation]:
    """A window has one role in a fit, and each is tested once a repeat."""
    for first, second in (("train", "test"), ("train", "validation"), ("validation", "test")):
        both = max(len(np.intersect1d(getattr(fold, first), getattr(fold, second))) for fold in folds)
        if both:
            yield Deviation(
                "folds", f"up to {both} windows of a fold are in its {ROLES[first]} and in its {ROLES[second]}"
            )
    for repeat in {fold.repeat for fold in folds}:
        tested = np.bincount(np.concatenate([fold.test for fold in folds if fold.repeat == repeat]), minlength=n)
        if (tested != 1).any():
            yield Deviation("folds", f"{(tested != 1).sum()} windows are not tested once in a repeat")
            return
