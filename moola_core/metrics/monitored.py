"""What is watched while fits train, of many fits at once: the numbers of the sibling modules without a call a fit.

scikit-learn checks its arguments anew in each call, which costs milliseconds: more than the step of fifty fits on a card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from moola_core.metrics.pointers import TOLERANCES_BARS
from moola_core.metrics.probability import BINS


@dataclass(frozen=True, eq=False)
class Said:
    """What R fits said of m windows each, padded: `present` [R, m] says which are there.

    probabilities [R, m, C] beside the true class numbers target [R, m]; spans (start, end) in bars [R, m, 2] beside the true ones
    true_spans [R, m, 2], nan where there is none. None for a task that was not trained.
    """

    present: np.ndarray
    target: np.ndarray
    true_spans: np.ndarray
    probabilities: np.ndarray | None
    spans: np.ndarray | None


def watched(said: Said, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """For each fit f1_macro, recall by class, ece and aucpr (None where a class is absent), then the pointers' errors and hits.

    As classification.by_class and aucpr, probability.ece and pointers.summary give them, to rounding.
    """
    found: list[dict[str, Any]] = [{} for _ in said.present]
    if said.probabilities is not None:
        f1, recall = _rates(said.probabilities, said.target, said.present)
        ece, aucpr = _ece(said.probabilities, said.target, said.present), _aucpr(said)
        for r, values in enumerate(found):
            values["f1_macro"] = float(f1[r].mean())
            values["recall"] = dict(zip(classes, recall[r].tolist(), strict=True))
            values["ece"] = float(ece[r])
            values["aucpr"] = None if np.isnan(aucpr[r]) else float(aucpr[r])
    if said.spans is not None:
        columns = _pointers(said.spans, said.true_spans, said.present)
        for r, values in enumerate(found):
            values |= {name: None if np.isnan(column[r]) else float(column[r]) for name, column in columns.items()}
    return found


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)


def _rates(probabilities: np.ndarray, target: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 and recall of each class [R, C]."""
    number = np.arange(probabilities.shape[2])
    there = present[..., None]
    answered = (probabilities.argmax(2)[..., None] == number) & there
    true = (target[..., None] == number) & there
    hits = (answered & true).sum(1)
    return _share(2 * hits, answered.sum(1) + true.sum(1)), _share(hits, true.sum(1))


def _ece(probabilities: np.ndarray, target: np.ndarray, present: np.ndarray) -> np.ndarray:
    confidence, right = probabilities.max(2), probabilities.argmax(2) == target
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1) + BINS * np.arange(len(present))[:, None]
    gap = np.bincount(place[present], weights=(right - confidence)[present], minlength=BINS * len(present))
    return np.abs(gap.reshape(len(present), BINS)).sum(1) / present.sum(1)


def _aucpr(said: Said) -> np.ndarray:
    """Average precision, mean over the classes [R]; nan where a class is absent or the only one."""
    assert said.probabilities is not None
    by_class = []
    for number in range(said.probabilities.shape[2]):
        score = np.where(said.present, said.probabilities[:, :, number], -1.0)
        order = np.argsort(-score, axis=1, kind="stable")
        score = np.take_along_axis(score, order, 1)
        hit = np.take_along_axis((said.target == number) & said.present, order, 1)
        rank = np.arange(score.shape[1])
        # Equal scores share one threshold: each counts with the precision at the last of them.
        last = np.where(np.diff(score, axis=1, append=-2.0) != 0, rank, score.shape[1] - 1)
        end = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
        precision = np.take_along_axis(hit.cumsum(1), end, 1) / (end + 1)
        count = hit.sum(1)
        known = (count > 0) & (count < said.present.sum(1))
        by_class.append(np.where(known, _share((hit * precision).sum(1), count), np.nan))
    return np.mean(by_class, axis=0)


def _pointers(spans: np.ndarray, true: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    """Mean absolute errors in bars and shares of hits [R]; nan where no window has a pointer."""
    known = present & np.isfinite(true).all(2)
    gap = np.where(known[..., None], spans - true, 0.0)
    center, length = np.abs(gap.sum(2) / 2), np.abs(gap[..., 1] - gap[..., 0])
    count = known.sum(1)
    columns = {"center_mae_bars": center.sum(1), "length_mae_bars": length.sum(1)}
    columns |= {f"hit_at_{bars}": ((center <= bars) & known).sum(1) for bars in TOLERANCES_BARS}
    return {name: np.where(count > 0, column / np.maximum(count, 1), np.nan) for name, column in columns.items()}
