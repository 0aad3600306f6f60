"""The sequence encoder: a bidirectional LSTM (Hochreiter and Schmidhuber 1997; Schuster and Paliwal 1997)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from moola_core.specs import Model


class Encoder(nn.Module):
    """[batch, K, inputs] → [batch, K, 2 · hidden], with dropout between layers and optional normalisation."""

    def __init__(self, inputs: int, model: Model) -> None:
        super().__init__()
        between = model.dropout if model.layers > 1 else 0.0
        self.lstm = nn.LSTM(inputs, model.hidden, model.layers, batch_first=True, bidirectional=True, dropout=between)
        self.width = 2 * model.hidden
        self.normalisation = _normalisation(model.normalisation, self.width)

    def forward(self, x: Tensor) -> Tensor:
        sequence, _ = self.lstm(x)
        if isinstance(self.normalisation, nn.BatchNorm1d):
            return self.normalisation(sequence.transpose(1, 2)).transpose(1, 2)
        return self.normalisation(sequence)


def _normalisation(name: str, width: int) -> nn.Module:
    if name == "layer":
        return nn.LayerNorm(width)
    return nn.BatchNorm1d(width) if name == "batch" else nn.Identity()


class Pooling(nn.Module):
    """[batch, K, width] → [batch, width]: mean over positions, the two directions' last states, or learned attention."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.name = name
        self.score = nn.Linear(width, 1) if name == "attention" else None

    def forward(self, sequence: Tensor) -> Tensor:
        if self.name == "mean":
            return sequence.mean(1)
        if self.score is not None:
            return (torch.softmax(self.score(sequence), dim=1) * sequence).sum(1)
        half = sequence.shape[2] // 2
        return torch.cat([sequence[:, -1, :half], sequence[:, 0, half:]], dim=1)


@torch.no_grad()
def represent(encoder: Encoder, x: Tensor, batch: int = 256) -> Tensor:
    """Mean over the positions of what a frozen encoder makes of x [n, K, F]: [n, 2 · hidden], in eval mode."""
    encoder.eval()
    return torch.cat([encoder(part).mean(1) for part in x.split(batch)])


@torch.no_grad()
def by_layer(encoder: Encoder, x: Tensor, batch: int = 256) -> list[Tensor]:
    """Mean over the positions of each LSTM layer's output on x [n, K, F]: a tensor [n, 2 · hidden] a layer, in eval mode."""
    found, sequence, state = [], x, encoder.lstm.state_dict()
    for layer in range(encoder.lstm.num_layers):
        width = x.shape[2] if layer == 0 else encoder.width
        single = nn.LSTM(width, encoder.width // 2, batch_first=True, bidirectional=True).to(x.device)
        single.load_state_dict({name: state[name.replace("_l0", f"_l{layer}")] for name in single.state_dict()})
        sequence = torch.cat([single(part)[0] for part in sequence.split(batch)])
        found.append(sequence.mean(1))
    return found
