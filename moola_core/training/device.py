"""Which device trains, and in which precision."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from moola_core.errors import DeviceError
from moola_core.host.engine import STACKED, Engine
from moola_core.specs import Pretraining, Training


@dataclass(frozen=True)
class Device:
    """Where networks are trained, and how.

    kind: cpu or cuda; name: the device's own; precision: float32, tf32 or bf16 (autocast); engine: what computes the fits.
    """

    kind: str
    name: str
    precision: str
    engine: Engine = STACKED

    def using(self, engine: Engine) -> Device:
        """The device with another engine, in the precision that it names."""
        return replace(self, engine=engine, precision=engine.precision or self.precision)


def resolve_device(training: Training | Pretraining) -> Device:
    """The device that `training` asks for.

    Raises DeviceError when cuda is asked for and not usable, and when auto finds a card that torch cannot use: training
    on the CPU next to an idle card is never what was wanted, unless CUDA_VISIBLE_DEVICES hides all cards.
    """
    usable = torch.cuda.is_available()
    card = _card()
    if training.device == "cuda" and not usable:
        raise DeviceError("CUDA is not usable here.", where="training.device", hint=_hint(card))
    if training.device == "auto" and card and not usable and not _hidden():
        raise DeviceError(
            f"a card is present ({card}) but torch cannot use it.", where="training.device", hint=_hint(card)
        )
    if training.device == "cpu" or not usable:
        return Device("cpu", "cpu", "float32")
    # A fit's steps are small: bf16 has not been measured to be faster there, nor to change its results by less than the seeds do.
    automatic = "bf16" if isinstance(training, Pretraining) else "float32"
    precision = automatic if training.precision == "auto" else training.precision
    return Device("cuda", torch.cuda.get_device_name(), precision)


def _hidden() -> bool:
    """Whether all cards are hidden from this process, as they are from a worker of the CPU."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")


def asking_device(training: Training) -> str:
    """Where the networks of a run that trained so predict: on a usable card unless the run was kept off it."""
    return "cuda" if torch.cuda.is_available() and training.device != "cpu" else "cpu"


@contextmanager
def exact(device: Device) -> Iterator[None]:
    """Hold cuDNN and products on a card to the precision: cuDNN would otherwise round to TF32 where float32 is meant."""
    products, networks = torch.backends.cuda.matmul, torch.backends.cudnn
    before = products.allow_tf32, networks.allow_tf32
    if device.kind == "cuda" and device.precision != "bf16":
        products.allow_tf32 = networks.allow_tf32 = device.precision == "tf32"
    try:
        yield
    finally:
        products.allow_tf32, networks.allow_tf32 = before


@contextmanager
def own_random_state(device: Device) -> Iterator[None]:
    """Give torch's own random state back as it was."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.kind == "cuda" else []):
        yield


def seed_torch(seed: int) -> None:
    """Begin torch's own random streams anew, as `torch.manual_seed` does, which without a card keeps the whole call stack to tell cards later."""
    if torch.cuda.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


@contextmanager
def torch_on_one_thread(device: Device) -> Iterator[None]:
    """Hold torch to one thread of the CPU inside: sums then have one order, and two fits can run side by side."""
    before = torch.get_num_threads()
    if device.kind == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_freed_memory() -> None:
    """Let this process keep the memory that a step frees, for the next step to use.

    glibc hands large blocks back at once, and the next step faults the same pages in again: that was measured to be up to
    half of a step's time on a CPU. Elsewhere this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 2**30)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


def _card() -> str:
    """The name and driver of an NVIDIA card, if the host has one."""
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        try:
            answer = subprocess.run(query, capture_output=True, text=True, timeout=20, encoding="utf-8")
        except subprocess.TimeoutExpired:
            return "nvidia-smi does not answer"
        if answer.returncode == 0 and answer.stdout.strip():
            name, _, driver = answer.stdout.strip().splitlines()[0].partition(",")
            return f"{name.strip()}, driver {driver.strip()}"
    return "NVIDIA device" if Path("/dev/nvidia0").exists() else ""


def _hint(card: str) -> str:
    wheel = f"torch {torch.__version__} built for CUDA {torch.version.cuda or 'none (a CPU wheel)'}"
    if not card:
        return f"No NVIDIA card was found; this is {wheel}. Set training.device=cpu."
    return f"This is {wheel}: install a wheel that fits the driver, or `make app TORCH=system`, or set training.device=cpu."
