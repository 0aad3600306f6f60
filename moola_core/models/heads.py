"""What the pooled sequence is turned into: class logits, and the pointer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassHead(nn.Module):
    """[batch, width] → logits [batch, classes], exactly as many as there are classes."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.linear(pooled)


class PointerHead(nn.Module):
    """[batch, width] → (center, length) [batch, 2] as fractions of the window, by a sigmoid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def forward(self, pooled: Tensor) -> Tensor:
        return torch.sigmoid(self.linear(pooled))
