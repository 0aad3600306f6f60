"""Two views of a window are to be matched among those of other windows."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.models.contrastive import Contrastive, nt_xent
from moola_core.specs import Objective
from moola_core.specs.objectives import RULES
from moola_core.training.pretraining.objectives.objective import (
    OBJECTIVES,
    Batch,
    PretrainingObjective,
    Validation,
    ValidationMeasure,
)

WARP_KNOTS = 4


@OBJECTIVES.register("contrastive")
class ContrastiveObjective(PretrainingObjective):
    """NT-Xent on two views that are made on a window's prices and rebuilt into features (Chen et al. 2020)."""

    rules = RULES["contrastive"]
    compares_windows = True

    def make_network(self, inputs: int) -> nn.Module:
        return Contrastive(inputs, self.spec.model, self.settings.projection_width)

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> Batch:
        """Both views [m, K, F]."""
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=draw, device=draw.device)))
        return {name: self._view(first, rng) for name in ("first", "second")}

    def _view(self, first: np.ndarray, rng: np.random.Generator) -> Tensor:
        shift = rng.integers(0, self.settings.augment_shift_bars + 1, len(first))
        prices = alter(self.windows.prices(np.asarray(first) + shift), self.settings, rng)
        return (self.windows.of_prices(prices) - self.windows.mean) / self.windows.std

    def count(self, batch: Batch) -> Tensor:
        """Each of the two views of a window has a loss."""
        return torch.tensor(2.0 * len(batch["first"]), device=batch["first"].device)

    def loss(self, batch: Batch) -> Tensor:
        return nt_xent(self.network(batch["first"]), self.network(batch["second"]), self.settings.temperature).sum()

    def evaluate(self, batches: Iterable[tuple[np.ndarray, Batch]], train: np.ndarray) -> Validation:
        # of each window: the loss over its two views, whether the other view was recognised, and both by guessing
        columns: list[np.ndarray] = []
        for rows, batch in batches:
            n = len(rows)
            first, second = self.network(batch["first"]), self.network(batch["second"])
            loss = nt_xent(first, second, self.settings.temperature).double().cpu().numpy().reshape(2, n).mean(0)
            right = ((first @ second.T).argmax(1).cpu() == torch.arange(n)).numpy()
            columns.append(np.stack([loss, right, np.full(n, math.log(max(2 * n - 1, 1))), np.full(n, 1 / n)]))
        loss, right, guessed, chance = np.concatenate(columns, axis=1)
        return Validation(
            (
                ValidationMeasure("NT-Xent, nats", float(loss.mean()), float(guessed.mean()), "lower", guessed - loss),
                ValidationMeasure(
                    "other view found first", float(right.mean()), float(chance.mean()), "higher", right - chance
                ),
            )
        )


def alter(prices: np.ndarray, settings: Objective, rng: np.random.Generator) -> np.ndarray:
    """Prices [m, K, 4] with moves resized by a slow random factor and bars disturbed; each bar stays a bar.

    After the magnitude warping and jitter of Um et al. 2017.
    """
    m, length = prices.shape[:2]
    knots = 1 + settings.augment_warp * rng.uniform(-1, 1, (m, WARP_KNOTS))
    place = np.linspace(0, WARP_KNOTS - 1, length)
    low = np.minimum(place.astype(int), WARP_KNOTS - 2)
    factor = knots[:, low] + (knots[:, low + 1] - knots[:, low]) * (place - low)
    before = np.concatenate([prices[:, :1, 3], prices[:, :-1, 3]], axis=1)
    close = before[:, :1] + np.cumsum((prices[:, :, 3] - before) * factor, axis=1)
    base = np.concatenate([before[:, :1], close[:, :-1]], axis=1)
    warped = base[:, :, None] + (prices - before[:, :, None]) * factor[:, :, None]
    size = (prices[:, :, 1] - prices[:, :, 2]).mean(1)[:, None, None]
    noisy = warped + settings.augment_noise * size * rng.standard_normal(warped.shape)
    noisy[:, :, 1] = noisy.max(2)
    noisy[:, :, 2] = noisy.min(2)
    return noisy
