"""Vital signs of the network and of its training: weights, losses by epoch and by step, how far and how fast they moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

FIT = ["repeat", "fold"]


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
    "network",
    "Units that do not vary",
    "A unit with the same value for every window carries nothing.",
    "Look at the learning rate, the normalisation and the scale of the inputs.",
    usual=(-np.inf, 0.1),
)
def still_units(evidence: Evidence) -> Measured:
    """Share of normalised units whose variance over the training windows is next to nothing."""
    variances = [w for own in evidence.weights.values() for name, w in own.items() if name.endswith("running_var")]
    if not variances:
        raise NotKnown("The network has no batch normalisation.")
    return Measured(float(np.mean([(v < 1e-5).mean() for v in variances])))


@sign(
    "network",
    "Spread of the scores",
    "Scores that are nearly the same for all windows mean that hardly anything of a window arrives at the output.",
    "Look at dropout, at the depth of the network and at how long it was trained.",
    unit="log odds, powers of ten",
    tail="both",
    usual=(-1.7, 1.2),
)
def score_spread(evidence: Evidence) -> Measured:
    """Logarithm of the standard deviation of the tested windows' log odds within a fit; the median over fits."""
    if not evidence.table.has_probabilities:
        raise NotKnown("There are no probabilities of the classes.")
    spreads = []
    for _, _, part in evidence.table.folds():
        p = np.clip(part.probabilities, 1e-12, 1)
        spreads.append(float(np.log10(max(np.log(p[:, 0] / (1 - p[:, 0] + 1e-12)).std(), 1e-9))))
    return _median(spreads)


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
    "Training against validation loss in the first epoch",
    "In the first epoch both are measured on windows that the network does not know, so they are alike.",
    "Check that the loss that is trained is the loss that is measured.",
    unit="nats",
    tail="both",
    usual=(-0.3, 0.6),
)
def first_gap(evidence: Evidence) -> Measured:
    """Training less validation loss of the class in the first epoch; the median over fits."""
    both = zip(_curves(evidence, "train"), _curves(evidence, "validation"), strict=True)
    return _median([train[0] - validation[0] for train, validation in both])


@sign(
    "optimisation",
    "Fall of the class loss",
    "A network of this size can fit its training windows, so their loss falls.",
    "Look at the learning rate, the gradients and the weights of the losses.",
    tail="low",
    usual=(0.1, np.inf),
)
def class_fall(evidence: Evidence) -> Measured:
    """Share of its first value by which the training loss of the class falls; the median over fits."""
    return _median([(curve[0] - curve.min()) / max(abs(curve[0]), 1e-9) for curve in _curves(evidence, "train")])


@sign(
    "optimisation",
    "Fall of the pointer loss",
    "The pointer's training loss falls at least to that of a constant.",
    "Look at the learning rate, the weights of the losses and the pointers.",
    tail="low",
    usual=(0.02, np.inf),
)
def pointer_fall(evidence: Evidence) -> Measured:
    """Share of its first value by which the training loss of the pointer falls; the median over fits."""
    curves = _curves(evidence, "train", "loss_pointer")
    return _median([(curve[0] - curve.min()) / max(abs(curve[0]), 1e-9) for curve in curves])


@sign(
    "optimisation",
    "Rise of the training loss",
    "The training loss ends near its lowest value; where it rises again, steps lead away.",
    "Lower the learning rate, and check the sign of the gradients.",
    unit="nats",
    usual=(-np.inf, 0.2),
)
def loss_rise(evidence: Evidence) -> Measured:
    """Last less lowest training loss of the class; the median over fits."""
    return _median([curve[-1] - curve.min() for curve in _curves(evidence, "train")])


@sign(
    "optimisation",
    "Unsteadiness of the training loss",
    "From epoch to epoch the training loss moves less than it falls in all.",
    "Lower the learning rate, or clip the gradients.",
    unit="nats",
    usual=(-np.inf, 0.2),
)
def loss_unsteady(evidence: Evidence) -> Measured:
    """Root mean square of the second differences of the training loss of the class; the median over fits."""
    curves = [curve for curve in _curves(evidence, "train") if len(curve) > 3]
    if not curves:
        raise NotKnown("It needs four epochs.")
    return _median([float(np.sqrt(np.square(np.diff(curve, 2)).mean() / 6)) for curve in curves])


@sign(
    "optimisation",
    "Fall of the validation loss",
    "What a network learns shows on windows that it does not train on, unless they hold nothing.",
    "Look at the learning rate and the labels; compare with simple models.",
    unit="nats",
    tail="low",
    usual=(-0.05, np.inf),
)
def validation_fall(evidence: Evidence) -> Measured:
    """Class shares' loss less the lowest validation loss of the class; the median over fits."""
    entropy = evidence.fact("label_entropy")
    return _median([entropy - curve.min() for curve in _curves(evidence, "validation")])


@sign(
    "optimisation",
    "Distance moved by the weights",
    "Weights that stay where they were drawn have learned nothing; weights far from there have forgotten it.",
    "Look at the learning rate and at the number of steps.",
    unit="of their size, powers of ten",
    tail="both",
    usual=(-1.0, 0.5),
)
def moved(evidence: Evidence) -> Measured:
    """Logarithm of the root mean square change of the weights over their size at the start; the median over fits."""
    return _median([float(np.log10(max(value, 1e-9))) for value in _finished(evidence, "moved")])


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
    """Logarithm of the distance moved over the learning rate times the root of the number of steps; the median over fits."""
    steps = evidence.fact("steps_per_fit")
    rate = evidence.spec.training.learning_rate
    if rate <= 0:
        raise NotKnown("The learning rate is 0.")
    values = _finished(evidence, "moved")
    return _median([float(np.log10(max(value, 1e-9) / (rate * np.sqrt(max(steps, 1))))) for value in values])


