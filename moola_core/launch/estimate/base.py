"""About how long the parts of a run take before any run was made here: from this host's own figures, else from a table."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from moola_core.features.catalog import names
from moola_core.host import figures as host
from moola_core.host.busy import slower_by
from moola_core.host.choices import fastest, pretraining_row, shape_of
from moola_core.host.engine import REPLICAS, SEQUENTIAL
from moola_core.host.figures import Figures, Shape, work_of
from moola_core.host.threads import WORTH_S, several_threads_pay
from moola_core.launch.devices import default_device
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Model, Pretrain

# Seconds of one step and its share of the measurements, one CPU thread, batch 29 of 105 bars, two fits side by side:
# (layers, hidden) to seconds, as measured on two cores.
MEASURED_STEP_S = {(1, 32): 0.029, (1, 64): 0.059, (1, 96): 0.099, (2, 128): 0.42}
DEFAULT_BARS = 105
# Seconds and bytes of a fit of a model that is no network, 174 windows of 105 bars, one thread.
MEASURED_FIT = {
    "majority": (0.01, 1_600),
    "logistic": (0.01, 5_600),
    "extra_trees": (0.44, 282_000),
    "minirocket": (0.38, 1_060_000),
    "quant": (2.6, 254_000),
    "locate_then_classify": (1.7, 183_000),
}
OTHER_FIT = (2.0, 300_000)  # a guess, for a model that nobody measured
TERMS_S = 0.5  # the span statistics of a network, fitted before it
PCGRAD_COST = 1.6
REPLICAS_COST = 1.7  # a step of a fit among others on a CPU, against one alone, from 1×96 on: docs/LOG.md, "Replicas"
AFTER_PATIENCE = 0.3  # of the epochs: about where the best one lies; a fit ends `patience` epochs later
SMALLER = 0.5  # power of the work by which a step smaller than a measured one is quicker
BARS_IN_A_STEP = 29 * DEFAULT_BARS
THREADS_GAIN = 1.6  # two threads in one large step, against one
# Seconds of a run that are no fits: reading, starting processes, evaluation, the doctor; as in the runs of two busy cores.
# First of any run, then of each of its fits or epochs; a run whose fits are all taken over has only to gather and evaluate them.
AROUND_S = {"network": (4.5, 0.1), "estimator": (3.0, 0.08), "pretrain": (3.0, 0.0), "taken over": (0.9, 0.12)}
# The same of a run of a study, whose process has loaded everything before.
AROUND_PART_S = {"network": (1.4, 0.08), "estimator": (0.5, 0.03), "pretrain": (2.3, 0.0), "taken over": (0.6, 0.06)}
COMPILING_S = {"minirocket": 8.0}  # in a process that has fitted none before
PART = "part"
TABLE = "a table measured on two CPU cores"
SCALED = f"{TABLE}, as fast as this host is"
TUNED = "this host's own figures (moola tune)"
GUESS = "a guess: no run of this model is kept yet"


@dataclass(frozen=True)
class Base:
    """Seconds of the fits of a run, and where they come from.

    at_once: whether all fits are computed at once; load: processes a core that ran beside the measuring of this host's figures.
    """

    fits_s: float
    source: str
    at_once: bool = False
    load: float = 0.0

    @property
    def from_host(self) -> bool:
        return self.source == TUNED

    @property
    def as_fast_as_host(self) -> bool:
        """Whether it is the table's, scaled by what other work took on this host."""
        return self.source == SCALED


def figures_for(store: Store, device: str) -> Figures | None:
    """This host's figures of the kind of device that a run asks for, where they hold."""
    figures = host.kept(store.root, "cpu" if device == "cpu" else default_device().partition(":")[0])
    return None if figures is None or figures.outdated(figures.software.get("driver", "")) else figures


