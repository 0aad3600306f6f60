"""The figures of a host: what was measured, on what, and the file that keeps them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.errors import StoreError
from moola_core.host.engine import REPLICAS
from moola_core.runs import codec
from moola_core.runs.files import write_text

FORMAT = 1
FOLDER = "host"
CPU = "cpu"
FIT = "a fit of {}"  # the name of the speed of a simple model


@dataclass(frozen=True)
class Hardware:
    """What is measured: a processor, or one card of this host.

    Attributes
    ----------
    kind : str
        ``"cpu"`` or ``"cuda"``.
    name : str
        The processor's or the card's own name.
    identity : str
        What tells two cards of one name apart; the host's name for a processor.
    cores : int
        Cores that this process may use.
    memory_gb : float
        Of the card, or of the host for a processor.
    """

    kind: str
    name: str
    identity: str
    cores: int
    memory_gb: float

    @property
    def fingerprint(self) -> str:
        """A name for the file of its figures; other hardware has another."""
        text = f"{self.kind}|{self.name}|{self.identity}|{self.cores}|{self.memory_gb:.0f}"
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def work_of(layers: int, hidden: int) -> int:
    """About proportional to the arithmetic of a network for one bar."""
    return layers * hidden * (hidden + 64)


@dataclass(frozen=True)
class Shape:
    """The shape of a network and its step.

    Attributes
    ----------
    encoder : str
    layers, hidden : int
        As in the settings of a model.
    pointer : str
        What points, as in the settings of a model.
    batch_size : int
        Windows in a step.
    window_bars : int
        Bars of a window.
    """

    encoder: str
    layers: int
    hidden: int
    pointer: str
    batch_size: int
    window_bars: int

    @property
    def title(self) -> str:
        return f"{self.encoder} {self.layers}×{self.hidden}"

    @property
    def work(self) -> float:
        """About proportional to the arithmetic of a step of this encoder."""
        return work_of(self.layers, self.hidden) * self.batch_size * self.window_bars


@dataclass(frozen=True)
class Row:
    """One way to compute the steps of a shape, and how long it takes.

    Attributes
    ----------
    shape : Shape
    engine, form, precision : str
        As in :class:`Engine`; the form is empty where there is no recurrence, and the precision is the one that was used.
    graphs : bool
        Whether the steps were captured as CUDA graphs.
    at_once : int
        Fits in one step.
    processes : int
        Processes that step side by side.
    step_s : float or None
        Seconds of one step of each process; None where it could not be measured.
    error : float or None
        How far the gradient of a step is from the reference's (float32, one fit alone), as a share of the reference's length.
    reason : str
        Why it may not be chosen; empty where it may.
    memory_mb : float or None
        Memory that all fits of a step took at their most, in millions of bytes; None where it was not measured.
    """

    shape: Shape
    engine: str
    form: str
    precision: str
    graphs: bool
    at_once: int
    processes: int
    step_s: float | None
    error: float | None = None
    reason: str = ""
    memory_mb: float | None = None

    @property
    def fits_in_a_step(self) -> int:
        return self.at_once * self.processes

    @property
    def steps_per_s(self) -> float:
        """Steps of single fits in a second."""
        return self.fits_in_a_step / self.step_s if self.step_s else 0.0

    def seconds(self, fits: int) -> float:
        """Of one step of so many fits."""
        assert self.step_s is not None, "it was measured"
        return -(-fits // self.fits_in_a_step) * self.step_s

    @property
    def how(self) -> str:
        """In words."""
        if self.engine == REPLICAS:
            parts = [
                f"{self.at_once} fits at once",
                self.form,
                self.precision,
            ]
            return ", ".join([part for part in parts if part] + ([] if self.graphs else ["no CUDA graph"]))
        processes = f"{self.processes} processes" if self.processes > 1 else "one process"
        return f"one fit after another, {processes}, {self.precision}"


@dataclass(frozen=True)
class Speed:
    """Something else that was timed.

    Attributes
    ----------
    name : str
    value : float
        In `unit`.
    unit : str
    """

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Figures:
    """All figures of one device of a host.

    Attributes
    ----------
    hardware : Hardware
    software : dict of str to str
        Versions that the figures depend on.
    made : str
        When, in ISO 8601.
    seconds : float
        How long measuring took.
    quick : bool
        Whether only what matters most was measured.
    rows : tuple of Row
    floors : dict of str to float
        Seconds of a bare step of one fit, by the shape's title.
    speeds : tuple of Speed
    left_out : tuple of str
        What was not measured since the time for measuring was over.
    load : float
        Processes that ran or waited for each core before measuring began: other work that these figures contain.
    """

    hardware: Hardware
    software: dict[str, str]
    made: str
    seconds: float
    quick: bool
    rows: tuple[Row, ...]
    floors: dict[str, float] = field(default_factory=dict)
    speeds: tuple[Speed, ...] = ()
    left_out: tuple[str, ...] = ()
    load: float = 0.0

    def fit_s(self, estimator: str) -> float | None:
        """Seconds of one fit of a simple model; None where it was not measured."""
        return next((one.value for one in self.speeds if one.name == FIT.format(estimator)), None)

    def outdated(self, driver: str) -> str:
        """A sentence where the software has changed since, or the driver of the card; empty where the figures hold."""
        now = software(driver)
        changed = [
            f"{name} was {self.software.get(name) or 'absent'} and is {version or 'absent'}"
            for name, version in now.items()
            if self.software.get(name, "") != version
        ]
        return (
            f"These figures are out of date: {'; '.join(changed)}. Measure again with `moola tune`." if changed else ""
        )


def software(driver: str) -> dict[str, str]:
    """The versions that figures depend on."""
    return {"torch": _version("torch"), "triton": _version("triton"), "driver": driver}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def processor() -> Hardware:
    """This host's processor."""
    import psutil

    return Hardware(CPU, _processor_name(), platform.node(), cores(), float(round(psutil.virtual_memory().total / 1e9)))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor_name() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def path_of(store: Path, hardware: Hardware) -> Path:
    return store / FOLDER / f"{hardware.fingerprint}.json"


