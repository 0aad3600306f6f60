"""The two tasks' gradients: measured, projected off each other, applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Conflict:
    """One step's gradients on the shared parameters, as tensors that stay on the device.

    norms [2] (class, pointer), cosine, conflict (cosine < 0), projected (cosine < threshold and projection is on), unapplied:
    how far the gradient that the optimiser is given lies from the projected one, as a share of the latter's norm.
    """

    norms: Tensor
    cosine: Tensor
    conflict: Tensor
    projected: Tensor
    unapplied: Tensor


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


def split_backward(
    terms: Tensor, parameters: Sequence[nn.Parameter], shared: Sequence[nn.Parameter], how: Projection
) -> Conflict:
    """Set `.grad` of `parameters` from the two tasks' `terms` [2], projecting on the shared ones as `how` says."""
    each = [torch.autograd.grad(terms[task], parameters, retain_graph=task == 0, allow_unused=True) for task in (0, 1)]
    for parameter, *pair in zip(parameters, *each, strict=True):
        known = [gradient for gradient in pair if gradient is not None]
        parameter.grad = torch.stack(known).sum(0) if known else None
    if not shared:
        zero = terms.new_zeros(())
        return Conflict(terms.new_zeros(2), zero, zero < 0, zero < 0, zero)
    place = {id(parameter): i for i, parameter in enumerate(parameters)}
    flats = [torch.cat([_flat(gradients[place[id(p)]], p) for p in shared]) for gradients in each]
    clear, other, cosine = project(flats[0], flats[1], how.threshold if how.on else -2.0)
    if how.on:
        total = clear + other + (flats[0] + flats[1] if how.accumulated else 0.0)
        for parameter, piece in zip(shared, total.split([p.numel() for p in shared]), strict=True):
            parameter.grad = piece.view_as(parameter)
    projected = (cosine < how.threshold) if how.on else torch.zeros_like(cosine, dtype=torch.bool)
    applied = torch.cat([_flat(parameter.grad, parameter) for parameter in shared])
    wanted = clear + other
    unapplied = (applied - wanted).norm() / wanted.norm().clamp(min=1e-30)
    return Conflict(torch.stack([flat.norm() for flat in flats]), cosine, cosine < 0, projected, unapplied)


def combined(first: Tensor, second: Tensor, shared: int, how: Projection) -> tuple[Tensor, Tensor]:
    """What split_backward does, of R fits at once: the tasks' gradients [R, P], the first `shared` columns those of shared parameters.

    Returns the gradients to apply [R, P] and each fit's Conflict as numbers [R, 6], in the order of its fields.
    """
    total = first + second
    if not shared:
        return total, first.new_zeros(len(first), 6)
    both = [one[:, :shared] for one in (first, second)]
    clear, other, cosine = project(both[0], both[1], how.threshold if how.on else -2.0)
    wanted = clear + other
    if how.on:
        total[:, :shared] = wanted + (both[0] + both[1] if how.accumulated else 0.0)
    unapplied = (total[:, :shared] - wanted).norm(dim=1) / wanted.norm(dim=1).clamp(min=1e-30)
    projected = cosine < how.threshold if how.on else torch.zeros_like(cosine)
    columns = [*(one.norm(dim=1) for one in both), cosine, (cosine < 0).float(), projected.float(), unapplied]
    return total, torch.stack(columns, dim=1)


@dataclass(frozen=True)
class Projection:
    """Whether to project, below which cosine, and the planted fault that adds the raw gradients back."""

    on: bool
    threshold: float = 0.0
    accumulated: bool = False


def _flat(gradient: Tensor | None, parameter: nn.Parameter) -> Tensor:
    return (torch.zeros_like(parameter) if gradient is None else gradient).reshape(-1)
