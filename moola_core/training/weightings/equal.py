"""Losses brought to one scale."""

from __future__ import annotations

import torch
from torch import Tensor

from moola_core.specs import Loss
from moola_core.training.weightings.weighting import WEIGHTINGS, Weighting


@WEIGHTINGS.register("equal")
class Equal(Weighting):
    """Each loss over its mean in the first epoch, so that both start at 1."""

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.scale: Tensor
        self.known: Tensor
        self.register_buffer("scale", torch.ones(2))
        self.register_buffer("known", torch.tensor(False))

    def forward(self, losses: Tensor) -> Tensor:
        return losses / self.scale

    def end_epoch(self, means: tuple[float, float]) -> None:
        if not self.known:
            self.scale.copy_(torch.tensor([max(value, 1e-8) for value in means]))
            self.known.fill_(True)
