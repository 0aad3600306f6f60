"""The smallest difference that a study would find, from a quick model out of fold (docs/methods.md)."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, t

from moola_core.diagnostics.intervals import LEVEL, POWER, TWO_MODELS, auroc, estimate
from moola_core.diagnostics.results import Interval, Power
from moola_core.errors import DataError
from moola_core.overlap import Overlap

# Variance over windows of a difference of two arms, over that of the quick model's own AUROC. How alike arms are cannot be known before:
# between studies of quick networks (0.34 to 0.64) and simulated arms that have half of their noise in common (about 1.1); docs/LOG.md.
ALIKE = 0.75
MOST_ARMS = 12


def power(
    values: np.ndarray, f1: float, shared: Overlap, best: Interval | None = None, best_f1: float | None = None
) -> Power:
    """What a study of these windows would find.

    Parameters
    ----------
    values : ndarray of float, shape (R, n)
        What each window adds to the AUROC of the quick model in each repeat (`intervals.within_folds`).
    f1 : float
        Its macro F1.
    shared : Overlap
        Which windows share bars.
    best, best_f1 : Interval and float, optional
        AUROC and macro F1 of the best model that is known before any network.

    Raises
    ------
    DataError
        Where no AUROC can be measured.
    """
    mean, own = estimate(values, shared, TWO_MODELS), auroc(values, shared)
    if mean is None or own is None:
        raise DataError(
            "no AUROC can be measured: all windows share bars, or each fold holds one class alone.",
            where="power",
            hint="Label windows that lie further apart, or ask for fewer folds.",
        )
    factors = tuple(
        float(t.ppf(1 - (1 - LEVEL) / arms / 2, mean.freedom) + norm.ppf(POWER)) for arms in range(1, MOST_ARMS + 1)
    )
    return Power(values.shape[1], ALIKE * mean.of_windows, factors, own, f1, best, best_f1)
