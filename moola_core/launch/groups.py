"""Groups of processes: a run's own and those that it starts. All of them end before the device is anyone else's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

import psutil

from moola_core.runs.liveness import boot, elsewhere, identity

GRACE_S = 10.0
LOOK_S = 0.05


def members(leader: Mapping[str, Any]) -> list[int]:
    """Process ids of the group that `leader` (as in `identity`) leads or led; those that only wait to be forgotten are left out.

    The system gives a group's number to no new process while one of the group lives. So where the number is a process that is not
    the leader, the group is empty.
    """
    if elsewhere(leader) or leader.get("boot") not in (None, boot()):
        return []  # that number is another process's here
    number = int(leader["pid"])
    try:
        current = identity(number)
        same = (
            current["ticks"] == leader.get("ticks")
            if current["ticks"]
            else abs(current["started"] - leader["started"]) < 1
        )
        if not same:
            return []
    except psutil.NoSuchProcess:
        pass
    return [pid for pid in psutil.pids() if _group(pid) == number and _lives(pid)]


def end(leader: Mapping[str, Any], grace_s: float = GRACE_S, ask: bool = True) -> None:
    """TERM to the group (unless it is ending by itself: ask=False), KILL after `grace_s`, and wait until all are gone."""
    if ask:
        _send(leader, signal.SIGTERM)
    until = time.monotonic() + grace_s
    while members(leader) and time.monotonic() < until:
        time.sleep(LOOK_S)
    while members(leader):
        _send(leader, signal.SIGKILL)
        time.sleep(LOOK_S)


def _send(leader: Mapping[str, Any], which: signal.Signals) -> None:
    if members(leader):
        try:
            os.killpg(int(leader["pid"]), which)
        except ProcessLookupError:  # they ended in between
            return


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
