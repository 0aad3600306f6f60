"""Runs on this machine: put into the store's queue, for the device's worker to begin. They outlive the app."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from moola_core.errors import RunError, SpecError, StoreError
from moola_core.launch import devices, earlier
from moola_core.launch.background import start_moola
from moola_core.launch.confinement import confine
from moola_core.launch.ray_jobs import RayLauncher
from moola_core.launch.resuming import claim
from moola_core.runs import cancelling, references
from moola_core.runs.liveness import alive, elsewhere, mark_lost, settled
from moola_core.runs.queue import Entry, Queue
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store, utcnow_iso

IDLE_S = 60.0


class LocalLauncher:
    """Queues runs of a store, cancels them and lets them go on; a worker is started where none is.

    folders: specs may name only files in these and in the store; without them any file, as on the command line.
    """

    def __init__(self, store: Store, folders: Sequence[Path] | None = None) -> None:
        self.store, self.folders = store, folders

    def submit(
        self,
        spec: Any,
        name: str = "",
        note: str = "",
        tags: Sequence[str] = (),
        parent: str | None = None,
        priority: int = 0,
    ) -> str:
        """Queue a run of `spec` and return its id at once. Of the runs that wait, those of the highest priority begin first.

        Raises SpecError when it names a file that it may not, and StoreError.
        """
        earlier.refuse(spec)
        self._refuse_outside(spec)
        run = self.store.create(spec, name, note, tags, parent, _place(spec, priority))
        start(run)
        return run.id

    def cancel(self, run_id: str) -> None:
        """End the run: at once if it waits, else its worker gives it ten seconds. Returns without waiting for that.

        Raises RunError for a run that has ended, and for one that is part of a study.
        """
        run = self.store.open(run_id)
        record = mark_lost(run, run.record)
        if not record.active:
            raise RunError(f"is {record.state}.", where=f"run {run_id}", hint="There is nothing to cancel.")
        if self._part_of(record):
            raise RunError(
                f"is part of study {record.parent}.", where=f"run {run_id}", hint="Cancel the study; it can be resumed."
            )
        if record.queue.get("cluster"):
            RayLauncher(self.store, record.queue["cluster"]).cancel(run_id)
            return
        cancelling.ask(run)
        if not record.queue:
            _interrupt(record)
        elif Queue(self.store.root).withdraw(run_id):
            run.claim(("queued",), state="cancelled", error="Cancelled before it began.", ended=utcnow_iso())
        else:
            ensure_worker(self.store.root, record.process.get("worker", ""))

    def resume(self, run_id: str, priority: int = 0) -> None:
        """Queue a run that failed, was cancelled or lost, to go on where it stopped. Raises RunError for any other, SpecError as `submit`."""
        run = self.store.open(run_id)
        self._refuse_outside(run.spec)
        record = settled(run)
        claim(run, process={}, queue=_place(run.spec, priority, str(record.queue.get("folder", ""))))
        start(run)

    def _refuse_outside(self, spec: Any) -> None:
        if self.folders is not None:
            confine(spec, [*self.folders, self.store.root])

    def _part_of(self, record: Record) -> bool:
        """Whether the run is carried out by its parent's process."""
        above = next(references.ancestors(self.store.open(record.run_id)), None)
        if above is None or record.queue:
            return False
        parent = above.record
        own_pid = record.process.get("within", record.process.get("pid"))
        return parent.active and parent.process.get("pid") == own_pid


def start(run: Run) -> None:
    """Put a run into the queue and see that a worker is there to take it."""
    queue = Queue(run.store_root)
    queue.add(run.record)
    ensure_worker(run.store_root)
    if needs_a_lane(queue.entries()):
        ensure_worker(run.store_root, devices.SHORT)


def needs_a_lane(entries: Sequence[Entry]) -> bool:
    """Whether a short run waits behind another one: the device's worker would begin it only after that."""
    return len(entries) > 1 and any(entry.needs == devices.SHORT and not entry.worker for entry in entries)


def ensure_worker(root: Path, device: str = "") -> None:
    """Start the device's worker, in a session of its own, unless there is one. Raises StoreError when that is impossible."""
    device = devices.check(device)
    lock = devices.Lock(root, device)
    if lock.held():
        return
    arguments = ["worker", "--device", device, "--idle", str(IDLE_S)]
    start_moola(arguments, lock.path.with_suffix(".log"), root)


def ensure_workers(root: Path) -> None:
    """Start a worker if runs wait and none is there: after a start of the host, or when one was killed.

    Asked for by every page, so it looks at most every few seconds; a worker that cannot live is not started again and again.
    """
    if time.monotonic() - _looked.get(str(root), -LOOK_S) < LOOK_S:
        return
    _looked[str(root)] = time.monotonic()
    known = Queue(root).known()
    if known is None:
        return
    entries, paused = known
    # A store that can only be read has nothing to begin, and a damaged record may name a device that is none.
    with suppress(StoreError, SpecError):
        for device in {entry.worker for entry in entries if entry.worker or not paused}:
            ensure_worker(root, device)
        if not paused and needs_a_lane(entries):
            ensure_worker(root, devices.SHORT)


LOOK_S = 5.0
_looked: dict[str, float] = {}


def _place(spec: Any, priority: int, folder: str = "") -> dict[str, Any]:
    """What a record says of the queue. folder: where the relative paths of its spec begin; here when empty."""
    return {"priority": priority, "needs": devices.needed(spec), "folder": folder or str(Path.cwd())}


def _interrupt(record: Record) -> None:
    """TERM to a run in the foreground: it ends as with Ctrl-C."""
    if elsewhere(record.process) or not alive(record.process):
        raise RunError(
            f"runs on {record.process.get('host')}, in another container or on another host.",
            where=f"run {record.run_id}",
            hint="Cancel it there.",
        )
    os.kill(int(record.process["pid"]), signal.SIGTERM)
