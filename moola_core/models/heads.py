"""What the encoder's states are turned into: class logits, and the pointer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.models.spans import LENGTH_BINS, PLACE_BINS, log_priors, span_scores

START_SHARE = 0.1  # of the usual start of a linear layer
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

    def init_from(self, pointers: Tensor) -> None:
        """Let training begin near the median of training pointers [n, 2], so that early stopping need not wait for it."""
        with torch.no_grad():
            self.linear.bias.copy_(torch.logit(_median(pointers), eps=EDGE))

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

    def init_from(self, pointers: Tensor) -> None:
        """Let the length begin at the median of training pointers [n, 2]; the center begins near the middle, without a setting."""
        with torch.no_grad():
            self.linear.bias.copy_(torch.logit(_median(pointers)[1:], eps=EDGE))

    def forward(self, pooled: Tensor, sequence: Tensor) -> Tensor:
        bars = torch.arange(sequence.shape[1], device=sequence.device, dtype=sequence.dtype) / sequence.shape[1]
        center = torch.softmax(self.score(sequence).squeeze(2), dim=1) @ bars
        return torch.stack([center, torch.sigmoid(self.linear(pooled).squeeze(1))], dim=1)


class SpanHead(nn.Module):
    """Scores of each bar to be the first, to be the last and to lie inside, which add up to scores of spans.

    Length and place have the training labels' own distribution as a prior.
    """

    def __init__(self, sequence_width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(sequence_width, 3, bias=False)  # a softmax over spans is blind to one of first or last
        self.length_prior: Tensor
        self.place_prior: Tensor
        self.register_buffer("length_prior", torch.zeros(LENGTH_BINS))
        self.register_buffer("place_prior", torch.zeros(PLACE_BINS))

    def init_from(self, pointers: Tensor) -> None:
        """Take the priors from training pointers [n, 2]; scores begin small, so that training begins near them."""
        for buffer, prior in zip((self.length_prior, self.place_prior), log_priors(pointers), strict=True):
            buffer.copy_(prior)
        with torch.no_grad():
            self.linear.weight.mul_(START_SHARE)

    def forward(self, sequence: Tensor) -> Tensor:
        """[batch, K, width] → scores [batch, K, K] of spans by first bar and length."""
        return span_scores(self.linear(sequence).float(), self.length_prior, self.place_prior)


def _median(pointers: Tensor) -> Tensor:
    return torch.nanquantile(pointers, 0.5, dim=0)


def to_bars(pointer: np.ndarray, window_bars: int) -> np.ndarray:
    """(center, length) fractions [m, 2] → (start, end) bars [m, 2], held inside the window."""
    center, half = pointer[:, 0] * window_bars, pointer[:, 1] * window_bars / 2
    return np.clip(np.stack([center - half, center + half], axis=1), 0, window_bars - 1)
