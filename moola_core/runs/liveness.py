"""Runs whose process is gone: a record changes to lost only once the process is proved dead."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from moola_core.errors import RunError, StoreError
from moola_core.runs.record import Record

if TYPE_CHECKING:
    from moola_core.runs.store import Run

UNCLAIMED_S = 60
HEARTBEAT, BEAT_S = "heartbeat", 5.0
# Of a process that cannot be asked from here: after these seconds without a sign of life it is doubtful, and after those it is given up.
# A heartbeat that is old by the clock has to stay unchanged for `WATCH_S` too, for the clock may just have been set.
DOUBTFUL_S, SILENT_S, WATCH_S, REBOOTED_S = 30.0, 600.0, 3 * BEAT_S, 60.0
WITHIN_S = 5.0  # a process that shares the work of another one looks each second whether that one lives
ENDED, RESUMABLE_NOTE = "Its process ended without a result.", "It can be resumed."


def identity(pid: int | None = None) -> dict[str, Any]:
    """A process as host, boot, PID namespace, pid and start time: together they never name another one. Raises psutil.NoSuchProcess.

    ticks: its start in clock ticks since boot. The start time is counted back from the wall clock, so a clock that is set
    moves it; the ticks stay (None where the system does not tell).
    """
    pid = pid or os.getpid()
    started = psutil.Process(pid).create_time()
    return {"pid": pid, "started": started, "ticks": _ticks(pid), **_place()}


def _place() -> dict[str, str]:
    """Where this process and those that it can ask are: a container on this host has the same boot and PIDs of its own."""
    return {"host": os.uname().nodename, "boot": boot(), "namespace": namespace()}


def namespace() -> str:
    """The PID namespace of this process; empty where the system has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def elsewhere(process: Mapping[str, Any]) -> bool:
    """Whether the process is on another host or in another container, so that nobody here can ask whether it lives."""
    here = _place()
    return any(process.get(name) not in (None, "", here[name]) for name in ("host", "namespace"))


def boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text(encoding="utf-8").strip() if path.is_file() else str(psutil.boot_time())


def alive(process: dict[str, Any]) -> bool:
    """Whether the process that `identity` described still runs; true when it is `elsewhere`, where it cannot be asked."""
    if elsewhere(process):
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


