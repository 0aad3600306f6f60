"""Checks of how training went: how long, how far, when it stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import beta

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.check import ERROR, INFO, Case, Check, fix_spec, register
from moola_core.diagnostics.results import Finding

LEAST_PATIENCE = 8
USUALLY_LATE = 0.3  # share of the fits of a healthy run that may end at their best
LEAST_MOVE = 0.03  # root mean square change of the weights over their size
NO_MOVE = 0.002  # a loss that fell while the weights stayed where they were fell by luck
LEAST_FALL = 0.02  # share of the class loss's first value
LONG_EPOCHS, LONG_PATIENCE, FAST_RATE = 80, 20, 2e-3
LEARNED = 0.5  # of the training loss's first value
# What of the training is set back to a sound preset's where the cause may be any of it.
OF_TRAINING = ("training.", "loss.")
LONG = {"training.epochs": LONG_EPOCHS, "training.patience": LONG_PATIENCE, "training.learning_rate": FAST_RATE}


def trained_soundly(spec: Any) -> dict[str, Any]:
    """Settings of training that differ from those of a sound preset set back, and time enough to learn; none without a spec."""
    if spec is None or spec.kind != "finetune":
        return dict(LONG)
    pairs = suspects.departures(spec, suspects.reference_of(spec))
    return {name: sound for name, (_, sound) in pairs.items() if name.startswith(OF_TRAINING)} | LONG


def learned(case: Case) -> bool:
    """Whether the training loss has fallen to half of where it began; false where it is not known."""
    first, last = case.get("train_loss_first"), case.get("train_loss_last")
    return first is not None and last is not None and last < LEARNED * first


@register
class TooLittleTraining(Check):
    """The weights are where they started."""

    id, title = "too_little_training", "Too little training"
    networks_only = True
    after = ("far_settings",)
    kinds = ("finetune",)

    def judge(self, case: Case) -> Finding | None:
        moved, first, last = case["moved"], case["train_loss_first"], case["train_loss_last"]
        fall = (first - last) / max(abs(first), 1e-12)
        if moved >= LEAST_MOVE or (moved >= NO_MOVE and fall >= LEAST_FALL):
            return None
        return self.finding(
            ERROR,
            f"The weights moved by {moved:.2%} of their size, and the training loss of the {case.get('train_loss_of') or 'class'} went from {first:.3f} to {last:.3f} "
            f"({fall:+.1%} of its fall).",
            {
                "moved": moved,
                "train_loss_first": first,
                "train_loss_last": last,
                "learning_rate": case.get("learning_rate"),
            },
            "This is the network as it was drawn at random. Raise the learning rate, or train for more steps.",
            fix_spec(case, trained_soundly(case.spec)),
        )


@register
class StoppedTooEarly(Check):
    """Training ended while it still had something to learn."""

    id, title = "stopped_too_early", "Stopped too early"
    usual = True
    networks_only = True
    after = ("far_settings", "too_little_training")

    def judge(self, case: Case) -> Finding | None:
        if case.kind == "reported" or case.planned:
            return self._by_patience(case)
        epochs, patience = case["epochs"], case.get("patience")
        best, run = np.array(case["best_epochs"]), np.array(case["epochs_run"])
        evidence = {"best_epochs": best.tolist(), "epochs_run": run.tolist(), "patience": patience, "epochs": epochs}
        short = patience is not None and patience < LEAST_PATIENCE
        late, cut = float((best >= epochs - 1).mean()), float((run - best >= patience).mean()) if short else 0.0
        if late >= 0.5:
            summary = f"{late:.0%} of the fits were at their best in one of the last two of {epochs} epochs: they were still getting better."
        elif short:
            summary = f"{cut:.0%} of the fits were stopped after {patience} epochs without gain"
            summary += f", the others by the limit of {epochs} epochs before that" if cut < 1 else ""
            summary += f". In the median the best epoch was {np.median(best):.0f} of {np.median(run):.0f}."
        else:
            return None
        # Of a few fits some are at their best at the end by chance.
        is_sure = late >= 0.5 and beta.ppf(0.05, late * len(best), (1 - late) * len(best) + 1) >= USUALLY_LATE
        severity = ERROR if is_sure or (late < 0.5 and cut >= 0.5) else INFO
        return self.finding(severity, summary, evidence, self._advice(case, patience), self._fix(case, late >= 0.5))

    def _by_patience(self, case: Case) -> Finding | None:
        patience, epochs = case["patience"], case.get("epochs")
        if patience >= LEAST_PATIENCE:
            return None
        steps = case.get("steps_per_epoch")
        summary = f"Training stops after {patience} epochs without gain" + (f" of {epochs}" if epochs else "")
        summary += f", {patience * steps:.0f} steps" if steps else ""
        evidence = {"patience": patience, "epochs": epochs, "steps_per_epoch": steps}
        return self.finding(
            INFO if case.planned else ERROR,
            f"{summary}.",
            evidence,
            self._advice(case, patience),
            self._fix(case, False),
        )

    def _advice(self, case: Case, patience: int | None) -> str:
        return (
            "A loss on a few dozen validation windows wanders by more than an epoch gains, so a short patience stops on noise. Wait "
            f"{LONG_PATIENCE} epochs, and allow enough of them for the loss to turn."
        )

    def _fix(self, case: Case, unfinished: bool) -> dict | None:
        if case.spec is None or case.spec.kind != "finetune":
            return None
        training = case.spec.training
        changes = {
            "training.epochs": max(LONG_EPOCHS, 3 * training.epochs),
            "training.patience": max(LONG_PATIENCE, training.patience or 0),
        }
        if unfinished and training.learning_rate < FAST_RATE:
            changes["training.learning_rate"] = FAST_RATE
        return fix_spec(case, changes)
