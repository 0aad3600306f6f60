"""The losses of the two tasks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from moola_core.models.multitask import Outputs
from moola_core.models.spans import span_loss


def class_loss(logits: Tensor, target: Tensor, focal_gamma: float = 0.0, weight: Tensor | None = None) -> Tensor:
    """Mean cross-entropy, nats; with gamma above 0 the focal loss (Lin et al. 2017).

    logits [..., b, C], target [..., b] → [...]; weight [..., b]: 0 for rows that are not there.
    """
    entropy = functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").view(target.shape)
    if focal_gamma > 0:
        entropy = (1 - torch.exp(-entropy)) ** focal_gamma * entropy
    return entropy.mean(-1) if weight is None else (entropy * weight).sum(-1) / weight.sum(-1).clamp(min=1)


def located_loss(outputs: Outputs, target: Tensor, huber_delta: float) -> Tensor:
    """The loss of the pointers [...]: of spans where the network scores them, else of center and length; target [..., b, 2]."""
    if outputs.spans is not None:
        return span_loss(outputs.spans, target)
    assert outputs.pointer is not None
    return pointer_loss(outputs.pointer.float(), target, huber_delta)


def pointer_loss(pointer: Tensor, target: Tensor, huber_delta: float) -> Tensor:
    """Mean Huber loss of (center, length) [..., b, 2] over the rows whose target is known (not nan) → [...]; 0 when none is."""
    known = ~torch.isnan(target[..., 0])
    safe = torch.where(known[..., None], target, pointer.detach())
    loss = functional.huber_loss(pointer, safe, delta=huber_delta, reduction="none").mean(-1)
    return loss.sum(-1) / known.sum(-1).clamp(min=1)
