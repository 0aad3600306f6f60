"""The weights of many fits as one matrix, and AdamW on its rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.training.fit import Fit, Rate
from moola_core.training.schedule import WEIGHTING

MEAN_RATE, SQUARE_RATE, EPSILON = 0.1, 0.001, 1e-8  # AdamW's 1 − β₁, 1 − β₂ and ε, torch's defaults


class Stacked:
    """R fits: `matrix` [R, P] holds every parameter, `views` shows it by name as [R, *shape] with gradients of its own.

    Columns are ordered by the schedule's parts (encoder first, learned weighting last); `columns` says which are whose. `buffers` by
    name; `best` is the selected epoch's matrix and buffers.
    """

    def __init__(self, fits: Sequence[Fit], device: str) -> None:
        every = [_parts(fit) for fit in fits]
        self.parts = {part: list(named) for part, named in every[0].items() if named}
        self.shapes = {name: tensor.shape for named in every[0].values() for name, tensor in named.items()}
        rows = [torch.cat([p.detach().flatten() for named in one.values() for p in named.values()]) for one in every]
        self.matrix = torch.stack(rows).to(device)
        held = [dict(fit.model.named_buffers()) for fit in fits]
        self.buffers = {name: torch.stack([one[name] for one in held]).to(device) for name in held[0]}
        self.best = self.matrix.clone(), {name: buffer.clone() for name, buffer in self.buffers.items()}
        sizes = {part: sum(self.shapes[name].numel() for name in names) for part, names in self.parts.items()}
        edges = np.r_[0, np.cumsum(list(sizes.values()))].tolist()
        self.columns = {part: slice(a, b) for part, (a, b) in zip(sizes, pairwise(edges), strict=True)}
        self.views = self.named(self.matrix)

    def named(self, matrix: Tensor) -> dict[str, Tensor]:
        """A matrix [m, P] of such rows by name, as views without history: [m, *shape]."""
        pieces = matrix.detach().split([shape.numel() for shape in self.shapes.values()], dim=1)
        return {
            name: piece.view(len(matrix), *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def train(self, parts: Sequence[str]) -> list[str]:
        """Let these parts alone have gradients; the names of their parameters, in the order of the columns."""
        names = [name for part, names in self.parts.items() if part in parts for name in names]
        for name, view in self.views.items():
            view.requires_grad_(name in names)
        return names

    def trained(self) -> list[Tensor]:
        """What belongs to the networks: the matrix without what the weighting learns, and the buffers."""
        own = max((columns.stop for part, columns in self.columns.items() if part != WEIGHTING), default=0)
        return [self.matrix[:, :own], *self.buffers.values()]

    def keep(self, better: Tensor) -> None:
        """Remember the present weights of the fits that are `better` [R] as their best."""
        matrix, buffers = self.best
        matrix.copy_(torch.where(better[:, None], self.matrix, matrix))
        for name, buffer in self.buffers.items():
            rows = better.view(-1, *[1] * (buffer.ndim - 1))
            buffers[name].copy_(torch.where(rows, buffer, buffers[name]))

    def state(self, rows: Sequence[int], best: bool = True) -> dict[str, Tensor]:
        """The best or the present weights and buffers of some fits by name, [m, *shape], copied."""
        index = torch.tensor(rows, device=self.matrix.device)
        matrix, buffers = self.best if best else (self.matrix, self.buffers)
        return self.named(matrix[index]) | {name: buffer[index] for name, buffer in buffers.items()}

    def select(self, rows: Tensor) -> None:
        """Go on with these fits alone."""
        matrix, buffers = self.best
        self.matrix = self.matrix[rows]
        self.best = matrix[rows], {name: buffer[rows] for name, buffer in buffers.items()}
        self.buffers = {name: buffer[rows] for name, buffer in self.buffers.items()}
        self.views = self.named(self.matrix)


def unstacked(weights: dict[str, Tensor], row: int, model: nn.Module) -> dict[str, np.ndarray]:
    """One fit's weights as `weights_of` its model would give them."""
    return {name: weights[name][row].cpu().numpy().copy() for name in model.state_dict()}


def _parts(fit: Fit) -> dict[str, dict[str, nn.Parameter]]:
    learned = {f"{WEIGHTING}.{name}": parameter for name, parameter in fit.weighting.learned().items()}
    return fit.unfreezing.parts | {WEIGHTING: learned}


class RowAdamW:
    """AdamW (Loshchilov and Hutter 2019) on a matrix whose rows count their own steps: torch.optim has one count for all."""

    def __init__(self, stacked: Stacked) -> None:
        self.mean, self.square = torch.zeros_like(stacked.matrix), torch.zeros_like(stacked.matrix)
        count = stacked.matrix.new_zeros(len(stacked.matrix), 1, dtype=torch.float64)
        self.steps = {part: count.clone() for part in stacked.columns}

    @torch.no_grad()
    def update(self, stacked: Stacked, part: str, gradient: Tensor, rate: Rate, live: Tensor) -> None:
        """One step of a part's columns by `gradient` [R, columns]; rows whose `live` [R, 1] is 0 keep their bits."""
        learning, columns = rate.learning, stacked.columns[part]
        weights, mean, square = stacked.matrix[:, columns], self.mean[:, columns], self.square[:, columns]
        steps = self.steps[part].add_(live).clamp(min=1)
        first = (1 - (1 - MEAN_RATE) ** steps).float()
        second = (1 - (1 - SQUARE_RATE) ** steps).sqrt().float()
        weights.mul_(1 - learning * rate.decay * live)
        mean.lerp_(gradient, MEAN_RATE * live)
        square.lerp_(gradient * gradient, SQUARE_RATE * live)
        weights.sub_(learning * live / first * mean / (square.sqrt() / second).add_(EPSILON))

    def select(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        self.mean, self.square = self.mean[rows], self.square[rows]
        self.steps = {part: count[rows] for part, count in self.steps.items()}
