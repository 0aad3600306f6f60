"""Whether a run that counts as running does anything: its processes may have been stopped, or be out of sight."""

from __future__ import annotations

import psutil

from moola_core.durations import duration
from moola_core.host import standstill
from moola_core.runs.liveness import alive, elsewhere, unseen
from moola_core.runs.record import Record
from moola_core.runs.store import Run

GO_ON = "Let it go on with `kill -CONT {pid}`"


def standing(run: Run, record: Record) -> str:
    """Why a running run makes no progress, or why nobody here knows, as a sentence; empty where it goes on."""
    if record.state != "running" or not record.process:
        return ""
    if elsewhere(record.process):
        return unseen(run, record)
    if not alive(record.process):
        return ""
    pid, limit = int(record.process["pid"]), duration(standstill.LIMIT_S)
    if standstill.stopped(pid):
        own = f"Its process (pid {pid}) was stopped by a signal and does nothing. {GO_ON.format(pid=pid)}"
        if record.process.get("worker"):
            return f"{own}; otherwise it is ended after {limit}, and the run can be resumed."
        return f"{own}, or end it with `kill -KILL {pid}`: the run can be resumed."
    part = next((child for child in _started_by(pid) if standstill.stopped(child)), None)
    if part is None:
        return ""
    return (
        f"A process that shares its work (pid {part}) was stopped by a signal and does nothing. {GO_ON.format(pid=part)}; otherwise it is ended "
        f"after {limit}, and the run fails. Finished fits are kept, and it can be resumed."
    )


def _started_by(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []
