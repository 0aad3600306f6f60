"""The encoder of InceptionTime (Ismail Fawaz et al. 2020): convolutions of three widths side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from moola_core.models.encoders.encoder import ENCODERS, Encoder, Shape, StackedEncoder
from moola_core.specs import Model

KERNELS_BARS = (39, 19, 9)
POOLED_BARS = 3
MODULES = 3  # of a block, which a skip connection crosses
BRANCHES = len(KERNELS_BARS) + 1


def branch_widths(width: int) -> list[int]:
    """How many of `width` channels each branch gives, as equal as they can be."""
    return [width // BRANCHES + (branch < width % BRANCHES) for branch in range(BRANCHES)]


class LayerNorm(nn.LayerNorm):
    """Over the channels of each bar of [batch, channels, K]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def _normalisation(model: Model, width: int) -> nn.Module:
    if model.normalisation == "layer":
        return LayerNorm(width)
    return nn.BatchNorm1d(width) if model.normalisation == "batch" else nn.Identity()


class InceptionModule(nn.Module):
    """A bottleneck, convolutions of three widths and a maximum of neighbours side by side: [batch, inputs, K] → [batch, width, K]."""

    def __init__(self, inputs: int, width: int, model: Model) -> None:
        super().__init__()
        *convolved, pooled = branch_widths(width)
        narrow = convolved[0]
        self.bottleneck = nn.Conv1d(inputs, narrow, 1, bias=False)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(narrow, channels, bars, padding="same", bias=False)
            for channels, bars in zip(convolved, KERNELS_BARS, strict=True)
        )
        self.pooled = nn.Conv1d(inputs, pooled, 1, bias=False)
        self.normalised = _normalisation(model, width)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        parts = [convolution(narrow) for convolution in self.convolutions]
        return self.normalised(torch.cat([*parts, self.pooled(_maximum(x))], 1))


class Block(nn.Module):
    """Three modules and a skip connection past them: [batch, inputs, K] → [batch, width, K]."""

    def __init__(self, inputs: int, width: int, model: Model) -> None:
        super().__init__()
        widths = [inputs, *[width] * MODULES]
        self.parts = nn.ModuleList(InceptionModule(widths[i], width, model) for i in range(MODULES))
        self.skip = nn.Conv1d(inputs, width, 1, bias=False)
        self.skip_normalised = _normalisation(model, width)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        for i, part in enumerate(self.parts):
            inner = part(inner)
            inner = nn.functional.relu(inner) if i < MODULES - 1 else inner
        return nn.functional.relu(inner + self.skip_normalised(self.skip(x)))


def _maximum(x: Tensor) -> Tensor:
    """Of each bar and its neighbours, [..., channels, K]."""
    return nn.functional.max_pool1d(x, POOLED_BARS, stride=1, padding=POOLED_BARS // 2)


class StackedInception(StackedEncoder):
    """Many of them at once: each network's channels are a group of a convolution."""

    @staticmethod
    def dropout_shapes(model: Model, bars: int) -> list[Shape]:
        return [(None, 2 * model.hidden, bars)] * (model.layers - 1)

    def output(self, x: Tensor, dropped: Sequence[Tensor], statistics: Tensor | None) -> Tensor:
        replicas, bars, batch, _ = x.shape
        x = x.permute(2, 0, 3, 1).reshape(batch, -1, bars)
        for layer in range(self.model.layers):
            x = self._block(x, f"encoder.blocks.{layer}", statistics)
            if layer < len(dropped):
                x = x * dropped[layer].transpose(0, 1).flatten(1, 2)
        return x.view(batch, replicas, -1, bars).permute(1, 3, 0, 2)

    def _block(self, x: Tensor, name: str, statistics: Tensor | None) -> Tensor:
        """[B, R · channels, K], as of Block."""
        inner = x
        for i in range(MODULES):
            inner = self._module(inner, f"{name}.parts.{i}", statistics)
            inner = nn.functional.relu(inner) if i < MODULES - 1 else inner
        skip = self._normalised(self._convolution(x, f"{name}.skip"), f"{name}.skip_normalised", statistics)
        return nn.functional.relu(inner + skip)

    def _module(self, x: Tensor, name: str, statistics: Tensor | None) -> Tensor:
        """As of InceptionModule."""
        narrow = self._convolution(x, f"{name}.bottleneck")
        parts = [self._convolution(narrow, f"{name}.convolutions.{i}") for i in range(len(KERNELS_BARS))]
        parts.append(self._convolution(_maximum(x), f"{name}.pooled"))
        apart = [part.unflatten(1, (self.replicas, -1)) for part in parts]
        return self._normalised(torch.cat(apart, 2).flatten(1, 2), f"{name}.normalised", statistics)

    def _normalised(self, x: Tensor, name: str, statistics: Tensor | None) -> Tensor:
        apart = x.unflatten(1, (self.replicas, -1)).permute(1, 3, 0, 2)
        return self.normalised(apart, name, statistics).permute(2, 0, 3, 1).flatten(1, 2)

    def _convolution(self, x: Tensor, name: str) -> Tensor:
        weight = self.weights[f"{name}.weight"].flatten(0, 1)
        if self.low is not None:
            x, weight = x.to(self.low), weight.to(self.low)
        return nn.functional.conv1d(x, weight, padding="same", groups=self.replicas).float()


@ENCODERS.register("inception")
class Inception(Encoder):
    """`layers` blocks of three modules, of which the widest convolution sees 39 bars: each block sees 114 bars more than the one before."""

    stacked = StackedInception

    def build(self, inputs: int, model: Model) -> None:
        widths = [inputs, *[self.width] * model.layers]
        self.blocks = nn.ModuleList(Block(widths[layer], self.width, model) for layer in range(model.layers))
        self.between = nn.Dropout(model.dropout)

    def sequence(self, x: Tensor) -> list[Tensor]:
        outputs, x = [], x.transpose(1, 2)
        for layer, block in enumerate(self.blocks):
            x = block(self.between(x) if layer else x)
            outputs.append(x.transpose(1, 2))
        return outputs

    def layers(self) -> list[list[str]]:
        return [
            [name for name, _ in block.named_parameters(prefix=f"blocks.{i}")] for i, block in enumerate(self.blocks)
        ]
