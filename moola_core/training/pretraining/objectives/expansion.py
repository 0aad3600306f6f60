"""The most expansion-like span of a window, and what follows it: weak labels that the bars give by a rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.models.multitask import MultiTask
from moola_core.models.spans import span_loss
from moola_core.spans.candidates import of_lengths
from moola_core.spans.drift import move_through, per_root_bar
from moola_core.specs import Objective
from moola_core.specs.objectives import RULES
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.barriers import touched_first
from moola_core.training.pretraining.objectives.objective import (
    OBJECTIVES,
    Batch,
    PretrainingObjective,
    Validation,
    ValidationMeasure,
)

WITHIN_BARS = 3
AS_FINETUNED = {"pointer": "span", "class_input": "aligned", "tasks": "both", "span_statistics": False}
CLASSES = {"follows": 3, "direction": 2}


@dataclass(frozen=True, eq=False)
class WeakLabels:
    """Of each of m windows the span of the largest move for its length, by first and last bar [m], and its class [m].

    The class is 0 gives back, 1 neither, 2 goes on; or 0 down, 1 up.
    """

    start: np.ndarray
    end: np.ndarray
    outcome: np.ndarray


@OBJECTIVES.register("expansion")
class ExpansionObjective(PretrainingObjective):
    """Cross-entropy of the span among all spans of the window, and of its class, by the heads of a network that scores spans.

    The labels are made by a rule (weak supervision, Ratner et al. 2017); what is transferred is the encoder.
    """

    rules = RULES["expansion"]

    def make_network(self, inputs: int) -> nn.Module:
        return MultiTask(inputs, CLASSES[self.settings.weak_class], self.spec.model.model_copy(update=AS_FINETUNED))

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> Batch:
        """x [m, K, F], pointer (center, length) [m, 2] as fractions of the window, and outcome [m]."""
        labels, device = weak_labels(self.windows, first, self.settings), self.windows.device
        pointer = (
            np.stack([(labels.start + labels.end) / 2, labels.end - labels.start], axis=1) / self.windows.window_bars
        )
        return {
            "x": self.windows.take(first),
            "pointer": torch.from_numpy(pointer.astype(np.float32)).to(device),
            "outcome": torch.from_numpy(labels.outcome).to(device),
        }

    def count(self, batch: Batch) -> Tensor:
        return torch.tensor(float(len(batch["outcome"])), device=batch["outcome"].device)

    def loss(self, batch: Batch) -> Tensor:
        out = self.network(batch["x"])
        of_class = functional.cross_entropy(out.logits.float(), batch["outcome"], reduction="sum")
        return span_loss(out.spans, batch["pointer"]) * len(batch["outcome"]) + of_class

    def evaluate(self, batches: Iterable[tuple[np.ndarray, Batch]], train: np.ndarray) -> Validation:
        known = weak_labels(self.windows, train, self.settings)
        usual = usual_center(known, self.windows.window_bars)
        share = np.clip(np.bincount(known.outcome, minlength=CLASSES[self.settings.weak_class]) / len(train), 1e-6, 1)
        columns: list[np.ndarray] = []
        for _, batch in batches:
            out = self.network(batch["x"])
            best = out.spans.flatten(1).argmax(1).cpu().numpy()
            bars = self.windows.window_bars
            center, true = best // bars + best % bars / 2, batch["pointer"][:, 0].double().cpu().numpy() * bars
            target = batch["outcome"].cpu().numpy()
            loss = (
                functional.cross_entropy(out.logits.float(), batch["outcome"], reduction="none").double().cpu().numpy()
            )
            hits = [np.abs(at - true) <= WITHIN_BARS + 1e-3 for at in (center, usual)]
            columns.append(np.stack([*hits, loss, -np.log(share[target])]))
        hit, by_place, loss, base = np.concatenate(columns, axis=1)
        place = f"center of the span within {WITHIN_BARS} bars"
        return Validation(
            (
                ValidationMeasure(place, float(hit.mean()), float(by_place.mean()), "higher", hit - by_place),
                ValidationMeasure(
                    "log loss of the weak class, nats", float(loss.mean()), float(base.mean()), "lower", base - loss
                ),
            )
        )


def weak_labels(windows: BarWindows, first: np.ndarray, settings: Objective) -> WeakLabels:
    """What the rule says of the windows at bars `first` [m].

    The span is the one whose move, from its first open to its last close, is largest over the root of its length. It goes on when a high or low of
    the next `after_bars` bars lies `barrier_frac` of the move beyond its last close before one lies as far back; a bar that touches both counts
    as neither.
    """
    length = windows.window_bars
    prices = windows.prices(first, length + settings.after_bars)
    spans = of_lengths(length, settings.least_bars, settings.most_bars)
    move = move_through(prices[:, :, 0], prices[:, :, 3], spans)
    best = per_root_bar(move, spans).argmax(1)
    rows, start, end = np.arange(len(best)), spans.start[best], spans.end[best]
    move = move[rows, best]
    if settings.weak_class == "direction":
        return WeakLabels(start, end, (move >= 0).astype(np.int64))
    sign = np.where(move >= 0, 1.0, -1.0)[:, None]
    after = prices[rows[:, None], end[:, None] + 1 + np.arange(settings.after_bars)]
    last, reach = prices[rows, end, 3][:, None], settings.barrier_frac * np.abs(move)[:, None]
    up, down = after[:, :, 1] - last, last - after[:, :, 2]
    on, back = (np.where(sign * way > 0, up, down) >= reach for way in (1, -1))
    return WeakLabels(start, end, touched_first(on, back))


def usual_center(labels: WeakLabels, window_bars: int) -> float:
    """The one center, in bars, that most spans lie within 3 bars of."""
    center, at = (labels.start + labels.end) / 2, np.arange(0, window_bars, 0.5)
    return float(at[(np.abs(center[:, None] - at) <= WITHIN_BARS).sum(0).argmax()])
