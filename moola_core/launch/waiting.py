"""What a run that stands in the queue waits for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moola_core.errors import MoolaError
from moola_core.launch import devices
from moola_core.launch.device_worker import has_memory_for_short
from moola_core.launch.estimate.remaining import Remaining, remaining
from moola_core.runs.queue import Entry, Queue
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store

Reason = Literal["paused", "run", "memory", "worker"]


@dataclass(frozen=True)
class Waiting:
    """Why a run has not begun.

    Attributes
    ----------
    reason : {"paused", "run", "memory", "worker"}
        The queue is paused; another run is at work; the host lacks the memory for two runs at once; a worker is about to begin it.
    behind : Record or None
        The run at work, where that is the reason.
    left : Remaining or None
        How long that one still takes, where it is known.
    before : int
        How many other runs begin before this one.
    """

    reason: Reason
    behind: Record | None = None
    left: Remaining | None = None
    before: int = 0


def waiting(run: Run) -> Waiting | None:
    """What the run waits for; None where it does not stand in the queue of this store, or a worker has taken it."""
    entries, paused = Queue(run.store_root).shown()
    own = next((entry for entry in entries if entry.run_id == run.id and not entry.worker), None)
    if own is None:
        return None
    if paused:
        return Waiting("paused")
    before = _before(entries, own)
    at_work = _at_work(entries, own)
    if at_work is None:
        busy = any(entry.worker for entry in entries)
        lacks_memory = own.needs == devices.SHORT and busy and not has_memory_for_short()
        return Waiting("memory" if lacks_memory else "worker", before=before)
    store = Store(run.store_root)
    try:
        ahead = store.open(at_work.run_id)
        return Waiting("run", ahead.record, remaining(ahead), before)
    except MoolaError:  # it was deleted meanwhile, or its record is damaged
        return Waiting("worker", before=before)


def _before(entries: list[Entry], own: Entry) -> int:
    """Runs that wait and begin earlier, on the worker that will begin this one; `entries` stand in their order."""
    waits = [entry for entry in entries if not entry.worker]
    is_short = own.needs == devices.SHORT
    return sum((entry.needs == devices.SHORT) == is_short for entry in waits[: waits.index(own)])


def _at_work(entries: list[Entry], own: Entry) -> Entry | None:
    """The run that keeps the worker busy which will begin this one."""
    lanes = {devices.SHORT} if own.needs == devices.SHORT else {devices.default_device()}
    return next((entry for entry in entries if entry.worker in lanes), None)
