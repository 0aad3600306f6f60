"""One network as the module that it is, where many at once are stacked: for encoders without such a form, and for fits one after another."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from moola_core.models.multitask import NO_TERMS, MultiTask, Outputs, Terms
from moola_core.models.replicas import Drawn


class Single:
    """What Replicas is for many networks, for one: its tensors have a leading dimension of 1.

    model: the network's shape; it is copied. weights: every parameter and buffer by name, [1, *shape]. They own the state: each pass reads
    them, and one in training mode writes the buffers back. Dropout draws from torch's own generator.
    """

    draws = False  # dropout's factors are not given to it

    def __init__(self, model: MultiTask, weights: Mapping[str, Tensor], low: torch.dtype | None = None) -> None:
        self.weights, self.low = weights, low
        some = next(iter(weights.values()))
        self.module = copy.deepcopy(model).to(some.device)
        self.parameters, self.buffers = dict(self.module.named_parameters()), dict(self.module.named_buffers())
        self.kind = some.device.type

    def trained(self, names: Sequence[str]) -> list[Tensor]:
        """What gradients are asked of: these parameters, the others left out."""
        for name, parameter in self.parameters.items():
            parameter.requires_grad_(name in names)
        own = {**self.weights, **self.parameters}  # what a weighting learns is no parameter of the network
        return [own[name] for name in names]

    def forward(self, x: Tensor, drawn: Drawn | None = None, terms: Terms = NO_TERMS) -> Outputs:
        """As Replicas.forward, of x [1, K, B, F]."""
        self._begin(drawn)
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.low is not None):
            outputs = self.module(x[0].transpose(0, 1), terms.each(lambda part: part[0]))
        self._end(drawn)
        parts = (outputs.logits, outputs.pointer, outputs.spans)
        return Outputs(*(None if part is None else part.float()[None] for part in parts))

    def encode(self, x: Tensor, drawn: Drawn | None) -> Tensor:
        """As Replicas.encode, of x [1, K, B, F]."""
        self._begin(drawn)
        sequence = self.module.encoder(x[0].transpose(0, 1)).float()
        self._end(drawn)
        return sequence.transpose(0, 1)[None]

    def _begin(self, drawn: Drawn | None) -> None:
        self.module.train(drawn is not None)
        if drawn is not None and drawn.counted is None:
            self.module.encoder.eval()
        with torch.no_grad():
            for name, tensor in (self.parameters | self.buffers).items():
                tensor.copy_(self.weights[name][0])

    @torch.no_grad()
    def _end(self, drawn: Drawn | None) -> None:
        if drawn is not None:
            for name, buffer in self.buffers.items():
                self.weights[name][0].copy_(buffer)