def carried_out_by(process: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    """Whether a run of `process` is carried out by `above`: by that process itself, or by one that it started to share its work.

    The latter names the former's pid as `within`. Each run has a lease of its own, whoever carries it out.
    """
    if any(process.get(name) != above.get(name) for name in ("host", "boot", "namespace")):
        return False
    if process.get("within") is not None and process["within"] == above.get("pid"):
        return True
    return all(process.get(name) == above.get(name) for name in ("pid", "started", "ticks"))


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

    A run that stands in the queue waits for as long as it takes. One whose process cannot be asked from here ends with its lease where that can be
    looked at, else it is given up after ten minutes without a heartbeat; one of an older version that nobody has claimed after one.
    """
    if record.waits:
        return record
    if not gone(run, record):
        return record
    fresh = run.record  # it may have ended, or gone on, since the record was read
    if not fresh.active or fresh.process != record.process:
        return fresh
    try:
        return give_up(run, ENDED, record.process) or run.record
    except StoreError:  # where nothing can be written, it is lost all the same
        return dataclasses.replace(fresh, state="lost", error=f"{ENDED} {RESUMABLE_NOTE}")


def settled(run: Run) -> Record:
    """As `mark_lost`, of a run that somebody wants to go on with: where its heartbeat is old, it is watched until it is certain."""
    record = run.record
    until = time.monotonic() + WATCH_S + 1
    while record.active and record.process and elsewhere(record.process) and time.monotonic() < until:
        if -DOUBTFUL_S <= _quiet_s(run) <= SILENT_S or gone(run, record):
            break
        time.sleep(min(1.0, WATCH_S))
    until = time.monotonic() + WITHIN_S
    while record.active and _orphaned(record.process) and alive(record.process) and time.monotonic() < until:
        time.sleep(0.1)
    return mark_lost(run, record)


def lease_of(descriptor: int) -> str:
    """The file that is open there, as this boot of this host names it, in all of its containers alike."""
    status = os.fstat(descriptor)
    return f"{status.st_dev}:{status.st_ino}"


def lease_held(run: Run, process: Mapping[str, Any]) -> bool | None:
    """Whether a process holds the lock on its run's heartbeat, which the system takes away when it ends; None where that cannot be told.

    It can be told on the host itself, in whatever container: the file has to be the one that was locked, under the same boot.
    """
    if not process.get("lease") or process.get("boot") != boot():
        return None
    try:
        descriptor = os.open(run.folder / HEARTBEAT, os.O_RDONLY)
    except OSError:
        return None
    try:
        if lease_of(descriptor) != process["lease"]:
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _orphaned(process: Mapping[str, Any]) -> bool:
    """Whether a process that shared the work of another one has outlived it: it is about to end."""
    return "within" in process and not elsewhere(process) and not psutil.pid_exists(int(process["within"]))


def gone(run: Run, record: Record) -> bool:
    """Whether the process of an active run has ended; of one that is elsewhere, whether it has given no sign of life for long."""
    if not record.process:
        return _age_s(record) > UNCLAIMED_S
    if elsewhere(record.process):
        held = lease_held(run, record.process)
        return _silent(run) if held is None else not held
    if alive(record.process):
        return False
    # The same name and another boot: this host was started anew, or another one is called the same and is at work.
    other = record.process.get("boot") not in (None, boot())
    return not (other and (run.folder / HEARTBEAT).is_file() and 0 <= _quiet_s(run, (HEARTBEAT,)) < REBOOTED_S)


def unseen(run: Run, record: Record) -> str:
    """Why nobody here knows whether a running run goes on, as a sentence; empty where it is known."""
    if record.state != "running" or not elsewhere(record.process):
        return ""
    quiet = _quiet_s(run)
    if quiet < DOUBTFUL_S:
        return ""
    where = record.process.get("host") or "another host"
    if lease_held(run, record.process):
        return f"Its process, in another container of {where}, lives and has given no sign of life for {quiet:.0f} s: it may have been stopped."
    return (
        f"It cannot be seen from here whether it goes on: its process is on {where}, in another container or on another host, and has given no sign "
        f"of life for {quiet:.0f} s. It counts as lost after {SILENT_S / 60:.0f} minutes."
    )


def active(run: Run) -> bool:
    """Whether the run waits or runs; not when its record cannot be read."""
    try:
        return mark_lost(run, run.record).active
    except RunError:
        return False


def give_up(run: Run, why: str, process: Mapping[str, Any] | None = None) -> Record | None:
    """Mark the run lost unless it has come to an end by itself; with `process`, only while it is that one's."""
    ended = datetime.now(UTC).isoformat(timespec="milliseconds")
    return run.claim(("queued", "running"), process, state="lost", error=f"{why} {RESUMABLE_NOTE}", ended=ended)


def _age_s(record: Record) -> float:
    if not record.created:
        return 0.0
    created = datetime.fromisoformat(record.created)
    return (datetime.now(UTC) - (created if created.tzinfo else created.replace(tzinfo=UTC))).total_seconds()


def _quiet_s(run: Run, signs: tuple[str, ...] = (HEARTBEAT, "run.json")) -> float:
    """Seconds since the run's last sign of life, by the clock; 0 where it left none."""
    times = [path.stat().st_mtime for name in signs if (path := run.folder / name).is_file()]
    return time.time() - max(times) if times else 0.0


def _silent(run: Run) -> bool:
    """Whether the run has given no sign of life for long: by the clock, and by what this process has seen itself."""
    quiet = _quiet_s(run)
    if -DOUBTFUL_S <= quiet <= SILENT_S:
        _unchanged.pop(run.folder, None)
        return False
    stamp = tuple(path.stat().st_mtime_ns for name in (HEARTBEAT, "run.json") if (path := run.folder / name).is_file())
    known = _unchanged.get(run.folder)
    if known is None or known[0] != stamp:
        _unchanged[run.folder] = known = (stamp, time.monotonic())
    return time.monotonic() - known[1] >= (WATCH_S if quiet > 0 else SILENT_S)  # below 0, the clock was set back


_unchanged: dict[Path, tuple[tuple[int, ...], float]] = {}
