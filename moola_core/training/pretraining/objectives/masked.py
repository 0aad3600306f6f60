"""Hidden bars are reconstructed from the others."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.models.autoencoder import MaskedAutoencoder, draw_hidden
from moola_core.specs import Pretrain
from moola_core.specs.objectives import RULES
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.objectives.objective import (
    OBJECTIVES,
    Batch,
    PretrainingObjective,
    ReconstructionErrors,
    Validation,
)

EXAMPLES = 6
NOISE_MEAN = math.sqrt(2 / math.pi)  # mean size of a standard normal number


@OBJECTIVES.register("masked")
class MaskedObjective(PretrainingObjective):
    """Huber loss on hidden, valid bars (Zerveas et al. 2021)."""

    rules = RULES["masked"]

    def __init__(self, spec: Pretrain, windows: BarWindows) -> None:
        super().__init__(spec, windows)
        self.jitter = torch.full_like(windows.std, spec.training.jitter_std) / windows.std
        self.jittered = spec.training.jitter_std > 0

    def make_network(self, inputs: int) -> nn.Module:
        return MaskedAutoencoder(inputs, self.spec.model)

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> Batch:
        """x [m, K, F] (jittered), hidden [m, K], counted [m, K]: hidden bars whose features are settled."""
        x = self.windows.take(first)
        if self.jittered:
            x = x + self.jitter * torch.randn(x.shape, generator=draw, device=draw.device)
        shape = (x.shape[0], x.shape[1])
        hidden = draw_hidden(shape, self.settings.mask_frac, self.settings.mask_block_bars, draw)
        return {"x": x, "hidden": hidden, "counted": hidden & self.windows.valid(first)}

    def reconstruct(self, batch: Batch, wanted: Tensor | None = None) -> Tensor:
        """What the network makes of the batch (at the `wanted` bars), hidden bars covered unless the fault is planted."""
        visible = self.spec.faults.unmasked_input
        covered = torch.zeros_like(batch["hidden"]) if visible else batch["hidden"]
        return self.network(batch["x"], covered, wanted)

    def count(self, batch: Batch) -> Tensor:
        return batch["counted"].sum()

    def loss(self, batch: Batch) -> Tensor:
        counted = batch["counted"]
        guess, truth = self.reconstruct(batch, counted).float(), batch["x"][counted]
        total = functional.huber_loss(guess, truth, reduction="sum", delta=self.settings.huber_delta)
        return total / truth.shape[1]

    def evaluate(self, batches: Iterable[tuple[np.ndarray, Batch]], train: np.ndarray) -> Validation:
        windows = self.windows
        parts: list[Tensor] = []
        counts: list[Tensor] = []
        examples: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
        for rows, batch in batches:
            truth, counted = batch["x"], batch["counted"]
            guess = self.reconstruct(batch).float()
            guesses = (
                guess,
                self.network(truth, batch["hidden"]).float(),
                torch.zeros_like(truth),
                last_observation(batch),
            )
            parts.append(torch.stack([((one - truth).abs() * counted[:, :, None]).double().sum(1) for one in guesses]))
            counts.append(counted.double().sum(1))
            for i in range(min(EXAMPLES - len(examples), len(rows))):
                pair = [(part[i] * windows.std + windows.mean).cpu().numpy() for part in (truth, guess)]
                examples.append((int(rows[i]), pair[0], pair[1], batch["hidden"][i].cpu().numpy()))
        # [4, n, F] sums of errors over the hidden bars of each window, and [n] the number of these bars
        sums, count = (torch.cat(parts, 1) * windows.std.double()).cpu().numpy(), torch.cat(counts).cpu().numpy()
        whole = max(count.sum(), 1)
        model, covered, mean, carry = sums.sum(1) / whole
        floor = np.full(len(windows.features), self.spec.training.jitter_std * NOISE_MEAN)
        trivial = 2 if mean.mean() <= carry.mean() else 3
        gain = (sums[trivial] - sums[0]).mean(1)
        gains = gain.sum() / whole + (gain - count * gain.sum() / whole) * len(count) / whole
        return Validation(errors=ReconstructionErrors(model, covered, mean, carry, floor, gains, tuple(examples)))


def last_observation(batch: Batch) -> Tensor:
    """Each bar's last visible bar [m, K, F]; 0, the mean, where none came before."""
    x, hidden = batch["x"], batch["hidden"]
    bars = torch.arange(x.shape[1], device=x.device).expand(hidden.shape)
    last = torch.where(hidden, -1, bars).cummax(1).values
    return torch.where((last < 0)[:, :, None], 0.0, x.gather(1, last.clamp(min=0)[:, :, None].expand_as(x)))
