"""A sign of life while a run is under way, for hosts that cannot ask its process, and the look whether it is still this process's run."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from moola_core.errors import MoolaError
from moola_core.runs.liveness import BEAT_S, HEARTBEAT, lease_of
from moola_core.runs.store import Run

TRIES_S = 1.0


@contextmanager
def lease(run: Run) -> Iterator[dict[str, str]]:
    """Inside, this process holds the lock on its run's heartbeat, by which every container of this host knows that it lives.

    Gives what its identity then says of it; nothing where no lock can be had, and the heartbeat alone has to tell.
    """
    try:
        descriptor = os.open(run.folder / HEARTBEAT, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:  # a full disk is reported by what matters more
        yield {}
        return
    try:
        yield {"lease": lease_of(descriptor)} if _locked(descriptor) else {}
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock. One that only looks holds it for an instant, so this tries for a while."""
    until = time.monotonic() + TRIES_S
    while time.monotonic() < until:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return False
        else:
            return True
    return False


@contextmanager
def heartbeat(run: Run, process: Mapping[str, Any]) -> Iterator[None]:
    """Inside, the run's heartbeat file is touched every few seconds by a thread of its own.

    A process that was stopped for long may find that its run was given up meanwhile and that another one goes on with it. It then
    ends itself as by a TERM from outside: two never train one run.
    """
    over, main = threading.Event(), threading.current_thread() is threading.main_thread()

    def beat() -> None:
        while not over.is_set():
            if _taken_over(run, process):
                if main:  # elsewhere nobody waits for the signal, and it would end more than the run
                    os.kill(os.getpid(), signal.SIGTERM)
                return
            with suppress(OSError):  # a full disk is reported by what matters more
                (run.folder / HEARTBEAT).touch()
            over.wait(BEAT_S)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(BEAT_S)


def _taken_over(run: Run, process: Mapping[str, Any]) -> bool:
    try:
        record = run.record
    except MoolaError:  # it cannot be read at the moment, which says nothing of whose it is
        return False
    return record.process != dict(process) if record.state == "running" else record.state in ("lost", "queued")
