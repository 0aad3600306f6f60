"""The bidirectional LSTM (Hochreiter and Schmidhuber 1997; Schuster and Paliwal 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from moola_core.models.encoders.encoder import ENCODERS, Encoder, Shape, StackedEncoder
from moola_core.models.recurrence import FORMS
from moola_core.specs import Model


class StackedBiLSTM(StackedEncoder):
    """Many of them at once: both directions of all networks are one batch of recurrences."""

    recurrent = True

    @staticmethod
    def dropout_shapes(model: Model, bars: int) -> list[Shape]:
        return [(bars, None, 2 * model.hidden)] * (model.layers - 1)

    def output(self, x: Tensor, dropped: Sequence[Tensor], statistics: Tensor | None) -> Tensor:
        for layer in range(self.model.layers):
            x = self._layer(x, layer)
            if layer < len(dropped):
                x = x * dropped[layer]
        return x

    def _layer(self, x: Tensor, layer: int) -> Tensor:
        replicas, bars, batch, _ = x.shape
        into, across, bias, other = (
            torch.stack([self.weights[f"encoder.lstm.{kind}_l{layer}{way}"] for way in ("", "_reverse")], 1).flatten(
                0, 1
            )
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        both = torch.stack([x, x.flip(1)], 1).flatten(0, 1)
        h = FORMS[self.form](both, into, across, bias + other, self.low)
        h = h.view(replicas, 2, bars, batch, -1)
        return torch.cat([h[:, 0], h[:, 1].flip(1)], dim=-1)


@ENCODERS.register("bilstm")
class BiLSTM(Encoder):
    """nn.LSTM in both directions, with dropout between its layers."""

    stacked = StackedBiLSTM

    def build(self, inputs: int, model: Model) -> None:
        between = model.dropout if model.layers > 1 else 0.0
        self.lstm = nn.LSTM(inputs, model.hidden, model.layers, batch_first=True, bidirectional=True, dropout=between)

    def output(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]

    def sequence(self, x: Tensor) -> list[Tensor]:
        outputs, state = [], self.lstm.state_dict()
        for layer in range(self.lstm.num_layers):
            single = nn.LSTM(x.shape[2], self.lstm.hidden_size, batch_first=True, bidirectional=True).to(x.device)
            single.load_state_dict({name: state[name.replace("_l0", f"_l{layer}")] for name in single.state_dict()})
            x = single(x)[0]
            outputs.append(x)
        return outputs

    def layers(self) -> list[list[str]]:
        names = [name for name, _ in self.lstm.named_parameters(prefix="lstm")]
        return [
            [name for name in names if name.removesuffix("_reverse").endswith(f"_l{layer}")]
            for layer in range(self.lstm.num_layers)
        ]
