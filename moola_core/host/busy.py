"""How busy this host is with all that runs on it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from moola_core.host.figures import cores

PRESSURE = Path("/proc/pressure/cpu")  # of Linux: for which share of the time some process waited for a core
WAITED = re.compile(r"some .*avg60=([\d.]+)")
WAITING = 20.0  # percent of the last minute, below which nobody waits for long
MOST = 20.0
POWER = 0.5  # the load holds the work's own processes too, and lasts no longer than it does: chosen on 22 runs on a busy host


def stretch() -> float:
    """How many times as long work takes now as it does on this host alone: 1 where no process waits for a core, or that is not known.

    Processes that run one after another, as those of a queue do, keep a host at work and make nobody wait, so that they do not count.
    """
    try:
        waited = WAITED.match(PRESSURE.read_text(encoding="ascii"))
    except OSError:
        return 1.0
    if waited is None or float(waited[1]) < WAITING:
        return 1.0
    return slower_by(os.getloadavg()[0] / cores())


def slower_by(load: float) -> float:
    """How many times as long work takes beside so many processes a core."""
    return float(min(max(load, 1.0), MOST) ** POWER)
