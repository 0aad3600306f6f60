"""The masked autoencoder: hidden bars are reconstructed from those around them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moola_core.models.encoders import make_encoder
from moola_core.specs import Model


class MaskedAutoencoder(nn.Module):
    """Encoder and a linear decoder of each position; a learned token stands where a bar is hidden.

    After Devlin et al. 2019 (BERT) and, for series, Zerveas et al. 2021.
    """

    def __init__(self, inputs: int, model: Model) -> None:
        super().__init__()
        self.encoder = make_encoder(inputs, model)
        self.token = nn.Parameter(torch.zeros(inputs))
        self.decoder = nn.Linear(self.encoder.width, inputs)

    def forward(self, x: Tensor, hidden: Tensor, wanted: Tensor | None = None) -> Tensor:
        """x [batch, K, F] and hidden [batch, K] bool → the reconstruction of every bar [batch, K, F].

        wanted [batch, K] bool: decode only these bars, in order, to [bars, F]. The input at a hidden bar is replaced before
        anything reads it: the output cannot depend on it.
        """
        sequence = self.encoder(torch.where(hidden[:, :, None], self.token, x))
        if wanted is None:
            return self.decoder(sequence)
        return self.decoder(sequence.flatten(0, 1).index_select(0, wanted.flatten().nonzero().squeeze(1)))


def draw_hidden(shape: tuple[int, int], share: float, block_bars: int, draw: torch.Generator) -> Tensor:
    """Which bars are hidden: bool of `shape` [batch, K] on the generator's device; a bar is hidden with probability `share`.

    Runs of 1 to `block_bars` bars, their lengths uniform; 1 hides single bars.
    """
    batch, length = shape
    device = draw.device
    places = length + block_bars - 1
    covered = (1 + block_bars) / 2 / places
    count = float(torch.log1p(torch.tensor(-share)) / torch.log1p(torch.tensor(-covered)))
    blocks = int(count) + 1
    start = torch.randint(1 - block_bars, length, (batch, blocks), generator=draw, device=device)
    size = torch.randint(1, block_bars + 1, (batch, blocks), generator=draw, device=device)
    used = torch.rand((batch, blocks), generator=draw, device=device) < torch.arange(blocks, 0, -1, device=device) - (
        blocks - count
    )
    # A block that would begin before the window covers its first bars by its end.
    first, last = start + block_bars - size, start + block_bars
    bars = torch.arange(length, device=device)
    inside = (bars >= first[:, :, None]) & (bars < last[:, :, None]) & used[:, :, None]
    return inside.any(1)
