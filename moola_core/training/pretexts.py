"""What pre-training asks of the encoder: the objectives, one class each."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.models.autoencoder import MaskedAutoencoder, draw_hidden
from moola_core.models.contrastive import Contrastive, nt_xent
from moola_core.models.outcome import OutcomeClassifier
from moola_core.specs import Objective, Pretrain
from moola_core.training.bar_windows import BarWindows

WARP_KNOTS = 4


class Pretext(Protocol):
    """An objective: its network, the batches that it is trained on, and their loss."""

    network: nn.Module
    windows: BarWindows

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> dict[str, Tensor]:
        """The batch of the windows at bars `first` [m]: tensors whose first dimension is m."""
        ...

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The sum of the batch's losses and how many there are; parts of a batch add up."""
        ...


class Masked:
    """Hidden bars are reconstructed from the others: Huber loss on hidden, valid bars (Zerveas et al. 2021)."""

    def __init__(self, spec: Pretrain, windows: BarWindows) -> None:
        self.windows, self.objective, self.faults = windows, spec.objective, spec.faults
        self.jitter = torch.full_like(windows.std, spec.training.jitter_std) / windows.std
        self.jittered = spec.training.jitter_std > 0
        self.network = MaskedAutoencoder(len(windows.features), spec.model)

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> dict[str, Tensor]:
        """x [m, K, F] (jittered), hidden [m, K], counted [m, K]: hidden bars whose features are settled."""
        x = self.windows.take(first)
        if self.jittered:
            x = x + self.jitter * torch.randn(x.shape, generator=draw, device=draw.device)
        shape = (x.shape[0], x.shape[1])
        hidden = draw_hidden(shape, self.objective.mask_frac, self.objective.mask_block_bars, draw)
        return {"x": x, "hidden": hidden, "counted": hidden & self.windows.valid(first)}

    def reconstruct(self, batch: dict[str, Tensor], wanted: Tensor | None = None) -> Tensor:
        """What the network makes of the batch (at the `wanted` bars), hidden bars covered unless the fault is planted."""
        covered = torch.zeros_like(batch["hidden"]) if self.faults.unmasked_input else batch["hidden"]
        return self.network(batch["x"], covered, wanted)

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        counted = batch["counted"]
        guess, truth = self.reconstruct(batch, counted).float(), batch["x"][counted]
        total = functional.huber_loss(guess, truth, reduction="sum", delta=self.objective.huber_delta)
        return total / truth.shape[1], counted.sum()


class TwoViews:
    """Two views of a window, made on its prices and rebuilt into features, are to be recognised (Chen et al. 2020)."""

    def __init__(self, spec: Pretrain, windows: BarWindows) -> None:
        self.windows, self.objective = windows, spec.objective
        self.network = Contrastive(len(windows.features), spec.model, spec.objective.projection_width)

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> dict[str, Tensor]:
        """Both views [m, K, F]."""
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=draw, device=draw.device)))
        return {name: self._view(first, rng) for name in ("first", "second")}

    def _view(self, first: np.ndarray, rng: np.random.Generator) -> Tensor:
        shift = rng.integers(0, self.objective.view_shift_bars + 1, len(first))
        prices = alter(self.windows.prices(np.asarray(first) + shift), self.objective, rng)
        return (self.windows.of_prices(prices) - self.windows.mean) / self.windows.std

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        each = nt_xent(self.network(batch["first"]), self.network(batch["second"]), self.objective.temperature)
        return each.sum(), each.new_tensor(float(len(each)))


def alter(prices: np.ndarray, objective: Objective, rng: np.random.Generator) -> np.ndarray:
    """Prices [m, K, 4] with moves resized by a slow random factor and bars disturbed; each bar stays a bar.

    After the magnitude warping and jitter of Um et al. 2017.
    """
    m, length = prices.shape[:2]
    knots = 1 + objective.view_warp * rng.uniform(-1, 1, (m, WARP_KNOTS))
    place = np.linspace(0, WARP_KNOTS - 1, length)
    low = np.minimum(place.astype(int), WARP_KNOTS - 2)
    factor = knots[:, low] + (knots[:, low + 1] - knots[:, low]) * (place - low)
    before = np.concatenate([prices[:, :1, 3], prices[:, :-1, 3]], axis=1)
    close = before[:, :1] + np.cumsum((prices[:, :, 3] - before) * factor, axis=1)
    base = np.concatenate([before[:, :1], close[:, :-1]], axis=1)
    warped = base[:, :, None] + (prices - before[:, :, None]) * factor[:, :, None]
    size = (prices[:, :, 1] - prices[:, :, 2]).mean(1)[:, None, None]
    noisy = warped + objective.view_noise * size * rng.standard_normal(warped.shape)
    noisy[:, :, 1] = noisy.max(2)
    noisy[:, :, 2] = noisy.min(2)
    return noisy


class Outcome:
    """Which barrier the bars after a window touch first: a label that the bars give for free (López de Prado 2018).

    Only bars after the window are looked at, and training windows whose horizon would reach into validation are left out.
    """

    def __init__(self, spec: Pretrain, windows: BarWindows) -> None:
        self.windows, self.objective = windows, spec.objective
        self.network = OutcomeClassifier(len(windows.features), spec.model)

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> dict[str, Tensor]:
        """x [m, K, F] and outcome [m]."""
        target = torch.from_numpy(outcomes(self.windows, first, self.objective)).to(self.windows.device)
        return {"x": self.windows.take(first), "outcome": target}

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        each = functional.cross_entropy(self.network(batch["x"]).float(), batch["outcome"], reduction="none")
        return each.sum(), each.new_tensor(float(len(each)))


def outcomes(windows: BarWindows, first: np.ndarray, objective: Objective) -> np.ndarray:
    """0 down, 1 neither, 2 up [m]: which barrier the highs and lows after the window touch first.

    Both lie `barrier_ranges` mean ranges of the window from its last close; a bar that touches both counts as neither.
    """
    length = windows.window_bars
    inside = windows.prices(first)
    after = windows.prices(np.asarray(first) + length, objective.horizon_bars)
    reach = objective.barrier_ranges * (inside[:, :, 1] - inside[:, :, 2]).mean(1)
    close = inside[:, -1, 3]
    never = objective.horizon_bars
    up = _first(after[:, :, 1] >= (close + reach)[:, None], never)
    down = _first(after[:, :, 2] <= (close - reach)[:, None], never)
    return np.where(up < down, 2, np.where(down < up, 0, 1))


def _first(hit: np.ndarray, never: int) -> np.ndarray:
    return np.where(hit.any(1), hit.argmax(1), never)


PRETEXTS: dict[str, Any] = {"masked": Masked, "contrastive": TwoViews, "supervised": Outcome}


def make_pretext(spec: Pretrain, windows: BarWindows) -> Pretext:
    """The objective that the spec names, its network on the windows' device."""
    pretext: Pretext = PRETEXTS[spec.objective.name](spec, windows)
    pretext.network.to(windows.device)
    return pretext
