"""Many networks of one shape at once: what MultiTask computes, with a leading replica dimension and matrix products in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moola_core.errors import SpecError
from moola_core.models.encoders import encoder_class
from moola_core.models.multitask import NO_TERMS, Outputs, Terms, added
from moola_core.models.recurrence import DEFAULT
from moola_core.models.spans import (
    around_weights,
    bar_probabilities,
    expected_pointer,
    span_probabilities,
    span_scores,
)
from moola_core.specs import Model


@dataclass(frozen=True)
class Drawn:
    """What a pass in training mode is given.

    inside, last: factors of dropout (0 or 1 / (1 − p)), those inside the encoder in the order of use [R, K, B, 2 · hidden], and those
    before the heads [R, B, 2 · hidden]; none where nothing is dropped. counted [R, B]: the rows that batch normalisation counts; None
    where the encoder is in eval mode while the rest trains.
    """

    inside: Sequence[Tensor] = ()
    last: Tensor | None = None
    counted: Tensor | None = None


NOTHING_DRAWN = Drawn()


class Replicas:
    """R networks of one shape, as the functions of their stacked weights that MultiTask's modules are of single ones.

    weights: every parameter and buffer of MultiTask by its name, [R, *shape]; batch normalisation's buffers are updated in place.
    low: the type that matrix products of the encoder are made in, where it is not that of the weights; form: of the recurrence.
    """

    draws = True  # dropout's factors are given to it

    def __init__(
        self, model: Model, weights: Mapping[str, Tensor], low: torch.dtype | None = None, form: str = DEFAULT
    ) -> None:
        self.model, self.weights, self.low = model, weights, low
        stacked = encoder_class(model).stacked
        if stacked is None:
            raise SpecError(
                f"the encoder {model.encoder} has no form for many fits at once.",
                where="training.engine",
                hint="Set training.engine to auto or sequential.",
            )
        self.encoder = stacked(model, weights, low, form)

    def trained(self, names: Sequence[str]) -> list[Tensor]:
        """What gradients are asked of, where these parameters are trained."""
        return [self.weights[name] for name in names]

    def forward(self, x: Tensor, drawn: Drawn | None = None, terms: Terms = NO_TERMS) -> Outputs:
        """x [R, K, B, F], standardised → logits [R, B, outputs], pointer [R, B, 2]; in eval mode where nothing is `drawn`.

        terms: what is added to the scores of spans and classes.
        """
        last = drawn.last if drawn else None
        sequence = self.encode(x, drawn)
        if self.model.scores_spans:
            return self._by_spans(sequence.transpose(1, 2), last, terms)
        pooled = self._pooling(sequence)
        shared = self._trunk(pooled if last is None else pooled * last)
        return Outputs(self._class_head(shared), self._pointer_head(shared, sequence))

    def _by_spans(self, sequence: Tensor, last: Tensor | None, terms: Terms) -> Outputs:
        """sequence [R, B, K, width]: what MultiTask makes of it where the pointer is a softmax over spans."""
        kept = 1.0 if last is None else last[:, :, None]
        scores = (sequence * kept).flatten(1, 2) @ self.weights["pointer_head.linear.weight"].transpose(1, 2)
        scores = scores.view(*sequence.shape[:3], 3)
        priors = (self.weights[f"pointer_head.{name}_prior"][:, None] for name in ("length", "place"))
        spans, logits = added(span_scores(scores.float(), *priors), terms.spans), None
        p = span_probabilities(spans)
        if self.model.aligns:
            weights = around_weights(bar_probabilities(p.detach())).to(sequence.dtype)
            parts = torch.einsum("rbkw,rbkp->rbpw", sequence, weights) * kept
            logits = self._linear(parts.flatten(2), "class_head.linear")
        elif self.model.tasks == "both":
            pooled = self._pooling(sequence.transpose(1, 2))
            logits = self._class_head(self._trunk(pooled if last is None else pooled * last))
        return Outputs(added(logits, terms.logits), expected_pointer(p), spans)

    def encode(self, x: Tensor, drawn: Drawn | None = None) -> Tensor:
        """[R, K, B, F] → [R, K, B, width]."""
        drawn = drawn or NOTHING_DRAWN
        return self.encoder.encode(x, drawn.inside, drawn.counted)

    def _pooling(self, sequence: Tensor) -> Tensor:
        """[R, K, B, 2 · hidden] → [R, B, 2 · hidden]."""
        if self.model.pooling == "mean":
            return sequence.mean(1)
        if self.model.pooling == "attention":
            return (torch.softmax(self._score(sequence, "pooling.score"), dim=1)[..., None] * sequence).sum(1)
        half = sequence.shape[-1] // 2
        return torch.cat([sequence[:, -1, :, :half], sequence[:, 0, :, half:]], dim=-1)

    def _score(self, sequence: Tensor, name: str) -> Tensor:
        """One number a bar: [R, K, B]."""
        return self._linear(sequence.flatten(1, 2), name).view(sequence.shape[:3])

    def _linear(self, x: Tensor, name: str) -> Tensor:
        """[R, m, in] → [R, m, out]."""
        return torch.baddbmm(self.weights[f"{name}.bias"][:, None], x, self.weights[f"{name}.weight"].transpose(1, 2))

    def _trunk(self, pooled: Tensor) -> Tensor:
        return torch.relu(self._linear(pooled, "trunk.0")) if self.model.trunk_width else pooled

    def _class_head(self, shared: Tensor) -> Tensor | None:
        return None if self.model.tasks == "pointers" else self._linear(shared, "class_head.linear")

    def _pointer_head(self, shared: Tensor, sequence: Tensor) -> Tensor | None:
        if self.model.tasks == "class":
            return None
        answer = torch.sigmoid(self._linear(shared, "pointer_head.linear"))
        if self.model.pointer == "regression":
            return answer
        bars = torch.arange(sequence.shape[1], device=sequence.device, dtype=sequence.dtype) / sequence.shape[1]
        place = torch.softmax(self._score(sequence, "pointer_head.score"), dim=1)
        return torch.cat([(place * bars[None, :, None]).sum(1)[..., None], answer], dim=-1)
