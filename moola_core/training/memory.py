"""How many fits at once the free memory holds, by what one of them was measured to take."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import torch

from moola_core.training.device import Device

USABLE = 0.85  # of the free memory: the rest is for what predictions and other processes take
PEAK, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"


def free_mb(kind: str) -> float:
    """Memory that a process may still take, in millions of bytes: of the card, or of the host as the operating system says."""
    if kind == "cuda":
        free, _ = torch.cuda.mem_get_info()
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # by torch, for tensors to come
        return float(free + kept) / 1e6
    import psutil

    return float(psutil.virtual_memory().available) / 1e6


def most_at_once(device: Device, asked: int) -> int:
    """As many of these fits as fit into the free memory at once; all of them where it was not measured what one takes."""
    if device.engine.fit_mb <= 0:
        return asked
    return max(1, min(asked, int(USABLE * free_mb(device.kind) / device.engine.fit_mb)))


class Peak:
    """The most memory that this process takes from here on, beyond what it takes here."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        if kind == "cuda":
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated() / 1e6
            return
        with suppress(OSError, AttributeError):  # a C library without it keeps freed memory, and less is measured
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            PEAK.write_text(RESET_PEAK, encoding="ascii")
        self.before = _status_mb("VmRSS")

    def mb(self) -> float | None:
        """In millions of bytes; None where this host does not say it."""
        if self.kind == "cuda":
            return max(torch.cuda.max_memory_allocated() / 1e6 - self.before, 0.0)
        peak = _status_mb("VmHWM")
        return None if not peak or not self.before else max(peak - self.before, 0.0)


def _status_mb(name: str) -> float:
    """A line of the process's status in millions of bytes; 0 where the host has none."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{name}:")), 0.0)
