"""How well predicted probabilities match what happened."""

from __future__ import annotations

import numpy as np

from moola_core.metrics.metric import Metric, Predictions, ratio

BINS = 10
BRIER_CONVENTION = "scikit-learn"
SMALLEST = np.finfo(float).eps  # scikit-learn's log_loss clips here too


def bin_number(probability: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The equal-width bin of each probability.

    Bins are (low, high], as in Guo et al. 2017; in torchmetrics they are [low, high).

    Parameters
    ----------
    probability : ndarray of float
        Probabilities, of any shape.
    bins : int, default 10
        Number of bins between 0 and 1.

    Returns
    -------
    ndarray of int
        Numbers from 0 to ``bins - 1``, in the shape of `probability`.
    """
    return np.clip(np.ceil(probability * bins).astype(int) - 1, 0, bins - 1)


def calibration_gaps(p: Predictions) -> np.ndarray:
    """Correctness less confidence in the bin of the confidence, and all windows: shape (..., n, 11)."""
    assert p.probabilities is not None
    confidence = np.take_along_axis(p.probabilities, p.predicted[..., None], -1)[..., 0]
    gap = np.eye(BINS)[bin_number(confidence)] * (p.right - confidence)[..., None]
    return np.concatenate([gap, np.ones((*p.target.shape, 1))], axis=-1)


def squared_distance(p: Predictions) -> np.ndarray:
    """Squared distance of the probabilities from the truth, and all windows: shape (..., n, 2).

    Halved for two classes, as in scikit-learn's brier_score_loss: then it is the squared error of either class's probability.
    """
    assert p.probabilities is not None
    distance = ((p.probabilities - np.eye(len(p.classes))[p.target]) ** 2).sum(-1)
    return np.stack([distance * brier_scale(len(p.classes)), np.ones(p.target.shape)], axis=-1)


def brier_scale(classes: int) -> float:
    """What the sum over classes is multiplied by: a half for two classes, 1 for more."""
    return 0.5 if classes == 2 else 1.0


def brier_title(convention: str | None) -> str:
    """What a stored Brier score is called: results of before there was a convention hold the sum over classes, twice it for two."""
    return "Brier" if convention else "Brier, sum over classes"


def negative_log_likelihood(p: Predictions) -> np.ndarray:
    """−log of the true class's probability, and all windows: shape (..., n, 2)."""
    assert p.probabilities is not None
    true = np.take_along_axis(p.probabilities, p.target[..., None], -1)[..., 0]
    return np.stack([-np.log(np.maximum(true, SMALLEST)), np.ones(p.target.shape)], axis=-1)


def _ece(sums: np.ndarray, p: Predictions) -> np.ndarray:
    return ratio(np.abs(sums[..., :-1]).sum(-1), sums[..., -1], np.nan)


def _mean(sums: np.ndarray, p: Predictions) -> np.ndarray:
    return ratio(sums[..., 0], sums[..., 1], np.nan)


MEMBERS = (
    Metric(
        name="ece",
        shown=("scores", "terminal", "arms"),
        monitored=True,
        compared=True,
        title="Calibration error (ECE)",
        short="ECE",
        better="lower",
        task="class",
        of_probabilities=True,
        high=0.10,
        statistics=calibration_gaps,
        value=_ece,
        description=(
            "Expected calibration error of the predicted class's probability, 10 bins of equal width, pooled over folds "
            "(Guo et al. 2017); a probability on an edge belongs to the bin below it."
        ),
    ),
    Metric(
        name="brier",
        shown=("scores",),
        compared=True,
        title="Brier score",
        better="lower",
        task="class",
        of_probabilities=True,
        statistics=squared_distance,
        value=_mean,
        description="Mean squared error of the probabilities, as scikit-learn's brier_score_loss: halved for two classes.",
    ),
    Metric(
        name="log_loss",
        shown=(),
        compared=True,
        title="Log loss",
        better="lower",
        task="class",
        of_probabilities=True,
        unit="nats",
        statistics=negative_log_likelihood,
        value=_mean,
        description="Mean of −log of the true class's probability, as scikit-learn's log_loss.",
    ),
)
