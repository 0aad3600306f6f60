"""Weights learned from each task's uncertainty."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moola_core.specs import Loss
from moola_core.training.weightings.weighting import WEIGHTINGS, Weighting

LOG_VARIANCE_LIMIT = 12.0  # σ between 1/403 and 403: far beyond what losses imply, and far from where exp overflows


@WEIGHTINGS.register("uncertainty")
class Uncertainty(Weighting):
    """Kendall, Gal and Cipolla 2018, s = log σ²: exp(−s)·L + s/2 for the class, ½·exp(−s)·L + s/2 for the pointer.

    s is kept within ±12 after each step and never clamped in `forward`: a clamped s has no gradient and would never come back.
    """

    def __init__(self, loss: Loss | None = None) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(2))
        self.factor: Tensor
        self.register_buffer("factor", torch.tensor([1.0, 0.5]))

    def forward(self, losses: Tensor) -> Tensor:
        s = self.log_variance
        return self.factor * torch.exp(-s) * losses + 0.5 * s

    @torch.no_grad()
    def limit(self) -> Tensor:
        reached = self.log_variance.abs().amax() >= LOG_VARIANCE_LIMIT
        self.log_variance.copy_(self.log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT))
        return reached

    def sigmas(self) -> Tensor:
        return torch.exp(0.5 * self.log_variance.detach())
