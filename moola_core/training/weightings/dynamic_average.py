"""Weights that follow how fast each loss falls."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from moola_core.specs import Loss
from moola_core.training.weightings.weighting import WEIGHTINGS, Weighting

TEMPERATURE = 2.0


@WEIGHTINGS.register("dwa")
class DynamicAverage(Weighting):
    """DWA (Liu, Johns and Davison 2019): weights 2·softmax(r / T), r the ratio of the last two epochs' losses."""

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.weight: Tensor
        self.before: Tensor
        self.register_buffer("weight", torch.ones(2))
        self.register_buffer("before", torch.full((2,), torch.nan))  # the last epoch's losses

    def forward(self, losses: Tensor) -> Tensor:
        return self.weight * losses

    def end_epoch(self, means: tuple[float, float]) -> None:
        before = self.before.tolist()
        self.before.copy_(torch.tensor(means))
        if not any(math.isnan(loss) for loss in before):
            rates = [math.exp(a / max(b, 1e-8) / TEMPERATURE) for a, b in zip(means, before, strict=True)]
            self.weight.copy_(torch.tensor([2 * rate / sum(rates) for rate in rates]))
