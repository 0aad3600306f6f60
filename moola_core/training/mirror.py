"""Windows turned upside down: rising and falling prices then look alike to what is trained."""

from __future__ import annotations

import torch
from torch import Tensor

OPEN, HIGH, LOW, CLOSE = range(4)


def mirrored(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """The price path of mirrored windows, [..., b, K, 4], from the standardised one and its scale, [..., 4]: rises become falls, highs lows."""
    mean, std = mean[..., None, None, :], std[..., None, None, :]
    return (-(x * std + mean)[..., [OPEN, LOW, HIGH, CLOSE]] - mean) / std


def draw(share: float, count: int, stream: torch.Generator) -> Tensor:
    """Which of `count` windows are mirrored, bool [count]."""
    return torch.rand(count, generator=stream, device=stream.device) < share
