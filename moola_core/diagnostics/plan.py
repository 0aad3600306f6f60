"""The plan's rules: which study is worth running after what was seen, and what the researcher's gates say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from moola_core.diagnostics.results import ArmFacts, Comparison, Gate, Verdict

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
GATES = (
    (0.30, "phases", "below: the architecture is at fault; look at its size before anything else"),
    (0.40, "phases", "below: unfreeze the encoder"),
    (0.50, "decisions", "above: negative transfer, so unfreeze the encoder"),
    (0.55, "phases", "above: good enough to go on"),
    (0.60, "targets", "above: the target is met; stop here"),
)
CONTRADICTION = (
    "The phases unfreeze the encoder below 0.40, the decisions above 0.50: a baseline can only be read one way."
)


def contradiction(transfer: bool) -> str:
    """What is wrong with the thresholds; transfer: whether there is a transfer study whose verdict can be read in their place."""
    instead = (
        "The verdict of the transfer study stands in for both."
        if transfer
        else "Only a transfer study could decide, and none was completed."
    )
    return f"{CONTRADICTION} {instead}"


def gates(baseline: float | None) -> tuple[Gate, ...]:
    """The researcher's thresholds with what each says of the baseline's macro F1."""
    rows = []
    for threshold, source, text in GATES:
        side, _, advice = text.partition(": ")
        applies = baseline is not None and (baseline < threshold) == (side == "below")
        rows.append(Gate(threshold, source, baseline, advice if applies else f"not {side}, nothing to do"))
    return tuple(rows)


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
