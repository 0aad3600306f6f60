"""Vital signs of the network and of its training: weights, losses by epoch and by step, how far and how fast they moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moola_core.diagnostics.vitals.evaluation import AGAIN_AWAY, predicted_again
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

FIT = ["repeat", "fold"]
STORED_AWAY = 0.01  # nats beyond which the stored weights are not those of the epoch; arithmetic differs by far less


def _curves(evidence: Evidence, split: str, loss: str = "loss_class") -> list[np.ndarray]:
    """A loss by epoch of each fit. Raises NotKnown without it."""
    rows = evidence.by_epoch
    rows = rows[rows["split"] == split]
    if loss not in rows or not rows[loss].notna().any():
        raise NotKnown(f"The {loss.removeprefix('loss_')} was not trained.")
    return [own[loss].to_numpy(float) for _, own in rows.groupby(FIT)]


def _median(values: list[float]) -> Measured:
    return Measured(float(np.median(values)))


def _finished(evidence: Evidence, name: str) -> list[Any]:
    values = [e["values"].get(name) for e in evidence.events if e["type"] == "replicate_finished"]
    values = [value for value in values if value is not None]
    if not values:
        raise NotKnown("It is recorded of networks that were trained here.")
    return values


@sign(
    "network",
    "Size of the weights",
    "Weights start near the inverse root of their inputs; far smaller they were decayed away, far larger they ran away.",
    "Look at the weight decay and at the learning rate.",
    unit="powers of ten",
    tail="both",
    usual=(-0.6, 0.6),
)
def weight_size(evidence: Evidence) -> Measured:
    """Logarithm of the weights' root mean square times the root of their inputs; the median over matrices and fits."""
    sizes = [
        np.log10(max(float(np.sqrt(np.square(w, dtype=float).mean() * np.prod(w.shape[1:]))), 1e-9))
        for own in evidence.weights.values()
        for name, w in own.items()
        if w.ndim >= 2 and not name.startswith("scale.")
    ]
    if not sizes:
        raise NotKnown("The model is no network.")
    return _median(sizes)


@sign(
    "optimisation",
    "Class loss in the first epoch",
    "Before anything is learned, the loss is that of predicting the shares of the classes; another value means another loss or other outputs.",
    "Check the number of outputs, the sign and the weight of the loss, and the scale of the inputs.",
    unit="nats",
    tail="both",
    usual=(-0.25, 0.4),
)
def first_loss(evidence: Evidence) -> Measured:
    """Training loss of the class in the first epoch less that of predicting the class shares; the median over fits."""
    entropy = evidence.fact("label_entropy")
    return _median([curve[0] - entropy for curve in _curves(evidence, "train")])


@sign(
    "optimisation",
    "Distance moved for each step",
    "With Adam a step is about the learning rate; steps that cancel out move less, steps all in one direction move more.",
    "Look at the limit of the gradient norm, the state of the optimiser, and whether gradients are set back to zero.",
    unit="powers of ten",
    tail="both",
    usual=(0.5, 1.6),
)
def step_use(evidence: Evidence) -> Measured:
    """Logarithm of the distance moved over the learning rate, that of the encoder, times the root of the number of steps; the median over fits."""
    steps, transfer = evidence.fact("steps_per_fit"), evidence.spec.transfer
    if transfer.schedule == "gradual":
        raise NotKnown("Its parts begin to train one after another, each at a rate of its own.")
    rate = evidence.spec.training.learning_rate * (transfer.encoder_lr_scale if transfer.schedule == "full" else 1.0)
    if rate <= 0:
        raise NotKnown("The learning rate is 0.")
    values = _finished(evidence, "moved")
    return _median([float(np.log10(max(value, 1e-9) / (rate * np.sqrt(max(steps, 1))))) for value in values])


def _kept(evidence: Evidence) -> dict[tuple[int, int], int]:
    """The epoch that each fit says it kept."""
    return {
        (e["repeat"], e["fold"]): e["values"]["best_epoch"]
        for e in evidence.events
        if e["type"] == "replicate_finished" and e["values"].get("best_epoch")
    }


@sign(
    "optimisation",
    "Loss of the kept epoch",
    "The epoch that is kept is the one whose validation loss is the lowest.",
    "Look at what selects the epoch: the sign of the comparison, the loss that it compares, the weights that it stores.",
    unit="nats above the lowest",
    usual=(-np.inf, 0.02),
)
def kept_epoch(evidence: Evidence) -> Measured:
    """Validation loss of the kept epoch less the lowest of the fit; the median over fits."""
    if evidence.spec.training.monitor != "loss":
        raise NotKnown("The epoch is selected by another metric than the loss.")
    kept = _kept(evidence)
    rows = evidence.by_epoch
    rows = rows[rows["split"] == "validation"].set_index(["repeat", "fold", "epoch"])["loss"]
    above = [rows[(*fit, epoch)] - rows[fit].min() for fit, epoch in kept.items() if (*fit, epoch) in rows.index]
    return _median([float(value) for value in above])


@sign(
    "optimisation",
    "Stored networks against the loss of the kept epoch",
    "The networks that are stored are those of the epoch that was kept, so they have its log loss on the windows that selected it.",
    "Look at how the weights of the best epoch are remembered: without a copy they go on to train. Then at whether the loss that is trained is the log loss of the outputs, as it is not where softmax is taken twice.",
    unit="nats",
    usual=(-np.inf, 0.01),
)
def stored_epoch(evidence: Evidence) -> Measured:
    """Distance of the stored networks' class loss on the validation windows from the one that training noted at the kept epoch; the mean over fits."""
    if not evidence.inner_again:
        raise NotKnown("It needs the networks of a run that predicts classes, and validation windows.")
    if evidence.again is not None and predicted_again(evidence).value > AGAIN_AWAY:
        raise NotKnown(
            "The stored networks do not give the stored predictions, so their loss says nothing of the epoch."
        )
    kept, rows = _kept(evidence), evidence.by_epoch
    rows = rows[rows["split"] == "validation"].set_index(["repeat", "fold", "epoch"])["loss_class"]
    noted = {fit: rows[(*fit, epoch)] for fit, epoch in kept.items() if (*fit, epoch) in rows.index}
    off = {fit: abs(loss - noted[fit]) for fit, loss in evidence.inner_again.items() if fit in noted}
    differ = sum(value > STORED_AWAY for value in off.values())
    return Measured(float(np.mean(list(off.values()))), f"{differ} of {len(off)} fits differ")


def _steps(evidence: Evidence, column: str) -> pd.DataFrame:
    if evidence.steps is None or column not in evidence.steps or not evidence.steps[column].notna().any():
        raise NotKnown("It is recorded by step of networks that were trained here.")
    rows = evidence.steps
    return rows if "repeat" in rows else rows.assign(repeat=0, fold=0)


@sign(
    "optimisation",
    "Size of the class gradient",
    "Gradients that vanish train nothing, gradients that explode train noise.",
    "Look at the weights of the losses, the depth and the normalisation.",
    unit="powers of ten",
    tail="both",
    usual=(-2.0, 1.5),
)
def gradient_size(evidence: Evidence) -> Measured:
    """Logarithm of the median norm of the class task's gradient on the shared parameters."""
    if evidence.shared_parameters == 0:
        raise NotKnown("The tasks share no trainable parameter.")
    norms = _steps(evidence, "norm_class")["norm_class"].dropna()
    return Measured(float(np.log10(max(norms.median(), 1e-12))))
