"""The workers of a store as they are: at work, idle, stopped, waiting for a slow disk, stuck, on another host, or absent."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from moola_core.errors import StoreError
from moola_core.host.standstill import stopped
from moola_core.launch.devices import Lock
from moola_core.runs import codec
from moola_core.runs.files import read
from moola_core.runs.liveness import elsewhere

STUCK_S = 60.0
SAID = {
    "present": "is there",
    "stopped": "was stopped by a signal and does nothing. Let it go on with `kill -CONT {pid}`, or end it with `kill -KILL {pid}`: its runs can be resumed",
    "slow": "has waited for the disk of the store for {quiet} s. It goes on as soon as the disk answers",
    "stuck": "has given no sign of life for {quiet} s. End it with `kill -KILL {pid}`: its runs can be resumed",
    "elsewhere": "is in another container or on another host ({host})",
    "absent": "is not there. The app starts one, and so do `moola submit` and `moola worker`",
}


@dataclass(frozen=True)
class WorkerState:
    """How the worker of a device is. `state`: present, stopped, slow, stuck, elsewhere or absent; `pid`: 0 where it is not known."""

    device: str
    state: str
    pid: int = 0
    sentence: str = ""

    @property
    def in_trouble(self) -> bool:
        return self.state in ("stopped", "slow", "stuck")


def of(root: Path, devices: Iterable[str]) -> list[WorkerState]:
    """The workers of these devices and of all that have had one in this store."""
    had = [path.stem.replace("-", ":") for path in sorted((root / "workers").glob("*.lock"))]
    held = [device for device in had if _held(root, device)]
    return [_look(root, device) for device in dict.fromkeys([*devices, *held])]


def _look(root: Path, device: str) -> WorkerState:
    lock = Lock(root, device)
    process = _holder(lock.path)
    pid, host = process.get("pid"), str(process.get("host", ""))
    quiet = time.time() - lock.path.stat().st_mtime if lock.path.is_file() else 0.0
    if not _held(root, device):
        state = "absent"
    elif elsewhere(process):
        state = "elsewhere"
    elif isinstance(pid, int) and stopped(pid):
        state = "stopped"
    elif quiet > STUCK_S:
        state = "slow" if isinstance(pid, int) and _waits_for_disk(pid) else "stuck"
    else:
        state = "present"
    number = pid if isinstance(pid, int) else 0
    how = SAID[state].format(pid=number, quiet=round(quiet), host=host)
    return WorkerState(device, state, number, f"The worker of {device} {how}.")


def _held(root: Path, device: str) -> bool:
    try:
        return Lock(root, device).held()
    except StoreError:  # no locks there, so no worker either
        return False


def _holder(path: Path) -> dict[str, Any]:
    try:
        return codec.load_object(read(path))
    except (OSError, ValueError):  # it has the lock and has not yet said who it is
        return {}


def _waits_for_disk(pid: int) -> bool:
    """Whether the process is in the middle of reading or writing: nobody could end it now, and nothing is wrong with it."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_DISK_SLEEP)
    except psutil.Error:
        return False
