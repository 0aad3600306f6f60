"""Recalibration: maps to better calibrated probabilities, fitted on other folds than those they are used on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

SMALLEST = 1e-7
Fitted = tuple[Callable[[np.ndarray], np.ndarray], float | None]


def cross_fitted(method: str, p: np.ndarray, target: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Recalibrated p [n, C]: each fold's by the map fitted on the others; with the mean temperature where it is one."""
    changed, parameters = np.empty_like(p), []
    for number in np.unique(fold):
        inside = fold == number
        use, parameter = METHODS[method](p[~inside], target[~inside]) if (~inside).any() else (_same, None)
        changed[inside] = use(p[inside])
        parameters += [parameter] if parameter is not None else []
    return changed, float(np.mean(parameters)) if parameters else None


def temperature(p: np.ndarray, target: np.ndarray) -> Fitted:
    """Softmax of logits over T, T by maximum likelihood (Guo et al. 2017)."""
    logits = _logits(p)
    rows = np.arange(len(p))

    def loss(log_t: float) -> float:
        scaled = logits * np.exp(-log_t)
        return float((logsumexp(scaled, axis=1) - scaled[rows, target]).mean())

    t = float(np.exp(minimize_scalar(loss, bounds=(-4, 6), method="bounded", options={"xatol": 1e-8}).x))
    return lambda q: softmax(_logits(q) / t, axis=1), t


def platt(p: np.ndarray, target: np.ndarray) -> Fitted:
    """A logistic regression on the logits (Platt 1999); with more classes, on all of them."""
    return _logistic(_margins, p, target)


def beta(p: np.ndarray, target: np.ndarray) -> Fitted:
    """A logistic regression on ln p and ln(1 − p) of each class (Kull, Silva Filho and Flach 2017)."""
    return _logistic(_both_logs, p, target)


def isotonic(p: np.ndarray, target: np.ndarray) -> Fitted:
    """A rising step function of each class's probability, then scaled to sum to 1 (Zadrozny and Elkan 2002).

    No step is surer than one window among those with like probabilities allows (the rule of succession with each step's own count), so that
    a step of three windows does not say "never".
    """
    maps = [_steps(p[:, i], target == i) for i in range(p.shape[1])]

    def use(q: np.ndarray) -> np.ndarray:
        calibrated = np.stack([step.predict(q[:, i]) for i, step in enumerate(maps)], axis=1)
        return calibrated / calibrated.sum(1, keepdims=True)

    return use, None


def _steps(p: np.ndarray, occurred: np.ndarray) -> IsotonicRegression:
    """The rising step function of p [n], each step drawn towards one half by two windows more."""
    raw = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(p, occurred)
    _, step = np.unique(raw.predict(p), return_inverse=True)
    count, right = np.bincount(step), np.bincount(step, occurred)
    smoothed = ((right + 1) / (count + 2))[step]
    return IsotonicRegression(out_of_bounds="clip").fit(p, smoothed)


def _logistic(describe: Callable[[np.ndarray], np.ndarray], p: np.ndarray, target: np.ndarray) -> Fitted:
    present = np.unique(target)
    if len(present) < 2:
        return _same, None
    model = LogisticRegression(C=1e6, max_iter=2000).fit(describe(p), target)

    def use(q: np.ndarray) -> np.ndarray:
        calibrated = np.zeros_like(q)
        calibrated[:, present] = model.predict_proba(describe(q))
        return calibrated

    return use, None


def _same(q: np.ndarray) -> np.ndarray:
    return q


def _logits(p: np.ndarray) -> np.ndarray:
    return np.log(np.clip(p, SMALLEST, 1))


def _margins(p: np.ndarray) -> np.ndarray:
    logits = _logits(p)
    return logits[:, 1:] - logits[:, :1]


def _both_logs(p: np.ndarray) -> np.ndarray:
    used = p if p.shape[1] > 2 else p[:, 1:]
    return np.concatenate([_logits(used), _logits(1 - used)], axis=1)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], Fitted]] = {
    "temperature": temperature,
    "Platt": platt,
    "beta": beta,
    "isotonic": isotonic,
}
