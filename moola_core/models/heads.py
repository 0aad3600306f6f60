"""What the pooled sequence is turned into: class logits, and the pointer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EDGE = 1e-3  # a constant prediction is kept so far from 0 and 1, where a sigmoid no longer learns


class ClassHead(nn.Module):
    """[batch, width] → logits [batch, classes], exactly as many as there are classes."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, classes)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.linear(pooled)


class PointerHead(nn.Module):
    """The pooled vector [batch, width] → (center, length) [batch, 2] as fractions of the window, by a sigmoid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2)

    def init_bias(self, center: float, length: float) -> None:
        """Let training begin near a constant prediction, so that early stopping need not wait for it."""
        with torch.no_grad():
            self.linear.bias.copy_(torch.logit(torch.tensor([center, length]), eps=EDGE))

    def forward(self, pooled: Tensor, sequence: Tensor) -> Tensor:
        return torch.sigmoid(self.linear(pooled))


class PositionHead(nn.Module):
    """Center as the mean position under a softmax over the bars (soft-argmax, Luvizon et al. 2019); length as above.

    A pooled vector has lost where things happened; this head scores each bar of the sequence [batch, K, sequence_width].
    """

    def __init__(self, width: int, sequence_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)
        self.score = nn.Linear(sequence_width, 1)

    def init_bias(self, center: float, length: float) -> None:
        """Let the length begin at a constant prediction; the center begins near the middle, without a setting."""
        with torch.no_grad():
            self.linear.bias.copy_(torch.logit(torch.tensor([length]), eps=EDGE))

    def forward(self, pooled: Tensor, sequence: Tensor) -> Tensor:
        bars = torch.arange(sequence.shape[1], device=sequence.device, dtype=sequence.dtype) / sequence.shape[1]
        center = torch.softmax(self.score(sequence).squeeze(2), dim=1) @ bars
        return torch.stack([center, torch.sigmoid(self.linear(pooled).squeeze(1))], dim=1)