def write(store: Path, figures: Figures) -> Path:
    """Keep the figures in the store: a whole file or none. Raises StoreError."""
    path = path_of(store, figures.hardware)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, codec.dumps({"format": FORMAT} | dataclasses.asdict(figures), indent=1))
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=str(path), hint="Choose another store with --store DIR."
        ) from None
    return path


def read(store: Path, hardware: Hardware) -> tuple[Figures | None, str]:
    """The figures of this hardware that the store keeps, and a sentence where a file is there that cannot be used."""
    path = path_of(store, hardware)
    try:
        figures = parse(path.read_bytes())
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, TypeError, KeyError) as error:
        return None, f"{path} is not used: {error}. Measure again with `moola tune`."
    if figures.hardware != hardware:
        return None, f"{path} is not used: it was measured on other hardware. Measure again with `moola tune`."
    return figures, ""


def kept(store: Path, kind: str) -> Figures | None:
    """The newest figures of a device of this kind with as many cores, without asking the device itself."""
    known = []
    for path in (store / FOLDER).glob(f"{kind}-*.json"):
        try:
            one = parse(path.read_bytes())
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if one.hardware.cores == cores():
            known.append(one)
    return max(known, key=lambda one: one.made, default=None)


def parse(text: bytes) -> Figures:
    """Figures from a file's text. Raises ValueError, TypeError or KeyError where it holds none."""
    values = codec.load_object(text)
    if values.pop("format", None) != FORMAT:
        raise ValueError("it is no file of figures of this version")
    rows = tuple(_row(row) for row in values.pop("rows"))
    speeds = tuple(Speed(**speed) for speed in values.pop("speeds"))
    hardware = Hardware(**values.pop("hardware"))
    figures = Figures(hardware=hardware, rows=rows, speeds=speeds, left_out=tuple(values.pop("left_out")), **values)
    if not (isinstance(figures.software, dict) and isinstance(figures.floors, dict)):
        raise ValueError("its fields have other types")
    return figures


NUMBERS: dict[str, Callable[[Any], bool]] = {
    "at_once": lambda value: isinstance(value, int) and value > 0,
    "processes": lambda value: isinstance(value, int) and value > 0,
    "memory_mb": lambda value: value is None or (isinstance(value, int | float) and np.isfinite(value) and value >= 0),
    "step_s": lambda value: value is None or (isinstance(value, int | float) and np.isfinite(value) and value > 0),
}


def _row(values: dict[str, Any]) -> Row:
    row = Row(**(values | {"shape": Shape(**values["shape"])}))
    wrong = [name for name, right in NUMBERS.items() if not right(getattr(row, name))]
    if wrong:
        raise ValueError(f"a row has no usable {wrong[0]}")
    return row
