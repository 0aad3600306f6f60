"""The plan's rules: which study is worth running after what was seen, and what the researcher's own rules are read from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from moola_core.diagnostics.gates import best_of
from moola_core.diagnostics.results import ArmFacts, Comparison, Sampled, Verdict
from moola_core.diagnostics.results.plan import Evidence

# In the order of the phases: what the network reads, whether pre-training helps, how the tasks share, how long, how large, then what feeds
# pre-training, and what more labels would buy.
PHASES = (
    "features",
    "transfer",
    "tasks",
    "losses",
    "gradients",
    "patience",
    "architectures",
    "objectives",
    "pretraining-data",
    "labels",
)


def skip(study: str, seen: Mapping[str, Comparison], bars: bool) -> str:
    """Why the study is pointless after what was `seen`; empty when it is worth running."""
    if study in ("transfer", "objectives", "pretraining-data") and not bars:
        return "there are no bars to pre-train on"
    if study in ("losses", "gradients") and _tasks_do_not_interfere(seen):
        return "training the class alone is no better than training both tasks, so the tasks do not interfere"
    if study == "patience" and "transfer" in seen and not _stops_early(seen["transfer"]):
        return "in no arm of the transfer study did the median fit stop early"
    if study == "pretraining-data" and "objectives" in seen and not _word(seen["objectives"], "helps"):
        return "no pre-training task was shown to help, so which bars it should see is not tested"
    return ""


def adopt(study: str, comparison: Comparison) -> str:
    """The network arm whose verdict on macro F1 is that it helps, the largest difference first; empty when none does."""
    if study in ("labels", "tasks"):
        return ""
    own = [row for row in _of_networks(comparison) if row.verdict == "helps"]
    return max(own, key=lambda row: row.delta).arm if own else ""


def single_task(seen: Mapping[str, Comparison]) -> Sampled | None:
    """Macro F1 of the network of the class alone, which the study of the tasks trains; None where it was not measured."""
    arms = seen["tasks"].arms if "tasks" in seen else ()
    return next((arm.f1 for arm in arms if arm.name == "class only"), None)


def pretraining_verdict(seen: Mapping[str, Comparison]) -> Evidence:
    """What the study of transfer came to: the best that can be said of any way to transfer the encoder."""
    return best_of(row.verdict for row in _of_networks(seen["transfer"])) if "transfer" in seen else "none yet"


def _of_networks(comparison: Comparison) -> list[Verdict]:
    networks = {arm.name for arm in comparison.arms if arm.model == "network"} - comparison.inert
    return [
        row
        for row in comparison.verdicts
        if row.metric == comparison.deciding and row.against == comparison.against and row.arm in networks
    ]


def _word(comparison: Comparison, word: str) -> bool:
    return any(row.verdict == word for row in _of_networks(comparison))


def _tasks_do_not_interfere(seen: Mapping[str, Comparison]) -> bool:
    if "tasks" not in seen:
        return False
    row = next((row for row in _of_networks(seen["tasks"]) if row.arm == "class only"), None)
    return row is not None and row.verdict in ("equivalent", "hurts")


def _stops_early(comparison: Comparison) -> bool:
    networks: list[ArmFacts] = [arm for arm in comparison.arms if arm.model == "network" and arm.epochs is not None]
    return any(
        arm.best_epoch is not None and arm.epochs - arm.best_epoch >= (arm.patience or np.inf)
        for arm in networks
        if arm.epochs
    )
