"""Encoder, pooling, optional trunk, and the heads of the tasks that are trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.models.encoders import make_encoder
from moola_core.models.heads import START_SHARE, ClassHead, PointerHead, PositionHead, SpanHead
from moola_core.models.pooling import Pooling
from moola_core.models.spans import PARTS, around_weights, bar_probabilities, expected_pointer, span_probabilities
from moola_core.specs import Model


class Terms(NamedTuple):
    """What is added to scores of spans [..., b, K, K] and of classes [..., b, C]; None for nothing."""

    spans: Tensor | None = None
    logits: Tensor | None = None

    @classmethod
    def of(cls, spans: np.ndarray, logits: np.ndarray | None) -> Terms:
        """From arrays."""
        return cls(torch.from_numpy(spans), None if logits is None else torch.from_numpy(logits))

    def each(self, change: Callable[[Tensor], Tensor]) -> Terms:
        """The terms that there are, changed one by one."""
        return Terms(*(None if part is None else change(part) for part in self))


NO_TERMS = Terms()
Scores = TypeVar("Scores", Tensor, Tensor | None)


@dataclass(frozen=True)
class Outputs:
    """logits [batch, outputs] and pointer [batch, 2] (center, length as fractions); None for a task that is not trained.

    spans [batch, K, K]: scores of spans by first bar and length, of which the pointer is the mean; None for other pointer heads.
    """

    logits: Tensor | None
    pointer: Tensor | None
    spans: Tensor | None = None


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
        self.aligns = model.aligns
        read = PARTS * self.encoder.width if model.aligns else width
        self.class_head = ClassHead(read, outputs) if model.tasks != "pointers" else None
        self.pointer_head = _pointer_head(width, self.encoder.width, model)

    def forward(self, x: Tensor, terms: Terms = NO_TERMS) -> Outputs:
        """x [batch, K, F], standardised; terms: what is added to the scores of spans and classes."""
        sequence = self.encoder(x)
        if isinstance(self.pointer_head, SpanHead):
            return self._by_spans(self.pointer_head, sequence, terms)
        shared = self.trunk(self.dropout(self.pooling(sequence)))
        logits = self.class_head(shared) if self.class_head is not None else None
        pointer = self.pointer_head(shared, sequence) if self.pointer_head is not None else None
        return Outputs(logits, pointer)

    def _by_spans(self, head: SpanHead, sequence: Tensor, terms: Terms) -> Outputs:
        """The span first; then the class, from the pooled vector or from the bars around the span."""
        # One mask a window for every bar (Gal and Ghahramani 2016), drawn as that of a pooled vector is.
        kept = self.dropout(torch.ones_like(sequence[:, 0]))
        spans = added(head(sequence * kept[:, None]), terms.spans)
        p, logits = span_probabilities(spans), None
        if self.class_head is not None and self.aligns:
            weights = around_weights(bar_probabilities(p.detach())).to(sequence.dtype)
            parts = torch.einsum("bkw,bkp->bpw", sequence, weights) * kept[:, None]
            logits = self.class_head(parts.flatten(1))
        elif self.class_head is not None:
            logits = self.class_head(self.trunk(self.pooling(sequence) * kept))
        return Outputs(added(logits, terms.logits), expected_pointer(p), spans)

    def begin_small(self) -> None:
        """Let the heads begin near nothing, where terms that are added to the scores are what training begins with."""
        with torch.no_grad():
            for head in (self.class_head, self.pointer_head):
                if head is not None:
                    head.linear.weight.mul_(START_SHARE)

    def shared(self) -> dict[str, nn.Parameter]:
        """The trainable parameters that both tasks reach, by name; none when only one task is trained."""
        if self.class_head is None or self.pointer_head is None:
            return {}
        parts = ("encoder.",) if self.aligns else ("encoder.", "pooling.", "trunk.")
        return {n: p for n, p in self.named_parameters() if n.startswith(parts) and p.requires_grad}

    def trainable(self) -> list[str]:
        """Names of the parameters that are trained."""
        return [name for name, parameter in self.named_parameters() if parameter.requires_grad]

    def count_trainable(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)


def added(scores: Scores, term: Tensor | None) -> Scores:
    """Scores with a term of the same shape, or of their first columns, added to them."""
    if scores is None or term is None:
        return scores
    missing = scores.shape[-1] - term.shape[-1]  # an output beyond the classes has no term
    return scores + torch.nn.functional.pad(term, (0, missing))


def _pointer_head(width: int, sequence_width: int, model: Model) -> PointerHead | PositionHead | SpanHead | None:
    if model.tasks == "class":
        return None
    if model.pointer == "span":
        return SpanHead(sequence_width)
    return PositionHead(width, sequence_width) if model.pointer == "soft_argmax" else PointerHead(width)
