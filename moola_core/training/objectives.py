"""The losses of the two tasks, and the ways to add them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.specs import Loss

CLASS, POINTER = 0, 1
DWA_TEMPERATURE = 2.0
LOG_VARIANCE_LIMIT = 4.0


def class_loss(logits: Tensor, target: Tensor, focal_gamma: float = 0.0, weight: Tensor | None = None) -> Tensor:
    """Mean cross-entropy, nats; with gamma above 0 the focal loss (Lin et al. 2017).

    logits [..., b, C], target [..., b] → [...]; weight [..., b]: 0 for rows that are not there.
    """
    if focal_gamma == 0 and weight is None and target.ndim == 1:
        return functional.cross_entropy(logits, target)
    entropy = functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").view(target.shape)
    if focal_gamma > 0:
        entropy = (1 - torch.exp(-entropy)) ** focal_gamma * entropy
    return entropy.mean(-1) if weight is None else (entropy * weight).sum(-1) / weight.sum(-1).clamp(min=1)


def pointer_loss(pointer: Tensor, target: Tensor, huber_delta: float) -> Tensor:
    """Mean Huber loss of (center, length) [..., b, 2] over the rows whose target is known (not nan) → [...]; 0 when none is."""
    known = ~torch.isnan(target[..., 0])
    safe = torch.where(known[..., None], target, pointer.detach())
    loss = functional.huber_loss(pointer, safe, delta=huber_delta, reduction="none").mean(-1)
    return loss.sum(-1) / known.sum(-1).clamp(min=1)


class Weighting(nn.Module):
    """How the tasks' losses become the terms that are added. Also told each epoch's mean losses."""

    def forward(self, losses: Tensor) -> Tensor:
        """losses [..., 2] (class, pointer) → weighted terms [..., 2]."""
        raise NotImplementedError

    def end_epoch(self, means: tuple[float, float]) -> None:
        """Take notice of an epoch's mean losses."""

    def sigmas(self) -> tuple[float, float] | None:
        """σ of class and pointer where they are learned."""
        return None


class Fixed(Weighting):
    """λ · loss."""

    def __init__(self, lambda_class: float, lambda_pointer: float) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor([lambda_class, lambda_pointer]))

    def forward(self, losses: Tensor) -> Tensor:
        return self.weight * losses


class Uncertainty(Weighting):
    """Kendall, Gal and Cipolla 2018, s = log σ²: exp(−s)·L + s/2 for the class, ½·exp(−s)·L + s/2 for the pointer."""

    def __init__(self) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(2))
        self.factor: Tensor
        self.register_buffer("factor", torch.tensor([1.0, 0.5]))

    def forward(self, losses: Tensor) -> Tensor:
        s = self.log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
        return self.factor * torch.exp(-s) * losses + 0.5 * s

    def sigmas(self) -> tuple[float, float]:
        s = self.log_variance.detach().clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
        first, second = torch.exp(0.5 * s).tolist()
        return first, second


class Equal(Weighting):
    """Each loss over its mean in the first epoch, so that both start at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(2))
        self.known = False

    def forward(self, losses: Tensor) -> Tensor:
        return losses / self.scale

    def end_epoch(self, means: tuple[float, float]) -> None:
        if not self.known:
            self.scale.copy_(torch.tensor([max(value, 1e-8) for value in means]))
            self.known = True


class DynamicAverage(Weighting):
    """DWA (Liu, Johns and Davison 2019): weights 2·softmax(r / T), r the ratio of the last two epochs' losses."""

    def __init__(self) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.ones(2))
        self.history: list[tuple[float, float]] = []

    def forward(self, losses: Tensor) -> Tensor:
        return self.weight * losses

    def end_epoch(self, means: tuple[float, float]) -> None:
        self.history.append(means)
        if len(self.history) >= 2:
            now, before = self.history[-1], self.history[-2]
            rates = [math.exp(a / max(b, 1e-8) / DWA_TEMPERATURE) for a, b in zip(now, before, strict=True)]
            self.weight.copy_(torch.tensor([2 * rate / sum(rates) for rate in rates]))


def make_weighting(loss: Loss) -> Weighting:
    """The weighting that the spec names."""
    if loss.weighting == "fixed":
        return Fixed(loss.lambda_class, loss.lambda_pointer)
    return {"uncertainty": Uncertainty, "equal": Equal, "dwa": DynamicAverage}[loss.weighting]()
