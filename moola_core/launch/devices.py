"""The devices of this host and the lane of short runs, each with one worker at most: a lock on a file, which ends with its process."""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from moola_core.errors import SpecError, StoreError
from moola_core.runs import codec
from moola_core.runs.liveness import identity

CARDS, NODES = Path("/proc/driver/nvidia/gpus"), Path("/dev")
# A lane of its own for runs that take seconds, on the processor, so that they do not wait behind a study.
SHORT = "short"
DEVICE = re.compile(rf"cpu|cuda:\d{{1,2}}|{SHORT}")
TRIES_S = 2.0
LONG = ("attribution", "power")  # diagnostics that take minutes: they explain models window by window, or fit many


def default_device() -> str:
    """The first card where the host has one, else the processor; known without loading torch."""
    return "cuda:0" if (CARDS.is_dir() and any(CARDS.iterdir())) or Path("/dev/nvidia0").exists() else "cpu"


def check(device: str) -> str:
    """The device's name, or the default one's when empty. Raises SpecError for a name that is none, or of a card that is not here."""
    name = device or default_device()
    if not DEVICE.fullmatch(name):
        raise SpecError(f"{device!r} is no device.", where="--device", hint="It is cpu, cuda:0, cuda:1, …, or short.")
    known = cards()
    if name not in ("cpu", SHORT) and known is not None and int(name.partition(":")[2]) >= known:
        here = ", ".join(["cpu", *(f"cuda:{number}" for number in range(known))])
        raise SpecError(f"{name} is not on this host.", where="--device", hint=f"It has {here}.")
    return name


def cards() -> int | None:
    """How many cards this process may use; None where the system does not say, as under WSL."""
    if (NODES / "dxg").exists():
        return None
    count = len([path for path in NODES.glob("nvidia*") if path.name.removeprefix("nvidia").isdigit()])
    count = max(count, len(list(CARDS.iterdir())) if CARDS.is_dir() else 0)
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    return count if shown is None else min(count, len([name for name in shown.split(",") if name.strip()]))


def can_do(device: str) -> tuple[str, ...]:
    """What a run may need (`needed`) for this device's worker to begin it.

    With a card in the host, the CPU's worker leaves alone what may use the card. Every worker begins short runs, and that of the lane
    of short runs nothing else.
    """
    if device == SHORT:
        return (SHORT,)
    return ("cpu", SHORT) if device == "cpu" and default_device() != "cpu" else ("auto", "cpu", "cuda", SHORT)


def needed(spec: Any) -> str:
    """What a run of this spec needs: a device as `training.device` says, or `SHORT` for a few seconds of the processor."""
    if spec.kind in ("compare", "report") or (spec.kind == "diagnose" and spec.name not in LONG):
        return SHORT
    return str(getattr(getattr(getattr(spec, "base", spec), "training", None), "device", "auto"))


def environment(device: str) -> dict[str, str]:
    """What tells a process to use this device alone."""
    if device in ("cpu", SHORT):
        return {"CUDA_VISIBLE_DEVICES": ""} if default_device() != "cpu" else {}
    number = int(device.partition(":")[2])
    given = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": given[number] if number < len(given) else str(number)}


class Lock:
    """The right to be the worker of a device in a store."""

    def __init__(self, root: Path, device: str) -> None:
        self.path = root / "workers" / f"{device.replace(':', '-')}.lock"
        self.descriptor: int | None = None

    def acquire(self) -> bool:
        """Take it; False when another process holds it. One that only looks holds it for an instant, so this tries for a while."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(
                f"cannot be written: {error.strerror}.", where=str(self.path), hint="Choose another with --store DIR."
            ) from None
        until = time.monotonic() + TRIES_S
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > until:
                os.close(descriptor)
                return False
            time.sleep(0.02)
        self.descriptor = descriptor
        with suppress(OSError):  # for people who look; the lock itself is the kernel's
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, codec.dumps(identity()).encode(), 0)
        return True

    def release(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def beat(self) -> None:
        """Say that its holder is at work."""
        if self.descriptor is not None:
            with suppress(OSError):
                os.utime(self.descriptor)

    def held(self) -> bool:
        """Whether some process is the device's worker now."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return False
        try:
            return not _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(
            f"the file system keeps no locks: {error.strerror}.",
            where="workers",
            hint="Choose a store on another disk (--store DIR): without locks, two workers could train one run.",
        ) from None
    return True
