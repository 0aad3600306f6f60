"""The course of one fit, whichever engine trains it: its report of each epoch, the best epoch, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moola_core.errors import RunError
from moola_core.metrics import METRICS, Predictions, measure
from moola_core.models.checkpoint import weights_of
from moola_core.training.device import Device
from moola_core.training.events import Emit, Event
from moola_core.training.fit import STEP_COLUMNS, Fit, Predicted
from moola_core.training.inputs import Replicate

SMALLEST_GAIN = 1e-6


def score_inner(fits: Sequence[Fit], predicted: Sequence[Predicted]) -> list[dict[str, Any]]:
    """The monitored metrics of what fits predicted for their validation windows, of all fits at once."""
    inputs, validation = fits[0].inputs, [fit.fold.validation for fit in fits]
    width = max(map(len, validation))
    rows = np.stack([np.pad(own, (0, width - len(own))) for own in validation])
    present = np.arange(width) < np.array([[len(own)] for own in validation])
    probabilities = _padded([one.probabilities for one in predicted], width)
    spans = _padded([one.span for one in predicted], width)
    true = np.stack([inputs.start, inputs.end], axis=1)[rows]
    padded = Predictions(inputs.classes, inputs.target[rows], probabilities, spans, true, inputs.window_bars)
    monitored = [name for name, metric in METRICS.items() if metric.monitored]
    values = measure(padded, present.astype(float), monitored)
    return [{name: _plain(values[name][r], inputs.classes) for name in values} for r in range(len(fits))]


def _plain(value: np.ndarray, classes: tuple[str, ...]) -> Any:
    """A number, None where it is not defined, or one per class."""
    if value.ndim:
        return dict(zip(classes, value.tolist(), strict=True))
    return float(value) if np.isfinite(value) else None


def _padded(parts: Sequence[np.ndarray | None], width: int) -> np.ndarray | None:
    """Arrays [m, k] of different m as one [R, width, k]; None when they are none."""
    return (
        np.stack([np.pad(p, ((0, width - len(p)), (0, 0))) for p in parts if p is not None])
        if parts[0] is not None
        else None
    )


class FitMonitor:
    """Epochs are begun, measured and ended in turn; `best_epoch` counts from 1, and `stopped` says that no more are wanted."""

    def __init__(self, fit: Fit, emit: Emit) -> None:
        self.fit, self.emit = fit, emit
        self.where: dict[str, Any] = {"repeat": fit.fold.repeat, "fold": fit.fold.fold}
        self.best, self.best_epoch, self.epochs, self.stopped = float("inf"), 0, 0, False
        self.before, self.moved = weights_of(fit.model), 0.0
        self.tables: list[np.ndarray] = []
        self.of_best: Predicted | None = None
        sizes = {role: len(getattr(fit.fold, role)) for role in ("train", "validation", "test", "purged")}
        emit(Event("replicate_started", **self.where, values=sizes))

    def emit_phase(self, epoch: int, encoder_noise: float | None) -> None:
        """Say what trains from this epoch on."""
        values = {
            "parameters": self.fit.model.count_trainable(),
            "names": self.fit.unfreezing.trainable(),
            "rates": self.fit.unfreezing.phase.rates,
            "encoder_noise": encoder_noise,
        }
        self.emit(Event("trainable", **self.where, epoch=epoch, values=values))

    def scores_epoch(self, epoch: int) -> bool:
        """Whether this epoch's predictions of the validation windows are scored."""
        training = self.fit.spec.training
        return epoch % training.eval_every_epochs == 0 or training.monitor == "f1_macro"

    def measure(
        self, epoch: int, table: np.ndarray, predicted: Predicted, scores: dict[str, Any] | None = None
    ) -> bool:
        """Take notice of an epoch's steps [steps, columns] and of what was predicted of the validation windows.

        scores: `score_inner` of the predictions, where it is known already. Returns whether it is the best so far. Raises RunError when a
        loss is not a number.
        """
        fit, training = self.fit, self.fit.spec.training
        self.epochs = epoch
        self.tables.append(table)
        losses = predicted.losses
        metrics: dict[str, Any] = {}
        if self.scores_epoch(epoch):
            metrics = scores or score_inner([fit], [predicted])[0]
        self._emit_epoch(epoch, table, losses)
        if epoch % training.eval_every_epochs == 0:
            values = metrics | fit.rates(np.concatenate(self.tables))
            self.emit(Event("monitor", **self.where, epoch=epoch, split="validation", values=values))
        score = fit.score(losses, metrics.get("f1_macro"))
        if not np.isfinite(losses).all():
            raise RunError(
                f"The loss is not a number from epoch {epoch} on (repeat {fit.fold.repeat}, fold {fit.fold.fold}).",
                hint="Lower training.learning_rate or training.max_grad_norm.",
            )
        better = score < self.best - SMALLEST_GAIN
        if better:
            self.best, self.best_epoch, self.of_best = score, epoch, predicted
        # What is still to be unfrozen gets its turn: patience counts from the last change on.
        since = max(self.best_epoch, fit.unfreezing.last_change)
        waited = training.patience is not None and epoch - since >= training.patience
        self.stopped = epoch == training.epochs or waited
        return better

    def ends_phase(self) -> bool:
        """Whether the phase in force ended with the epoch that was measured; `fit.model` must then hold its weights."""
        return self.fit.unfreezing.ends(self.epochs, self.stopped)

    def emit_changed(self) -> None:
        """Say which weights the phase changed. Raises RunError when a frozen one is among them."""
        changed = self.fit.unfreezing.changed()
        self.moved = self.fit.unfreezing.moved(self.before)
        values = {"names": changed, "count": len(changed)}
        self.emit(Event("changed", **self.where, epoch=self.epochs, values=values))

    def _emit_epoch(self, epoch: int, table: np.ndarray, losses: np.ndarray) -> None:
        fit, at = self.fit, self.where | {"epoch": epoch}
        sigmas = fit.sigmas()
        means = table[:, :3].mean(0).tolist()
        values: dict[str, Any] = dict(zip(("loss", "loss_class", "loss_pointer"), means, strict=True))
        values |= {"sigma_class": sigmas[0], "sigma_pointer": sigmas[1]} if sigmas else {}
        self.emit(Event("epoch", **at, split="train", values=values | {"lr": max(fit.unfreezing.phase.rates.values())}))
        values = {
            "loss": fit.score(losses, None),
            "loss_class": float(losses[0]),
            "loss_pointer": float(losses[1]),
        }
        self.emit(Event("epoch", **at, split="validation", values=values))

    def finish(self, predicted: Predicted, weights: dict[str, np.ndarray], seconds: float, device: Device) -> Replicate:
        """The fit's outcome: what the selected epoch's `weights` predicted of the test windows."""
        fit, (probabilities, span, _, spans) = self.fit, predicted
        values = {"seconds": seconds, "best_epoch": self.best_epoch, "epochs": self.epochs, "moved": self.moved}
        self.emit(Event("replicate_finished", **self.where, values=values))
        sigmas = fit.sigmas() if fit.spec.model.tasks == "both" else None
        inner = {} if self.of_best is None else score_inner([fit], [self.of_best])[0]
        return Replicate(
            fit.fold.repeat,
            fit.fold.fold,
            fit.fold.test,
            probabilities,
            None if span is None else span[:, 0],
            None if span is None else span[:, 1],
            self.best_epoch,
            self.epochs,
            weights | {"scale.mean": fit.mean, "scale.std": fit.std} | fit.terms.arrays,
            self._columns(),
            sigmas[1] / sigmas[0] if sigmas else None,
            self._at_limit(),
            fit.model.count_trainable(),
            sum(parameter.numel() for parameter in fit.model.shared().values()),
            seconds,
            device.name,
            spans,
            inner=inner,
        )

    def _at_limit(self) -> bool | None:
        reached = np.concatenate(self.tables)[:, STEP_COLUMNS.index("at_limit")]
        return None if np.isnan(reached).all() else bool((reached == 1).any())

    def _columns(self) -> dict[str, np.ndarray]:
        table = np.concatenate(self.tables)
        sizes = [len(part) for part in self.tables]
        columns: dict[str, np.ndarray] = {name: np.full(len(table), value) for name, value in self.where.items()}
        columns["epoch"] = np.repeat(np.arange(1, len(self.tables) + 1), sizes)
        columns["step"] = np.arange(len(table))
        return columns | {name: table[:, i] for i, name in enumerate(STEP_COLUMNS)}
