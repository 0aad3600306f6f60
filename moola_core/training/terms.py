"""The span model's terms of one fit of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from moola_core.features.matrix import standardised_path
from moola_core.models.checkpoint import Pretrained
from moola_core.models.multitask import NO_TERMS, Terms
from moola_core.specs import Finetune
from moola_core.training.fold_data import scale_of, targets_of
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs
from moola_core.training.processes import process_map

if TYPE_CHECKING:
    from moola_core.estimators.spans.terms import SpanTerms


@dataclass(frozen=True, eq=False)
class FitTerms:
    """fitted: the terms that go with the weights; values: what is added to the scores of all n windows of the run, on the CPU."""

    fitted: SpanTerms | None
    values: Terms

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {} if self.fitted is None else self.fitted.arrays()


NOTHING = FitTerms(None, NO_TERMS)


def terms_of(spec: Finetune, inputs: Inputs, fold: Fold, start: Pretrained | None = None) -> FitTerms:
    """Fitted to the fold's training windows; nothing where the spec adds none or no training window has an expansion.

    The features are read as the network, which begins at `start`, reads them, so that a prediction later on has the same bits. The values of
    training windows come from terms that were fitted without them.
    """
    span = np.stack([inputs.start, inputs.end], axis=1)[fold.train]
    if not spec.model.adds_statistics or not np.isfinite(span).all(1).any():
        return NOTHING
    from moola_core.estimators.spans.terms import fit_terms  # a network without terms needs no scikit-learn

    mean, std = scale_of(spec, inputs, fold, start)
    prices = standardised_path(((inputs.x - mean) / std).astype(np.float32), mean, std, inputs.features)
    group = inputs.shared.groups(spec.training.folds)
    classes = targets_of(spec, inputs, fold)[fold.train] if spec.model.tasks == "both" else None
    fitted, without = fit_terms(prices[fold.train], span, group[fold.train], classes, len(inputs.classes))
    every = fitted(prices)
    every.spans[fold.train] = without.spans
    if every.logits is not None and without.logits is not None:
        every.logits[fold.train] = without.logits
    return FitTerms(fitted, Terms.of(every.spans, every.logits))


def terms_of_each(
    spec: Finetune, inputs: Inputs, folds: Sequence[Fold], starts: Sequence[Pretrained | None]
) -> list[FitTerms]:
    """Those of all folds, fitted in processes side by side: for a card, whose fits would wait for one after another."""
    if not spec.model.adds_statistics:
        return [NOTHING] * len(folds)
    work, made = partial(_numbered, spec, inputs), dict[int, FitTerms]()
    items = [_Numbered(number, fold, start) for number, (fold, start) in enumerate(zip(folds, starts, strict=True))]
    for number, terms in process_map(work, items, processes=len(folds)):
        made[number] = terms
    return [made[number] for number in range(len(folds))]


@dataclass(frozen=True, eq=False)
class _Numbered:
    """A fold with its number, by which its terms find their place again, and the encoder that it starts from."""

    number: int
    fold: Fold
    start: Pretrained | None


def _numbered(spec: Finetune, inputs: Inputs, item: _Numbered) -> tuple[int, FitTerms]:
    return item.number, terms_of(spec, inputs, item.fold, item.start)


def stacked(fits: Sequence[FitTerms], device: str) -> Terms:
    """The values of many fits, [R, n, ...]; of one without terms 0."""
    parts = []
    for values in zip(*(fit.values for fit in fits), strict=True):
        known = [part for part in values if part is not None]
        every = [torch.zeros_like(known[0]) if part is None else part for part in values] if known else []
        parts.append(torch.stack(every) if known else None)
    return Terms(*parts).each(lambda part: part.to(device))
