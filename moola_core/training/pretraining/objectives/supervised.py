"""Which barrier the bars after a window touch first: a label that the bars give for free."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from moola_core.models.outcome import OutcomeClassifier
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


@OBJECTIVES.register("supervised")
class BarrierObjective(PretrainingObjective):
    """Cross-entropy of the barrier that is touched first (López de Prado 2018).

    Only bars after the window are looked at, and training windows whose horizon would reach into validation are left out.
    """

    rules = RULES["supervised"]

    def make_network(self, inputs: int) -> nn.Module:
        return OutcomeClassifier(inputs, self.spec.model)

    def prepare(self, first: np.ndarray, draw: torch.Generator) -> Batch:
        """x [m, K, F] and outcome [m]."""
        target = torch.from_numpy(outcomes(self.windows, first, self.settings)).to(self.windows.device)
        return {"x": self.windows.take(first), "outcome": target}

    def count(self, batch: Batch) -> Tensor:
        return torch.tensor(float(len(batch["outcome"])), device=batch["outcome"].device)

    def loss(self, batch: Batch) -> Tensor:
        logits = self.network(batch["x"]).float()
        return functional.cross_entropy(logits, batch["outcome"], reduction="none").sum()

    def evaluate(self, batches: Iterable[tuple[np.ndarray, Batch]], train: np.ndarray) -> Validation:
        known = outcomes(self.windows, train, self.settings)
        share = np.clip(np.bincount(known, minlength=3) / len(known), 1e-6, 1)
        columns: list[np.ndarray] = []
        for _, batch in batches:
            logits, target = self.network(batch["x"]).float(), batch["outcome"]
            loss = functional.cross_entropy(logits, target, reduction="none").double().cpu().numpy()
            right, true = (logits.argmax(1) == target).cpu().numpy(), target.cpu().numpy()
            columns.append(np.stack([loss, -np.log(share[true]), right, true == share.argmax()]))
        loss, base, right, common = np.concatenate(columns, axis=1)
        return Validation(
            (
                ValidationMeasure(
                    "log loss of the outcome, nats", float(loss.mean()), float(base.mean()), "lower", base - loss
                ),
                ValidationMeasure(
                    "accuracy of the outcome", float(right.mean()), float(common.mean()), "higher", right - common
                ),
            )
        )


def outcomes(windows: BarWindows, first: np.ndarray, settings: Objective) -> np.ndarray:
    """0 down, 1 neither, 2 up [m]: which barrier the highs and lows after the window touch first.

    Both lie `barrier_ranges` mean ranges of the window from its last close; a bar that touches both counts as neither.
    """
    length = windows.window_bars
    inside = windows.prices(first)
    after = windows.prices(np.asarray(first) + length, settings.horizon_bars)
    reach = settings.barrier_ranges * (inside[:, :, 1] - inside[:, :, 2]).mean(1)
    close = inside[:, -1, 3]
    return touched_first(after[:, :, 1] >= (close + reach)[:, None], after[:, :, 2] <= (close - reach)[:, None])
