"""The devices of this host as they are measured, and their figures."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from moola_core.errors import DeviceError, StoreError
from moola_core.host import figures
from moola_core.host.figures import Figures, Hardware
from moola_core.launch.background import start_moola

ASK_S = 20
MEASURED_S, LOOK_S = 3600.0, 0.2
LOCK, LOG = "tune.lock", "tune.log"


def hardware(kind: str) -> Hardware:
    """The processor (``"cpu"``), or the card that a process trains on (``"cuda"``): the first one that it is shown.

    Raises DeviceError where torch can use no card.
    """
    if kind == figures.CPU:
        return figures.processor()
    import torch

    if not torch.cuda.is_available():
        raise DeviceError("CUDA is not usable here.", where="tune", hint="Measure the processor: --device cpu.")
    card = torch.cuda.get_device_properties(0)
    return Hardware("cuda", card.name, str(card.uuid), figures.cores(), float(round(card.total_memory / 1e9)))


@lru_cache(1)
def driver() -> str:
    """The version of the NVIDIA driver; empty where there is none."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=ASK_S, encoding="utf-8")
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip().splitlines()[0] if answer.returncode == 0 and answer.stdout.strip() else ""


def figures_of(store: Path, kind: str) -> Figures | None:
    """The figures of the device that a run of this kind trains on, where they hold for the software that is installed."""
    known, _ = figures.read(store, hardware(kind))
    if known is None or known.outdated(driver() if kind == "cuda" else ""):
        return None
    return known


@contextmanager
def alone(store: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Wait until no other process measures for this store, since two at once would measure each other. Raises StoreError."""
    descriptor = _open_lock(store)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            _wait(descriptor, store)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, store: Path) -> None:
    until = time.monotonic() + MEASURED_S
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return
    raise StoreError(
        f"another process has been measuring for {MEASURED_S / 60:.0f} minutes.",
        where=str(store / figures.FOLDER / LOCK),
        hint="It may have been stopped: let it go on or end it (`fuser` names it), and try again.",
    )


def measuring(store: Path) -> bool:
    """Whether a process measures for this store now."""
    if not (store / figures.FOLDER / LOCK).is_file():
        return False
    descriptor = _open_lock(store)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open_lock(store: Path) -> int:
    path = store / figures.FOLDER / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=str(path), hint="Choose another store with --store DIR."
        ) from None


def start_measuring(store: Path, quick: bool) -> None:
    """Measure in a process of its own, which outlives this one. Raises StoreError where none can be started."""
    start_moola(["tune", *(["--quick"] if quick else [])], store / figures.FOLDER / LOG, store)
