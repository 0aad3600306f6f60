"""The temporal convolutional network (Bai, Kolter and Koltun 2018), here looking both ways."""

from __future__ import annotations

from torch import Tensor, nn

from moola_core.models.encoders.encoder import ENCODERS, Encoder
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


@ENCODERS.register("tcn")
class TCN(Encoder):
    """`layers` blocks whose convolutions reach four times as far in each."""

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
