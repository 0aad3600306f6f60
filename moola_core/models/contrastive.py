"""The contrastive network: two views of a window are to be matched among those of other windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.models.encoders import make_encoder
from moola_core.models.pooling import Pooling
from moola_core.specs import Model


class Contrastive(nn.Module):
    """Encoder, pooling and a two-layer projection to the unit sphere (SimCLR, Chen et al. 2020)."""

    def __init__(self, inputs: int, model: Model, projection_width: int) -> None:
        super().__init__()
        self.encoder = make_encoder(inputs, model)
        self.pooling = Pooling(model.pooling, self.encoder.width)
        self.projection = nn.Sequential(
            nn.Linear(self.encoder.width, self.encoder.width),
            nn.ReLU(),
            nn.Linear(self.encoder.width, projection_width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [batch, K, F] → unit vectors [batch, projection_width]."""
        return functional.normalize(self.projection(self.pooling(self.encoder(x))).float(), dim=1)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """The NT-Xent loss of each of the 2n views [2n], nats, from unit vectors [n, d] of both views (Chen et al. 2020).

    A view's partner is to be distinguished from the 2n − 2 views of other windows; guessing costs ln(2n − 1).
    """
    views = torch.cat([first, second])
    n = len(first)
    likeness = views @ views.T / temperature
    likeness = likeness.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=views.device), float("-inf"))
    partner = torch.arange(2 * n, device=views.device).roll(n)
    return functional.cross_entropy(likeness, partner, reduction="none")