@sign(
    "optimisation",
    "Best epoch",
    "The best epoch lies between the first and the last: at the start nothing useful was learned, at the end training was cut short.",
    "At the start: lower the learning rate. At the end: train for longer.",
    unit="of the epochs",
    tail="both",
    usual=(0.06, 0.95),
)
def best_place(evidence: Evidence) -> Measured:
    """Best epoch over the epochs that were run; the median over fits."""
    both = zip(evidence.fact("best_epochs"), evidence.fact("epochs_run"), strict=True)
    return _median([best / max(run, 1) for best, run in both if best is not None])


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
    kept = {
        (e["repeat"], e["fold"]): e["values"]["best_epoch"]
        for e in evidence.events
        if e["type"] == "replicate_finished" and e["values"].get("best_epoch")
    }
    rows = evidence.by_epoch
    rows = rows[rows["split"] == "validation"].set_index(["repeat", "fold", "epoch"])["loss"]
    above = [rows[(*fit, epoch)] - rows[fit].min() for fit, epoch in kept.items() if (*fit, epoch) in rows.index]
    return _median([float(value) for value in above])


@sign(
    "optimisation",
    "Epochs that were run",
    "A few epochs of a few steps are too few to learn from.",
    "Allow more epochs and a longer patience.",
    unit="epochs",
    tail="low",
    usual=(9.0, np.inf),
)
def epochs_run(evidence: Evidence) -> Measured:
    """Epochs of a fit; the median over fits."""
    return _median([float(value) for value in evidence.fact("epochs_run")])


@sign(
    "optimisation",
    "Steps of an epoch",
    "One step an epoch has no noise to leave a bad start with, and learns slowly.",
    "Choose a batch of a fifth of the windows or less.",
    unit="steps",
    tail="low",
    usual=(1.5, np.inf),
)
def steps_of_epoch(evidence: Evidence) -> Measured:
    """Steps of a fit over its epochs; the median over fits."""
    return Measured(evidence.fact("steps_per_fit") / max(float(np.mean(evidence.fact("epochs_run"))), 1.0))


def _steps(evidence: Evidence, column: str) -> pd.DataFrame:
    if evidence.steps is None or column not in evidence.steps or not evidence.steps[column].notna().any():
        raise NotKnown("It is recorded by step of networks that were trained here.")
    rows = evidence.steps
    return rows if "repeat" in rows else rows.assign(repeat=0, fold=0)


@sign(
    "optimisation",
    "Batches that repeat",
    "Windows are shuffled anew in each epoch, so a step's loss says nothing of the same step an epoch later.",
    "Shuffle the windows in each epoch.",
    unit="standard deviations",
    usual=(-np.inf, 4.5),
)
def batches_repeat(evidence: Evidence) -> Measured:
    """Correlation of a step's class loss, less its epoch's line, with that of the same step an epoch later, in standard deviations."""
    rows, pairs, free = _steps(evidence, "loss_class"), [], 0
    for _, own in rows.groupby(FIT):
        by_epoch = [part["loss_class"].to_numpy(float) for _, part in own.groupby("epoch")]
        by_epoch = by_epoch[len(by_epoch) // 3 :]  # in the first ones the loss falls within an epoch
        steps = min(map(len, by_epoch)) - 1  # the last batch is what is left over, and smaller
        if len(by_epoch) > 2 and steps > 2:
            table = _without_line(np.stack([one[:steps] for one in by_epoch]))
            pairs.append((table[1:].ravel(), table[:-1].ravel()))
            free += (len(by_epoch) - 1) * (steps - 2)
    if not pairs:
        raise NotKnown("It needs four steps in each of three epochs.")
    later, before = (np.concatenate(side) for side in zip(*pairs, strict=True))
    correlation = float((later * before).sum() / max(np.sqrt((later**2).sum() * (before**2).sum()), 1e-12))
    return Measured(correlation * np.sqrt(free), f"correlation {correlation:.2f}")


def _without_line(losses: np.ndarray) -> np.ndarray:
    """Losses [epochs, steps] less the straight line of each epoch: what is learned within it."""
    line = np.stack([np.ones(losses.shape[1]), np.arange(losses.shape[1])], axis=1)
    return losses - (line @ np.linalg.pinv(line) @ losses.T).T


@sign(
    "optimisation",
    "Difference between the steps of an epoch",
    "Each step sees other windows, so losses of the steps of one epoch differ.",
    "Check that an epoch goes through all training windows.",
    unit="nats, powers of ten",
    tail="low",
    usual=(-2.3, np.inf),
)
def step_difference(evidence: Evidence) -> Measured:
    """Logarithm of the standard deviation of the class loss of the steps of an epoch; the median over epochs."""
    spread = _steps(evidence, "loss_class").groupby([*FIT, "epoch"])["loss_class"].std().dropna()
    if not len(spread):
        raise NotKnown("It needs two steps an epoch.")
    return Measured(float(np.log10(max(spread.median(), 1e-9))))


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


@sign(
    "optimisation",
    "Pointer gradient over class gradient",
    "The task with the larger gradient decides what the shared weights learn.",
    "Look at the weights of the losses.",
    unit="powers of ten",
    tail="both",
    usual=(-2.5, 1.0),
)
def gradient_share(evidence: Evidence) -> Measured:
    """Logarithm of the ratio of the two tasks' median gradient norms on the shared parameters."""
    if evidence.shared_parameters == 0:
        raise NotKnown("The tasks share no trainable parameter.")
    return Measured(float(np.log10(max(evidence.fact("gradient_ratio"), 1e-12))))
