"""How large a difference a study of some labelled windows would find, known before any of its arms is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from moola_core.diagnostics.results.interval import Interval

# Of the variance that windows leave in a difference of two networks, what each repeat and each pre-training adds. A repeat measured
# 0.1 to 0.3 in studies of the preset quick (docs/LOG.md); for a pre-training, which only several repeats of each can tell, the same is taken.
PER_REPEAT, PER_PRETRAINING = 0.3, 0.3


@dataclass(frozen=True)
class Power:
    """What labelled windows allow a study to find, and the room for a better model.

    Attributes
    ----------
    windows : int
        Labelled windows that take part.
    of_windows : float
        Variance of a difference in AUROC between two arms that these windows leave.
    factors : tuple of float
        How many standard errors the smallest difference found with 80% power has, for 1, 2, … arms besides the control.
    baseline, ceiling : Interval or None
        AUROC among the windows of a fold of logistic regression on means and deviations, and of the model that locates first; None where
        the windows have no expansions to locate.
    baseline_f1, ceiling_f1 : float or None
        Their macro F1.
    """

    windows: int
    of_windows: float
    factors: tuple[float, ...]
    baseline: Interval
    baseline_f1: float
    ceiling: Interval | None = None
    ceiling_f1: float | None = None

    def smallest(self, labels: int, repeats: int, pretrainings: int, arms: int) -> float:
        """The smallest difference in AUROC that is found with 80% power.

        labels: windows in all; pretrainings: how many the repeats start from in turn, 0 where the arms have none; arms: besides the control.
        """
        of_fits = self.of_windows * (1 + PER_REPEAT / repeats) * self.windows / labels
        between = self.of_windows * PER_PRETRAINING / pretrainings if pretrainings else 0.0
        factor = self.factors[min(max(arms, 1), len(self.factors)) - 1]
        return float(factor * np.sqrt(of_fits + between))
