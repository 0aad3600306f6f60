"""How many labels are wrong, estimated from several models' out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax
from scipy.stats import chi2

RATES = np.arange(0, 0.36, 0.01)
FLOOR = 1e-3  # of a probability, so that no prediction is taken to be certain
ONE_SIDED_95 = float(chi2.ppf(0.9, 1))


def flip_rate(label: np.ndarray, answers: Sequence[np.ndarray]) -> dict[str, Any]:
    """The share of labels moved at random to another class that makes the models' predictions most likely.

    label [n] as numbers of classes; answers: probabilities [n, C] of each model. A label's probability is (1 − ε) q + ε (1 − q) / (C − 1)
    with q a logistic regression on the models' log odds (Bootkrajang and Kabán 2012). A model that is merely unsure errs less the surer it
    is; wrong labels contradict it however sure it is, and that is what ε fits. → flip_rate, flip_rate_low (one-sided 95%, by the profile
    of the likelihood), flip_evidence (twice the gain of log likelihood over ε = 0).
    """
    odds = [np.log(np.clip(p, FLOOR, 1)) for p in answers]
    odds = [z - z.mean(1, keepdims=True) for z in odds]
    z = np.stack([part / max(part.std(), 1e-9) for part in odds], axis=2)
    at, losses = np.r_[np.zeros(z.shape[1]), np.full(z.shape[2], 0.5)], []
    limits = [(-20.0, 20.0)] * z.shape[1] + [(0.0, 20.0)] * z.shape[2]
    for rate in RATES:
        fit = minimize(_loss, at, (rate, label, z), jac=True, method="L-BFGS-B", bounds=limits)
        at = fit.x
        losses.append(fit.fun)
    worse = 2 * (np.array(losses) - min(losses))
    return {
        "flip_rate": float(RATES[worse.argmin()]),
        "flip_rate_low": float(RATES[worse < ONE_SIDED_95].min()),
        "flip_evidence": float(worse[0]),
    }


def _loss(weights: np.ndarray, rate: float, label: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
    """Negative log likelihood and its gradient; weights: an offset a class, a slope a model; z [n, C, M]."""
    classes, rows = z.shape[1], np.arange(len(label))
    q = softmax(weights[:classes] + z @ weights[classes:], axis=1)
    other = rate / (classes - 1)
    p = other + (1 - rate - other) * q[rows, label]
    step = ((1 - rate - other) * q[rows, label] / p)[:, None] * (np.eye(classes)[label] - q)
    return -float(np.log(p).sum()), -np.r_[step.sum(0), np.einsum("nc,ncm->m", step, z)]
