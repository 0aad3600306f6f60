"""What stored predictions say of the trials of a search: the best of them, and whether it is better than the settings as they are."""

from __future__ import annotations

from collections.abc import Mapping

from moola_core.diagnostics.comparison import MARGIN, ArmPredictions, compare
from moola_core.diagnostics.results import Selection, Verdict
from moola_core.diagnostics.selection import select_best
from moola_core.metrics import METRICS


def best_of(trials: Mapping[str, ArmPredictions], metric: str, seed: int = 0) -> Selection:
    """The best trial with its bias-corrected score: whole groups of windows that share bars are drawn.

    Raises DataError when there is no trial, when they are not of the same windows, or when all windows share bars.
    """
    shared = next(iter(trials.values())).shared.groups() if trials else None
    return select_best({name: one.predictions for name, one in trials.items()}, metric, shared, seed=seed)


def against_default(
    trials: Mapping[str, ArmPredictions], default: str, best: str, metric: str, margin: float = MARGIN
) -> Verdict | None:
    """The verdict on the best trial against the default one, in the metric of the search.

    The best was picked among all, so all are one family of comparisons (Holm): the verdict is that of the best of them and allows for the pick.
    None where the default is the best or has no predictions.
    """
    if best == default or default not in trials:
        return None
    measured = {name: one for name, one in trials.items() if METRICS[metric].measures(one.predictions)}
    rows = compare(measured, default, margin)
    return next((row for row in rows if (row.arm, row.metric) == (best, metric)), None)
