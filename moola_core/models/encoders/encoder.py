"""What an encoder is, and the registry of all encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from moola_core.errors import SpecError
from moola_core.registry import Registry
from moola_core.specs import Model

BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-5, 0.1  # torch's defaults


class Encoder(nn.Module, ABC):
    """Bars to features of each bar: [batch, K, inputs] → [batch, K, width], normalised as `model.normalisation` says.

    A subclass makes its modules in :meth:`build` and says what they compute in :meth:`sequence` and which parameters make up which layer in
    :meth:`layers`. `stacked` computes many encoders of one shape at once; without it their fits are trained one after another.

    Parameters
    ----------
    inputs : int
        Features of a bar.
    model : Model
        The settings.
    """

    stacked: ClassVar[type[StackedEncoder] | None] = None

    def __init__(self, inputs: int, model: Model) -> None:
        super().__init__()
        self.width = self.width_of(model)
        self.build(inputs, model)
        self.normalisation = _normalisation(model.normalisation, self.width)

    @classmethod
    def width_of(cls, model: Model) -> int:
        """Features of each bar that such an encoder gives."""
        return 2 * model.hidden

    @abstractmethod
    def build(self, inputs: int, model: Model) -> None:
        """Make the modules; `self.width` is known."""

    @abstractmethod
    def sequence(self, x: Tensor) -> list[Tensor]:
        """Each layer's output on x [batch, K, inputs], the last one [batch, K, width]."""

    @abstractmethod
    def layers(self) -> list[list[str]]:
        """Names of the parameters of each layer, from the input up; normalisation is counted to the last one by itself."""

    def output(self, x: Tensor) -> Tensor:
        """The last layer's output, [batch, K, width]; for a subclass that has a faster way than all layers' outputs."""
        return self.sequence(x)[-1]

    def forward(self, x: Tensor) -> Tensor:
        sequence = self.output(x)
        if isinstance(self.normalisation, nn.BatchNorm1d):
            return self.normalisation(sequence.transpose(1, 2)).transpose(1, 2)
        return self.normalisation(sequence)

    @torch.no_grad()
    def layer_means(self, x: Tensor, batch: int = 256) -> list[Tensor]:
        """Mean over the positions of each layer's output on x [n, K, F], in eval mode: a tensor [n, channels] per layer."""
        self.eval()
        parts = [[output.mean(1) for output in self.sequence(part)] for part in x.split(batch)]
        return [torch.cat(layer) for layer in zip(*parts, strict=True)]


Shape = tuple[int | None, ...]
"""Of a mask of dropout; None where the windows of a batch lie."""


class StackedEncoder(ABC):
    """R encoders of one shape, as a function of their stacked weights.

    Parameters
    ----------
    model : Model
        The settings.
    weights : mapping of str to Tensor
        Every parameter and buffer of the network by its name, [R, *shape]; the encoder's begin with ``"encoder."``.
    low : torch.dtype, optional
        The type that matrix products are made in, where it is not that of the weights.
    form : str
        Form of the recurrence, where there is one.
    """

    recurrent: ClassVar[bool] = False  # whether there is a recurrence, which has several forms

    def __init__(self, model: Model, weights: Mapping[str, Tensor], low: torch.dtype | None, form: str) -> None:
        self.model, self.weights, self.low, self.form = model, weights, low, form
        self.replicas = len(next(iter(weights.values())))

    @staticmethod
    @abstractmethod
    def dropout_shapes(model: Model, bars: int) -> list[Shape]:
        """Shape of each dropout mask that a forward pass draws inside the encoder, in the order in which they are drawn."""

    @abstractmethod
    def output(self, x: Tensor, dropped: Sequence[Tensor], statistics: Tensor | None) -> Tensor:
        """[R, K, B, F] → [R, K, B, width]; dropped: dropout's factors [R, ...], one for each of `dropout_shapes`, or none; statistics: as of
        `encode`."""

    def encode(self, x: Tensor, dropped: Sequence[Tensor], statistics: Tensor | None) -> Tensor:
        """The normalised output; statistics [R, B]: rows that batch normalisation counts, None for its running statistics."""
        return self.normalised(self.output(x, dropped, statistics), "encoder.normalisation", statistics)

    def normalised(self, x: Tensor, name: str, statistics: Tensor | None) -> Tensor:
        """[R, K, B, C] as the module of this name normalises it; statistics: as of `encode`."""
        if self.model.normalisation == "layer":
            scale, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
            return nn.functional.layer_norm(x, x.shape[-1:]) * scale[:, None, None] + shift[:, None, None]
        return self._batch_norm(x, name, statistics) if self.model.normalisation == "batch" else x

    def _batch_norm(self, x: Tensor, name: str, statistics: Tensor | None) -> Tensor:
        """Over the rows and bars of each replica (Ioffe and Szegedy 2015); a replica without rows keeps its running statistics."""
        running = [self.weights[f"{name}.running_{kind}"] for kind in ("mean", "var")]
        if statistics is None:
            mean, variance = running
        else:
            rows = statistics[:, None, :, None]
            number = statistics.sum(1, keepdim=True) * x.shape[1]
            mean = (x * rows).sum((1, 2)) / number.clamp(min=1)
            variance = ((x - mean[:, None, None]) ** 2 * rows).sum((1, 2)) / number.clamp(min=1)
            with torch.no_grad():
                share = BATCH_NORM_MOMENTUM * (number > 0)
                running[0].lerp_(mean.detach(), share)
                running[1].lerp_(variance.detach() * number / (number - 1).clamp(min=1), share)
                self.weights[f"{name}.num_batches_tracked"].add_((number > 0).squeeze(1))
        scale = self.weights[f"{name}.weight"] * (variance + BATCH_NORM_EPSILON).rsqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + self.weights[f"{name}.bias"][:, None, None]


def dropout_shapes(model: Model, bars: int) -> list[Shape]:
    """Of each mask that a pass in training mode draws of a network that has a stacked form: inside its encoder, then before the heads."""
    kind = encoder_class(model)
    assert kind.stacked is not None
    return [*kind.stacked.dropout_shapes(model, bars), (None, kind.width_of(model))]


ENCODERS: Registry[type[Encoder]] = Registry("encoder", "moola.encoders")


def encoder_class(model: Model) -> type[Encoder]:
    """The class that `model.encoder` names. Raises SpecError when it is not there or is no encoder."""
    kind = ENCODERS.resolve(model.encoder)
    if not (isinstance(kind, type) and issubclass(kind, Encoder)):
        raise SpecError(
            f"{model.encoder} is no encoder.",
            where="model.encoder",
            hint="Derive it from moola_core.models.encoders.Encoder.",
        )
    return kind


def make_encoder(inputs: int, model: Model) -> Encoder:
    """An encoder of the kind and size that the settings name, for `inputs` features of a bar."""
    return encoder_class(model)(inputs, model)


@torch.no_grad()
def represent(encoder: Encoder, x: Tensor, batch: int = 256) -> Tensor:
    """Mean over the positions of a frozen encoder's output on x [n, K, F]: [n, width], in eval mode."""
    encoder.eval()
    return torch.cat([encoder(part).mean(1) for part in x.split(batch)])


def _normalisation(name: str, width: int) -> nn.Module:
    if name == "layer":
        return nn.LayerNorm(width)
    return nn.BatchNorm1d(width) if name == "batch" else nn.Identity()
