"""Fixed weights."""

from __future__ import annotations

import torch
from torch import Tensor

from moola_core.specs import Loss
from moola_core.training.weightings.weighting import WEIGHTINGS, Weighting


@WEIGHTINGS.register("fixed")
class Fixed(Weighting):
    """λ · loss."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor([loss.class_weight, loss.pointer_weight]))

    def forward(self, losses: Tensor) -> Tensor:
        return self.weight * losses
