"""Which run's models predict where an investigation is named: those of the model that it recommends."""

from __future__ import annotations

from moola_core.errors import RunError
from moola_core.runs.store import Run

INVESTIGATION = "investigation"


def recommended(run: Run) -> Run:
    """The run itself; of an investigation, the run of the model that it recommends.

    Raises RunError where it recommends none yet.
    """
    if run.record.kind != INVESTIGATION:
        return run
    report = run.result(INVESTIGATION)
    best = report.get("best") or {}
    if not best.get("run_id"):
        raise RunError(
            "recommends no model yet.", where=f"run {run.id}", hint="Wait until it ends, or resume it with more budget."
        )
    return Run(run.folder.with_name(best["run_id"]))
