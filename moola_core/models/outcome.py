"""The outcome classifier: which barrier the bars after a window touch first."""

from __future__ import annotations

from torch import Tensor, nn

from moola_core.models.encoders import make_encoder
from moola_core.models.pooling import Pooling
from moola_core.specs import Model

OUTCOMES = ("down", "neither", "up")


class OutcomeClassifier(nn.Module):
    """Encoder, pooling and a linear layer to the three outcomes (the triple barrier of López de Prado 2018)."""

    def __init__(self, inputs: int, model: Model) -> None:
        super().__init__()
        self.encoder = make_encoder(inputs, model)
        self.pooling = Pooling(model.pooling, self.encoder.width)
        self.linear = nn.Linear(self.encoder.width, len(OUTCOMES))

    def forward(self, x: Tensor) -> Tensor:
        """x [batch, K, F] → logits [batch, 3]."""
        return self.linear(self.pooling(self.encoder(x)))