def of_run(spec: Finetune, size: tuple[int, int], fits: int, figures: Figures | None, engine: str = "") -> Base:
    """Of so many fits of a cross-validated run.

    size: the windows that take part and their bars; engine: by which the fits were computed, where that is known.
    """
    windows, window_bars = size
    if not spec.is_network:
        return _of_simple_model(spec, windows / 174 * window_bars / DEFAULT_BARS, fits, figures)
    steps = fits * epochs_of_fit(spec) * steps_of_epoch(spec, windows)
    side_by_side = min(spec.training.processes or min(2, os.cpu_count() or 1), fits)
    row = fastest(figures, spec, window_bars, fits) if figures is not None else None
    if row is not None and engine in ("", row.engine):
        assert figures is not None, "it has the row"
        alone_s = (
            row.seconds(fits) / fits / slower_by(figures.load)
        )  # without the other work that ran beside the measuring
        step_s = alone_s * _next_to(shape_of(spec, window_bars).work, row.shape.work)
        source, at_once, side_by_side = TUNED, row.engine == REPLICAS, 1
    else:
        at_once = (engine or spec.training.engine) == REPLICAS
        times = _times_the_table(figures, side_by_side)
        step_s = (
            _from_table(spec, windows, window_bars) * (_replicas_cost(spec.model) if at_once else 1.0) * (times or 1)
        )
        source = SCALED if times else TABLE
        side_by_side = 1 if at_once else side_by_side
    terms_s = fits * TERMS_S / side_by_side if spec.model.adds_statistics else 0.0
    return Base(
        steps * step_s / side_by_side + terms_s,
        source,
        at_once,
        figures.load if figures is not None and source != TABLE else 0.0,
    )


def _of_simple_model(spec: Finetune, scale: float, fits: int, figures: Figures | None) -> Base:
    """Of so many fits: as measured on this host, else as in the table where this host is as fast as it was in others.

    scale: of the windows, 1 for those of the table.
    """
    estimator, table_s = spec.estimator, MEASURED_FIT.get(spec.estimator, OTHER_FIT)[0]
    known = {} if figures is None else {name: figures.fit_s(name) for name in MEASURED_FIT}
    ratios = [np.log(seconds / MEASURED_FIT[name][0]) for name, seconds in known.items() if seconds]
    fit_s, source, load = table_s, TABLE, 0.0
    if figures is not None and ratios:
        fit_s = (known.get(estimator) or table_s * float(np.exp(np.mean(ratios)))) / slower_by(figures.load)
        source, load = TUNED if known.get(estimator) else SCALED, figures.load
    if estimator not in MEASURED_FIT:
        source = GUESS
    seconds, processes = fits * scale * fit_s, min(spec.training.processes or min(2, os.cpu_count() or 1), fits)
    saved = max(fits - 2, 0) * scale * fit_s * (1 - 1 / processes)  # the first two tell how long one takes
    return Base(max(seconds - (saved - WORTH_S / 2 if saved > WORTH_S else 0.0), 1e-3), source, load=load)


