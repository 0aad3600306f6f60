"""The temporal convolutional network (Bai, Kolter and Koltun 2018), here looking both ways."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from moola_core.models.encoders.encoder import ENCODERS, Encoder, Shape, StackedEncoder
from moola_core.specs import Model

KERNEL_BARS = 5


class Block(nn.Module):
    """Two dilated convolutions with a skip connection: [batch, inputs, K] → [batch, width, K]."""

    def __init__(self, inputs: int, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            _convolution(inputs, width, dilation), nn.ReLU(), nn.Dropout(dropout), _convolution(width, width, dilation)
        )
        self.skip = nn.Conv1d(inputs, width, 1) if inputs != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.convolutions(x) + self.skip(x))


def _convolution(inputs: int, width: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(inputs, width, KERNEL_BARS, dilation=dilation, padding="same")


class StackedTCN(StackedEncoder):
    """Many of them at once: each network's channels are a group of one convolution."""

    @staticmethod
    def dropout_shapes(model: Model, bars: int) -> list[Shape]:
        return [(None, 2 * model.hidden, bars)] * model.layers

    def output(self, x: Tensor, dropped: Sequence[Tensor], statistics: Tensor | None) -> Tensor:
        replicas, bars, batch, _ = x.shape
        x = x.permute(2, 0, 3, 1).reshape(batch, -1, bars)
        for layer in range(self.model.layers):
            x = self._block(x, layer, dropped[layer] if dropped else None)
        return x.view(batch, replicas, -1, bars).permute(1, 3, 0, 2)

    def _block(self, x: Tensor, layer: int, dropped: Tensor | None) -> Tensor:
        """[B, R · channels, K], as of Block."""
        name = f"encoder.blocks.{layer}"
        inner = nn.functional.relu(self._convolution(x, f"{name}.convolutions.0", 4**layer))
        if dropped is not None:
            inner = inner * dropped.transpose(0, 1).flatten(1, 2)
        inner = self._convolution(inner, f"{name}.convolutions.3", 4**layer)
        skip = self._convolution(x, f"{name}.skip", 1) if f"{name}.skip.weight" in self.weights else x
        return nn.functional.relu(inner + skip)

    def _convolution(self, x: Tensor, name: str, dilation: int) -> Tensor:
        weight, bias = (self.weights[f"{name}.{kind}"].flatten(0, 1) for kind in ("weight", "bias"))
        if self.low is not None:
            x, weight, bias = (part.to(self.low) for part in (x, weight, bias))
        return nn.functional.conv1d(x, weight, bias, padding="same", dilation=dilation, groups=self.replicas).float()


@ENCODERS.register("tcn")
class TCN(Encoder):
    """`layers` blocks whose convolutions reach four times as far in each."""

    stacked = StackedTCN

    def build(self, inputs: int, model: Model) -> None:
        widths = [inputs, *[self.width] * model.layers]
        self.blocks = nn.ModuleList(
            Block(widths[layer], self.width, 4**layer, model.dropout) for layer in range(model.layers)
        )

    def sequence(self, x: Tensor) -> list[Tensor]:
        outputs, x = [], x.transpose(1, 2)
        for block in self.blocks:
            x = block(x)
            outputs.append(x.transpose(1, 2))
        return outputs

    def layers(self) -> list[list[str]]:
        return [
            [name for name, _ in block.named_parameters(prefix=f"blocks.{i}")] for i, block in enumerate(self.blocks)
        ]
