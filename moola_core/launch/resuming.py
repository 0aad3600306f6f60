"""Interrupted runs that are to go on, wherever they will be carried out."""

from __future__ import annotations

from typing import Any

from moola_core.errors import RunError
from moola_core.launch import earlier
from moola_core.runs import cancelling
from moola_core.runs.record import RESUMABLE, Record
from moola_core.runs.store import Run


def claim(run: Run, process: dict[str, Any], queue: dict[str, Any]) -> Record:
    """Make an interrupted run one that is to begin, here or in the queue. Raises RunError when there is nothing to resume."""
    current, record = run.record, None
    earlier.refuse(run.spec)
    if current.state in RESUMABLE:
        cancelling.withdraw(run)
        record = run.claim(RESUMABLE, state="queued", error="", ended="", process=process, queue=queue)
        current = run.record
    if record is None:
        hint = "Wait until it ends." if current.active else "There is nothing left to do."
        raise RunError(f"is {current.state}.", where=f"run {run.id}", hint=hint)
    return record