def of_pretraining(spec: Pretrain, windows: int, epochs: int, figures: Figures | None = None) -> Base:
    """Of so many epochs of pre-training over so many windows."""
    row = pretraining_row(figures, spec) if figures is not None else None
    if row is not None and row.step_s:
        assert figures is not None, "it has the row"
        measured = work_of(row.shape.layers, row.shape.hidden) * row.shape.window_bars
        ratio = work_of(spec.model.layers, spec.model.hidden) * spec.sampling.window_bars / measured
        window_s = row.step_s / row.shape.batch_size * _next_to(ratio, 1.0) / slower_by(figures.load)
        return Base(windows * epochs * window_s, TUNED, load=figures.load)
    batch_s = _step_s(spec.model, spec.sampling.window_bars, BARS_IN_A_STEP // DEFAULT_BARS)
    pays = several_threads_pay(spec.model.encoder == "bilstm", spec.model.hidden, spec.training.batch_size)
    window_s = batch_s / (BARS_IN_A_STEP // DEFAULT_BARS) / (THREADS_GAIN if pays else 1.0)
    return Base(windows * epochs * window_s, TABLE)


def _times_the_table(figures: Figures | None, processes: int) -> float | None:
    """How many times as long as in the table the recurrent networks' steps take that were measured on this host; None where none were."""
    rows = [
        row
        for row in (figures.rows if figures is not None else ())
        if row.engine == SEQUENTIAL and row.shape.encoder == "bilstm" and row.step_s and row.precision == "float32"
    ]
    rows = [row for row in rows if row.processes == processes] or rows
    if figures is None or not rows:
        return None
    logs = [
        np.log((row.step_s or 0.0) / _of_work(row.shape.layers, row.shape.hidden) / _share(row.shape)) for row in rows
    ]
    return float(np.exp(np.mean(logs))) / slower_by(figures.load)


def _share(shape: Shape) -> float:
    """The bars of its step, as a share of those of the table."""
    return shape.batch_size * shape.window_bars / BARS_IN_A_STEP


def around(key: tuple[str, ...], fits: int) -> float:
    """Seconds of a run of so many fits that are no fits; key: its kind of `AROUND_S`, whether it is a part, and the kind of its fits."""
    first, each = (AROUND_PART_S if key[1] == PART else AROUND_S)[key[0]]
    return first + each * fits + (COMPILING_S.get(key[2], 0.0) if key[0] != "taken over" and key[1] != PART else 0.0)


def bytes_of(spec: Finetune, windows: int, fits: int) -> int:
    """About how much disk so many fits fill."""
    if not spec.is_network:
        bars = spec.data.windows_reading.window_bars or DEFAULT_BARS
        return int(fits * MEASURED_FIT.get(spec.estimator, OTHER_FIT)[1] * windows / 174 * bars / DEFAULT_BARS)
    logs = fits * spec.training.epochs * (400 + 60 * steps_of_epoch(spec, windows))
    return int(fits * 4 * parameters(spec) + logs + 400 * fits * windows)


def epochs_of_fit(spec: Finetune) -> float:
    """About how many epochs a fit trains: the best one comes early, and after it as many as the patience."""
    training = spec.training
    if training.patience is None:
        return float(training.epochs)
    return min(training.epochs, training.patience + AFTER_PATIENCE * training.epochs)


def steps_of_epoch(spec: Finetune, windows: int) -> int:
    """Steps of one fit's epoch."""
    return max(-(-_train_size(spec, windows) // spec.training.batch_size), 1)


def _train_size(spec: Finetune, windows: int) -> int:
    """Windows that one fit trains on."""
    return max(round(windows * (1 - 1 / spec.training.folds) * (1 - spec.training.validation_size)), 1)


def parameters(spec: Finetune | Pretrain) -> int:
    """About how many weights a fit keeps: those of the LSTM layers and the trunk."""
    hidden, inputs, count = spec.model.hidden, len(names(spec.features.columns)), 0
    for _ in range(spec.model.layers):
        count += 2 * 4 * hidden * (inputs + hidden + 2)
        inputs = 2 * hidden
    return count + 2 * hidden * spec.model.trunk_width


def _next_to(work: float, measured: float) -> float:
    """Times the measured step: a smaller one is less quicker than its work is smaller, since each operation has its own cost."""
    ratio = work / measured
    return ratio if ratio > 1 else ratio**SMALLER


def _replicas_cost(model: Model) -> float:
    """A step of a fit among others on a CPU, against one alone: nothing more up to 1×32, the full cost from 1×96 on."""
    least, most = (np.log(work_of(1, hidden)) for hidden in (32, 96))
    share = (np.log(work_of(model.layers, model.hidden)) - least) / (most - least)
    return float(1 + (REPLICAS_COST - 1) * np.clip(share, 0, 1))


def _from_table(spec: Finetune, windows: int, window_bars: int) -> float:
    batch = min(spec.training.batch_size, _train_size(spec, windows))
    return _step_s(spec.model, window_bars, batch) * (PCGRAD_COST if spec.loss.pcgrad else 1.0)


def _step_s(model: Model, window_bars: int, batch: int) -> float:
    """Seconds of one step, interpolated in the logarithm of its recurrent work."""
    return _of_work(model.layers, model.hidden) * batch * window_bars / BARS_IN_A_STEP


def _of_work(layers: int, hidden: int) -> float:
    """Seconds of a step of the table's windows."""
    slope, offset = _line()
    return float(np.exp(offset + slope * np.log(work_of(layers, hidden))))


@lru_cache(1)
def _line() -> tuple[float, float]:
    """Slope and offset of the logarithm of a step's seconds over that of its work."""
    work = np.log([work_of(layers, hidden) for layers, hidden in MEASURED_STEP_S])
    slope, offset = np.polyfit(work, np.log(list(MEASURED_STEP_S.values())), 1)
    return float(slope), float(offset)
