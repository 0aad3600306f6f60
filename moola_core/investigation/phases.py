"""The researcher's phases: which of them are pointless after what the phases before showed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from moola_core.diagnostics.results import ArmFacts, Comparison, Verdict
from moola_core.investigation.known import Known, comparison_of
from moola_core.runs.arms import untrained

OF_BOTH_TASKS = ("losses", "gradients")


def skip(known: Known, question: str) -> str:
    """Why a phase is pointless; empty when it is worth its time. From studies that lack an arm nothing follows."""
    if question in OF_BOTH_TASKS and _class_alone_is_no_better(known):
        return "training the class alone is no better than training both tasks, so the tasks do not interfere"
    if question == "patience" and _never_stops_early(known):
        return "in no network of the studies before did the median fit stop early"
    if question == "pretraining-data" and _no_objective_helps(known):
        return "no pre-training task was shown to help, so which bars it should see is not tested"
    return ""


def _class_alone_is_no_better(known: Known) -> bool:
    rows = [row for row in _verdicts(_whole(known, "tasks")) if row.arm == "class only"]
    return any(row.verdict in ("equivalent", "hurts") for row in rows)


def _no_objective_helps(known: Known) -> bool:
    rows = _verdicts(_whole(known, "objectives"))
    return bool(rows) and not any(row.verdict == "helps" for row in rows)


def _never_stops_early(known: Known) -> bool:
    """Whether networks were trained with early stopping and their median fits went on to the last epoch."""
    fitted = [arm for arm in _networks(known) if arm.epochs and arm.best_epoch is not None]
    return bool(fitted) and not any(
        (arm.epochs or 0) - (arm.best_epoch or 0) >= (arm.patience or np.inf) for arm in fitted
    )


def _networks(known: Known) -> Iterator[ArmFacts]:
    for name, run in known.runs.items():
        comparison = _whole(known, name) if run.record.kind == "study" else None
        yield from (arm for arm in (comparison.arms if comparison else ()) if arm.model == "network")


def _whole(known: Known, name: str) -> Comparison | None:
    """The comparison of a study of which every arm was trained."""
    run = known.runs.get(name)
    if run is None or untrained(run):
        return None
    return known.once("comparison", run, partial(comparison_of, run))


def _verdicts(comparison: Comparison | None) -> list[Verdict]:
    """The verdicts on networks in the deciding metric, placebos left out."""
    if comparison is None:
        return []
    networks = {arm.name for arm in comparison.arms if arm.model == "network"} - comparison.inert
    return [
        row
        for row in comparison.verdicts
        if row.metric == comparison.deciding and row.against == comparison.against and row.arm in networks
    ]
