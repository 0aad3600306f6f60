"""Vital signs of what a model reads: its scale, and what is lost on the way from the prices."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.doctor.baseline_facts import aggregated, out_of_fold
from moola_core.diagnostics.vitals.groups import aurocs, deviation_of_auroc
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign
from moola_core.estimators.extra_trees import trees
from moola_core.features.matrix import window_matrix
from moola_core.specs import Features

FIFTHS = 5
EVERY = ("relativity", "price_path")


def _sizes(evidence: Evidence) -> dict[str, float]:
    if not evidence.spec.is_network:
        raise NotKnown("It is judged of networks only: other models do not depend on the scale of a column.")
    sizes = {name: value for name, value in evidence.fact("feature_std").items() if value > 0}
    if not sizes:
        raise NotKnown("No column varies.")
    return sizes


@sign(
    "inputs",
    "Smallest column",
    "A column far smaller than the others needs weights that training does not reach.",
    "Standardise the features.",
    unit="standard deviation, powers of ten",
    tail="low",
    usual=(-0.7, np.inf),
)
def smallest_column(evidence: Evidence) -> Measured:
    """Logarithm of the smallest standard deviation of a column as the network reads it."""
    sizes = _sizes(evidence)
    name = min(sizes, key=sizes.__getitem__)
    return Measured(float(np.log10(sizes[name])), name)


@sign(
    "inputs",
    "Largest column",
    "A column far larger than the others drowns them.",
    "Standardise the features.",
    unit="standard deviation, powers of ten",
    usual=(-np.inf, 0.7),
)
def largest_column(evidence: Evidence) -> Measured:
    """Logarithm of the largest standard deviation of a column as the network reads it."""
    sizes = _sizes(evidence)
    name = max(sizes, key=sizes.__getitem__)
    return Measured(float(np.log10(sizes[name])), name)


@sign(
    "inputs",
    "Noise added to the inputs",
    "Noise that is larger than a feature hides it.",
    "Lower training.jitter_std.",
    unit="of the median column",
    usual=(-np.inf, 0.3),
)
def added_noise(evidence: Evidence) -> Measured:
    """Standard deviation of the noise that is added in training, over that of the median column."""
    ratios = evidence.fact("jitter_over_std")
    return Measured(float(np.median(list(ratios.values()))) if ratios else 0.0)


@sign(
    "inputs",
    "Scale of the training windows",
    "Mean and deviation of the inputs are those of the windows that a fit was trained on; with others, it has seen the tested windows.",
    "Compute the scale within each fold, from its training windows alone.",
    unit="standard deviations",
    usual=(-np.inf, 1e-3),
)
def scale_off(evidence: Evidence) -> Measured:
    """Largest distance between the mean that a fit scales by and the mean of its training windows, in their standard deviations."""
    stored = {fit: own["scale.mean"] for fit, own in evidence.weights.items() if "scale.mean" in own}
    if not stored or not evidence.spec.features.standardise or evidence.spec.transfer.checkpoint:
        raise NotKnown("The fits do not scale by their own training windows.")
    distances = []
    for fit, mean in stored.items():
        own = evidence.x[evidence.fits().rows(*fit).train].reshape(-1, evidence.x.shape[2]).astype(float)
        spread = own.std(0)
        distances.append(float((np.abs(own.mean(0) - mean) / np.where(spread > 1e-9, spread, 1.0)).max()))
    return Measured(max(distances))


@sign(
    "inputs",
    "What the columns leave out",
    "A model cannot use what its columns do not hold: the same trees on all columns tell how much that is.",
    "Give the model more of the columns; the study `features` compares them.",
    unit="standard deviations of AUROC",
    usual=(-np.inf, 2.0),
)
def left_out(evidence: Evidence) -> Measured:
    """By how many standard deviations extra trees on all columns tell the classes better than on those that the run reads."""
    if evidence.probabilities is None:
        raise NotKnown("Extra trees were not fitted on the run's folds.")
    every = window_matrix(evidence.windows, Features(columns=EVERY))
    p = out_of_fold(trees, aggregated(every, FIFTHS), evidence.fits(), evidence.label)
    with np.errstate(invalid="ignore"):
        both = np.stack([np.nanmean(one, axis=0)[:, 0] for one in (evidence.probabilities, p)], axis=1)
    known, positive = np.isfinite(both).all(1), evidence.target == 0
    own, more = aurocs(both[known], positive[known])
    value = (more - own) / deviation_of_auroc(positive[known])
    return Measured(float(value), f"AUROC {own:.2f}, with all columns {more:.2f}")
