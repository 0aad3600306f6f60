"""Runs whose process is gone: a record changes to lost only once the process is proved dead."""

from __future__ import annotations

import dataclasses
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from moola_core.errors import RunError, StoreError
from moola_core.runs.record import Record

if TYPE_CHECKING:
    from moola_core.runs.store import Run

UNCLAIMED_S = 60
HEARTBEAT = "heartbeat"
SILENT_S = 600
ENDED, RESUMABLE_NOTE = "Its process ended without a result.", "It can be resumed."


def identity(pid: int | None = None) -> dict[str, Any]:
    """A process as pid, start time and boot: together they never name another process. Raises psutil.NoSuchProcess.

    ticks: its start in clock ticks since boot. The start time is counted back from the wall clock, so a clock that is set
    moves it; the ticks stay (None where the system does not tell).
    """
    pid = pid or os.getpid()
    started = psutil.Process(pid).create_time()
    return {"pid": pid, "started": started, "ticks": _ticks(pid), "boot": boot(), "host": os.uname().nodename}


def boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="utf-8").strip() if path.is_file() else str(psutil.boot_time())


def alive(process: dict[str, Any]) -> bool:
    """Whether the process that `identity` described still runs; true when it belongs to another host, which cannot be asked."""
    if process.get("host") not in (None, os.uname().nodename):
        return True
    if process.get("boot") != boot():
        return False
    try:
        pid = int(process["pid"])
        current = psutil.Process(pid)
        if current.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.get("ticks") is not None:
            return process["ticks"] == _ticks(pid)
        return abs(current.create_time() - process["started"]) < 1
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError, OverflowError):
        return False


def _ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat; the second one is a name in brackets, which may hold anything."""
    try:
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        )
    except (OSError, IndexError, ValueError):
        return None


def mark_lost(run: Run, record: Record) -> Record:
    """The record, marked lost if the run's process is dead.

    A run that stands in the queue waits for as long as it takes. One of another host is given up after ten minutes without a
    heartbeat, one of an older version that nobody has claimed after one.
    """
    if record.waits:
        return record
    claimed = bool(record.process)
    if claimed and alive(record.process) and not _silent(run, record):
        return record
    if not claimed and _age_s(record) <= UNCLAIMED_S:
        return record
    fresh = run.record  # it may have ended, or gone on, since the record was read
    if not fresh.active or fresh.process != record.process:
        return fresh
    try:
        return give_up(run, ENDED) or run.record
    except StoreError:  # where nothing can be written, it is lost all the same
        return dataclasses.replace(fresh, state="lost", error=f"{ENDED} {RESUMABLE_NOTE}")


def active(run: Run) -> bool:
    """Whether the run waits or runs; not when its record cannot be read."""
    try:
        return mark_lost(run, run.record).active
    except RunError:
        return False


def give_up(run: Run, why: str, states: tuple[str, ...] = ("queued", "running")) -> Record | None:
    """Mark the run lost unless it has come to an end by itself."""
    ended = datetime.now(UTC).isoformat(timespec="milliseconds")
    return run.claim(states, state="lost", error=f"{why} {RESUMABLE_NOTE}", ended=ended)


def _age_s(record: Record) -> float:
    if not record.created:
        return 0.0
    created = datetime.fromisoformat(record.created)
    return (datetime.now(UTC) - (created if created.tzinfo else created.replace(tzinfo=UTC))).total_seconds()


def _silent(run: Run, record: Record) -> bool:
    """Whether a run of another host has given no sign of life for long."""
    if record.process.get("host") in (None, os.uname().nodename):
        return False
    signs = [path.stat().st_mtime for name in (HEARTBEAT, "run.json") if (path := run.folder / name).is_file()]
    return bool(signs) and time.time() - max(signs) > SILENT_S
