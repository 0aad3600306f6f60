"""A worker of a device, or of the lane of short runs: begins runs one after another, watches each, ends those that are to be cancelled."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from moola_core.errors import RunError
from moola_core.host.standstill import Watch
from moola_core.launch import devices, groups
from moola_core.launch.background import with_project
from moola_core.runs.cancelling import asked
from moola_core.runs.liveness import give_up, gone, identity
from moola_core.runs.queue import Queue
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store, utcnow_iso

POLL_S = 0.2
CATCH_UP_S = 5.0
# Diagnostics of 20,000 bars were measured to take 0.6 GB, most of it the libraries; bars of years take more.
SHORT_RUN_BYTES = 1_500_000_000
Say = Callable[[str], None]


class DeviceWorker:
    """Serves one device of one store until `stop` is called, or for `idle_s` after its last run."""

    command = (sys.executable, "-m", "moola_core.launch.worker")
    grace_s = groups.GRACE_S

    def __init__(self, store: Store, device: str, idle_s: float | None = None, say: Say = lambda text: None) -> None:
        self.store, self.device, self.idle_s, self.say = store, device, idle_s, say
        self.queue = Queue(store.root)
        self.needs = devices.can_do(device)
        self.lock = devices.Lock(store.root, device)
        self.stopping = False

    def stop(self) -> None:
        """Begin no further run and return from `serve`. A run that is under way goes on; the next worker watches it."""
        self.stopping = True

    def serve(self) -> None:
        """Work until stopped or idle. Raises RunError when the device has a worker already."""
        if not self.lock.acquire():
            raise RunError(
                f"{self.device} has a worker already.", where=str(self.lock.path), hint="One per device is enough."
            )
        try:
            self._catch_up()
            self._loop()
        finally:
            self.lock.release()

    def _loop(self) -> None:
        busy = caught_up = time.monotonic()
        while not self.stopping:
            self.lock.beat()
            run_id = self.queue.take(self.device, self.needs) if self._has_room() else None
            if run_id is not None:
                self.attend(run_id)
                busy = time.monotonic()
                continue
            idle = time.monotonic() - busy
            if self.idle_s is not None and idle > self.idle_s and self.queue.leave(self.needs, self.lock.release):
                return
            if time.monotonic() - caught_up > CATCH_UP_S:
                self._catch_up()
                caught_up = time.monotonic()
            time.sleep(POLL_S)

    def _has_room(self) -> bool:
        """Whether one more run may begin: a short one next to another only where the host has the memory for both."""
        if self.device != devices.SHORT or has_memory_for_short():
            return True
        return not any(entry.worker and entry.worker != self.device for entry in self.queue.entries())

    def _catch_up(self) -> None:
        """Set right what killed processes left: runs that no queue knows, and runs that a dead worker took and never began."""
        self.queue.catch_up()
        for entry in self.queue.entries():
            if entry.worker and entry.worker != self.device and not devices.Lock(self.store.root, entry.worker).held():
                self._take_over(entry.run_id)
        self.store.runs()  # looks at every active run, and finds the lost ones

    def _take_over(self, run_id: str) -> None:
        try:
            record = self.store.open(run_id).record
        except RunError:
            self.queue.release(run_id)
            return
        if record.state == "queued":
            self.queue.put_back(run_id)
        elif not record.active:
            self.queue.release(run_id)

    def attend(self, run_id: str) -> None:
        """Begin the run, or go on watching it if it runs already, until it has ended and left the device."""
        try:
            run = self.store.open(run_id)
            record = run.record
            child: subprocess.Popen | None = None
            leader: Mapping[str, Any] = record.process
            if record.state == "queued" and not asked(run):
                self.say(f"{utcnow_iso()[:19]} begins {run_id}")
                child, leader = self._begin(run)
            if child is not None or record.state == "running":
                self._watch(run, child, leader)
            if self.stopping and run.record.active:
                return
            if _resumed(record, run.record):
                self.queue.put_back(run_id)
                return
            self._settle(run)
            self.say(f"{utcnow_iso()[:19]} {run_id} is {run.record.state}")
        except RunError as error:  # deleted meanwhile, or its record is damaged: the others go on
            self.say(str(error))
        self.queue.release(run_id)

    def _begin(self, run: Run) -> tuple[subprocess.Popen | None, Mapping[str, Any]]:
        command = [*self.command, str(run.folder.resolve())]
        own = devices.environment(self.device) | {"PYTHONUNBUFFERED": "1", "MOOLA_WORKER": self.device}
        folder = str(run.record.queue.get("folder", ""))
        try:
            with (run.folder / "log.txt").open("ab") as log:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=with_project(os.environ | own),
                    cwd=folder if Path(folder).is_dir() else None,
                )
            return child, identity(child.pid)
        except OSError as error:
            run.claim(
                ("queued",), state="failed", error=f"No process could be started: {error.strerror}.", ended=utcnow_iso()
            )
        except psutil.NoSuchProcess:  # cannot be: an ended child keeps its number until it is asked for
            child.wait()
        return None, {}

    def _watch(self, run: Run, child: subprocess.Popen | None, leader: Mapping[str, Any]) -> None:
        """Return when the run has ended and all of its processes are gone."""
        watch = Watch(int(leader["pid"]), only_stopped=True) if leader else None
        while not self.stopping:
            self.lock.beat()
            ended = child is None or child.poll() is not None
            record = run.record
            if record.process and ended:
                leader = record.process  # begun by the worker before this one
            if not record.active:
                groups.end(leader, self.grace_s, ask=False)
                break
            if ended and (not record.process or gone(run, record)):
                groups.end(leader, grace_s=0, ask=False)
                break
            if asked(run):
                self.say(f"{utcnow_iso()[:19]} cancels {run.id}")
                groups.end(leader, self.grace_s)
                break
            if watch is not None and watch.look() and groups.members(leader):
                self._end_stopped(run, leader, watch)
                break
            time.sleep(POLL_S)
        if child is not None and not self.stopping:
            child.wait()

    def _end_stopped(self, run: Run, leader: Mapping[str, Any], watch: Watch) -> None:
        """End a run whose process was stopped for so long that the queue behind it shall wait no longer."""
        why = watch.why()
        groups.end(leader, grace_s=0, ask=False)
        give_up(run, f"Its process {why}, so that it was ended.", run.record.process)

    def _settle(self, run: Run) -> None:
        """Bring the record to an end state if the run did not live to do it."""
        if asked(run):
            run.claim(("queued", "running"), state="cancelled", error="Cancelled.", ended=utcnow_iso())
        give_up(run, "Its process ended without a result.")
        self.store.runs()  # runs of a study end with it


def has_memory_for_short() -> bool:
    """Whether this host has the memory for a short run next to what is under way."""
    return int(psutil.virtual_memory().available) >= SHORT_RUN_BYTES


def _resumed(before: Record, now: Record) -> bool:
    """Whether a run that was begun stands in the queue again: its user resumed it while its process was still ending."""
    return now.state == "queued" and (before.state == "running" or now.started != before.started)
