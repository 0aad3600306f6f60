"""From a vector for each bar to one for the window."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Pooling(nn.Module):
    """[batch, K, width] → [batch, width]: mean over positions, the two directions' last states, or learned attention."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.name = name
        self.score = nn.Linear(width, 1) if name == "attention" else None

    def forward(self, sequence: Tensor) -> Tensor:
        if self.name == "mean":
            return sequence.mean(1)
        if self.score is not None:
            return (torch.softmax(self.score(sequence), dim=1) * sequence).sum(1)
        half = sequence.shape[2] // 2
        return torch.cat([sequence[:, -1, :half], sequence[:, 0, half:]], dim=1)
