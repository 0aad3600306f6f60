"""The two tasks' gradients: measured, projected off each other, applied."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def project(first: Tensor, second: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """PCGrad (Yu et al. 2020) for two tasks: each flat gradient off the other where their cosine is below `threshold`.

    Gradients [..., P], each row for itself. A threshold of 0 is the paper's. Returns both gradients and the cosine [...] (0
    when either gradient is 0).
    """
    dot = torch.linalg.vecdot(first, second)
    own, others = torch.linalg.vecdot(first, first), torch.linalg.vecdot(second, second)
    product = (own * others).sqrt()
    cosine = torch.where(product > 0, dot / product.clamp(min=1e-30), torch.zeros_like(dot))
    amount = torch.where((cosine < threshold) & (product > 0), dot, torch.zeros_like(dot))
    clear = first - (amount / others.clamp(min=1e-30))[..., None] * second
    other = second - (amount / own.clamp(min=1e-30))[..., None] * first
    return clear, other, cosine


def combined(first: Tensor, second: Tensor, shared: int, projection: Projection) -> tuple[Tensor, Tensor]:
    """The gradient of the two tasks together: of R fits, the tasks' own [R, P], the first `shared` columns those of shared parameters.

    Returns the gradients to apply [R, P] and, of the shared parameters, six numbers a fit [R, 6]: the norms of class and pointer, cosine,
    whether it is below 0, whether it is below the threshold where `projection` is on, and how far the gradient that is applied lies from the
    projected one, as a share of the latter's norm.
    """
    total = first + second
    if not shared:
        return total, first.new_zeros(len(first), 6)
    both = [one[:, :shared] for one in (first, second)]
    clear, other, cosine = project(both[0], both[1], projection.threshold if projection.on else -2.0)
    wanted = clear + other
    if projection.on:
        total[:, :shared] = wanted + (both[0] + both[1] if projection.accumulated else 0.0)
    unapplied = (total[:, :shared] - wanted).norm(dim=1) / wanted.norm(dim=1).clamp(min=1e-30)
    projected = cosine < projection.threshold if projection.on else torch.zeros_like(cosine)
    columns = [*(one.norm(dim=1) for one in both), cosine, (cosine < 0).float(), projected.float(), unapplied]
    return total, torch.stack(columns, dim=1)


@dataclass(frozen=True)
class Projection:
    """Whether to project, below which cosine, and the planted fault that adds the raw gradients back."""

    on: bool
    threshold: float = 0.0
    accumulated: bool = False
