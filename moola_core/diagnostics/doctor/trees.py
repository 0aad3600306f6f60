"""How a run stands next to extra trees on the same folds: whether the windows hold something, and whether the run has learned it."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import Case, claimed
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, UNMEASURED, Claim, Outcome
from moola_core.diagnostics.results.vitals import VitalSign

SIGNAL_AUROC = 0.55  # the baseline's lower bound above which the windows surely hold something
CHANCE = 0.5


def signal(case: Case) -> bool:
    """Whether a simple model surely reads something in these windows."""
    low = case.get("trees_auroc_low")
    return low is not None and low > SIGNAL_AUROC


def of_trees(case: Case) -> tuple[Claim | None, Claim | None]:
    """The claims that the run tells the classes better than trees on the same folds, and that the trees tell them at all."""
    return (
        claimed(case, "AUROC less that of extra trees", "trees_gap"),
        claimed(case, "AUROC of extra trees", "trees_auroc", CHANCE),
    )


def lags_healthy(case: Case) -> bool:
    """Whether the run is farther behind extra trees than healthy runs of its kind are; true where that was not measured."""
    own = next((one for one in case.get("vital_signs") or () if one.name == "against_trees"), None)
    return own is None or far_behind(own)


def far_behind(sign: VitalSign) -> bool:
    """Whether the sign *next to extra trees* says that the run is farther behind them than healthy runs are."""
    return sign.name == "against_trees" and sign.unusual and sign.value < 0


def lost(case: Case) -> Outcome:
    """Whether the windows surely hold more than the run has learned: trees on the same folds tell the classes, and better than it."""
    better, read = of_trees(case)
    if better is None or read is None:
        return UNMEASURED
    if better.outcome == OPPOSED and read.outcome == SUPPORTED:
        return SUPPORTED
    return OPPOSED if better.outcome == SUPPORTED else OPEN
