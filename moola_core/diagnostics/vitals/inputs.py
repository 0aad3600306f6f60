"""Vital signs of what a model reads: its scale, and what is lost on the way from the prices."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

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
