"""A conditional logit over the spans of a window, with labels that may be off (McFadden 1974; latent labels by their likelihood)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import softmax

MOST_ITERATIONS = 100
TOLERANCE = 1e-6
NEGLIGIBLE = 1e-4
SAMPLE = 20_000


def scale(described: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each statistic, [D] each, over an even sample of all spans of all windows."""
    flat = described.reshape(-1, described.shape[2])
    sample = flat[:: max(1, len(flat) // SAMPLE)].astype(np.float64)
    return sample.mean(0), sample.std(0) + 1e-6


def standardise(described: np.ndarray, mean: np.ndarray, std: np.ndarray) -> None:
    """In place: these arrays are the largest there are."""
    described -= mean.astype(np.float32)
    described /= std.astype(np.float32)


def fit_weights(
    described: np.ndarray,
    likelihood: np.ndarray,
    penalty: float,
    start: np.ndarray | None = None,
    shape: np.ndarray | None = None,
) -> np.ndarray:
    """The coefficients [D] of largest penalised likelihood, by L-BFGS.

    described [n, S, D]: standardised statistics; likelihood [n, S]: of the label given each true span; start [D]: where to begin; shape
    [D, D]: an upper triangular factor of about the likelihood's curvature, in whose units the search converges in a few steps.
    """
    n, spans, width = described.shape
    flat = described.reshape(-1, width)
    known = np.log(np.maximum(likelihood, 1e-300)).astype(np.float32)
    unit = np.eye(width) if shape is None else solve_triangular(shape, np.eye(width))

    def loss(u: np.ndarray) -> tuple[float, np.ndarray]:
        w = unit @ u
        z = (flat @ w.astype(np.float32)).reshape(n, spans)
        prior, log_all = _exp(z)
        given, log_given = _exp(z + known)
        value = float(log_all.sum(dtype=np.float64) - log_given.sum(dtype=np.float64)) + 0.5 * penalty * float(w @ w)
        gradient = ((prior - given).reshape(-1) @ flat).astype(float) + penalty * w
        return value, unit.T @ gradient

    begin = np.zeros(width) if start is None else start if shape is None else shape @ start
    options = {"maxiter": MOST_ITERATIONS, "ftol": TOLERANCE}
    return unit @ minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x


def curvature(described: np.ndarray, w: np.ndarray, penalty: float) -> np.ndarray:
    """An upper triangular factor [D, D] of the penalised curvature at w, were the labels exact."""
    width = described.shape[2]
    total = penalty * np.eye(width)
    for rows in described:  # one window at a time: no copy of the largest array
        p = softmax((rows @ w.astype(np.float32)).astype(float))
        few = p > NEGLIGIBLE
        part, weight = rows[few].astype(float), p[few] / p[few].sum()
        mean = weight @ part
        total += (part * weight[:, None]).T @ part - np.outer(mean, mean)
    return cholesky(total)


def _exp(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softmax of each row, and the logarithm of its denominator."""
    top = z.max(1, keepdims=True)
    p = np.exp(z - top)
    total = p.sum(1, keepdims=True)
    p /= total
    return p, (top + np.log(total))[:, 0]
