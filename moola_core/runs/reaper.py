"""Runs whose process is gone: a record changes to lost only once the process is proved dead."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from moola_core.runs.record import Record

if TYPE_CHECKING:
    from moola_core.runs.store import Run

UNCLAIMED_S = 60


def identity(pid: int | None = None) -> dict[str, Any]:
    """A process as pid, start time and boot: together they never name another process."""
    pid = pid or os.getpid()
    return {"pid": pid, "started": psutil.Process(pid).create_time(), "boot": boot(), "host": os.uname().nodename}


def boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.is_file() else str(psutil.boot_time())


def alive(process: dict[str, Any]) -> bool:
    """Whether the process that `identity` described still runs; true when it belongs to another host, which cannot be asked."""
    if process.get("host") not in (None, os.uname().nodename):
        return True
    if process.get("boot") != boot():
        return False
    try:
        found = psutil.Process(int(process["pid"]))
        return abs(found.create_time() - process["started"]) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError):
        return False


def reap(run: Run, record: Record) -> Record:
    """The record, marked lost if the run's process is dead, or if nobody claimed the run within a minute of its start."""
    if record.process:
        dead = not alive(record.process)
    else:
        age = (datetime.now(UTC) - datetime.fromisoformat(record.created)).total_seconds() if record.created else 0
        dead = age > UNCLAIMED_S
    fresh = run.record if dead else record  # it may have ended since the index was read
    if not dead or not fresh.active:
        return fresh
    return run.update(
        state="lost",
        error="Its process ended without a result.",
        ended=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
