"""Encoder, pooling, optional trunk, and the heads of the tasks that are trained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from moola_core.models.encoders import make_encoder
from moola_core.models.heads import ClassHead, PointerHead, PositionHead
from moola_core.models.pooling import Pooling
from moola_core.specs import Model


@dataclass(frozen=True)
class Outputs:
    """logits [batch, outputs] and pointer [batch, 2] (center, length as fractions); None for a task that is not trained."""

    logits: Tensor | None
    pointer: Tensor | None


class MultiTask(nn.Module):
    """The whole network. `outputs` is the class count, plus a planted extra one when that fault is asked for."""

    def __init__(self, inputs: int, outputs: int, model: Model) -> None:
        super().__init__()
        self.encoder = make_encoder(inputs, model)
        self.pooling = Pooling(model.pooling, self.encoder.width)
        self.dropout = nn.Dropout(model.dropout)
        width = model.trunk_width or self.encoder.width
        self.trunk = (
            nn.Sequential(nn.Linear(self.encoder.width, width), nn.ReLU()) if model.trunk_width else nn.Identity()
        )
        self.class_head = ClassHead(width, outputs) if model.tasks != "pointers" else None
        self.pointer_head = _pointer_head(width, self.encoder.width, model)

    def forward(self, x: Tensor) -> Outputs:
        sequence = self.encoder(x)
        shared = self.trunk(self.dropout(self.pooling(sequence)))
        logits = self.class_head(shared) if self.class_head is not None else None
        pointer = self.pointer_head(shared, sequence) if self.pointer_head is not None else None
        return Outputs(logits, pointer)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The trainable parameters that both tasks reach; none when only one task is trained."""
        if self.class_head is None or self.pointer_head is None:
            return []
        parts = (self.encoder, self.pooling, self.trunk)
        return [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]

    def trainable(self) -> list[str]:
        """Names of the parameters that are trained."""
        return [name for name, parameter in self.named_parameters() if parameter.requires_grad]

    def count_trainable(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


def _pointer_head(width: int, sequence_width: int, model: Model) -> PointerHead | PositionHead | None:
    if model.tasks == "class":
        return None
    return PositionHead(width, sequence_width) if model.pointer == "positions" else PointerHead(width)
