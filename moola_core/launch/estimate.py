"""How long a run will take and how much disk it will fill, from measured steps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from moola_core.errors import MoolaError
from moola_core.features.catalog import names
from moola_core.host import figures as host
from moola_core.host.choices import fastest, shape_of
from moola_core.host.engine import REPLICAS, SEQUENTIAL
from moola_core.launch.devices import default_device
from moola_core.runs.record import Record
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Model, Pretrain, Study

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
TERMS_S = 5.0  # the span statistics of a network, fitted before it
START_S = 6.0
PCGRAD_COST = 1.6
REPLICAS_COST = 1.7  # a step of a fit among others on a CPU, against one alone, from 1×96 on: docs/LOG.md, "Replicas"
USED_EPOCHS = 0.8  # early stopping ends most fits before the last epoch
BARS_IN_A_STEP = 29 * 105
THREADS_GAIN = 1.6  # two threads in one large step, against one


@dataclass(frozen=True)
class Measured:
    """Seconds of one step of one fit in a finished run (in each of its processes), and how it fitted."""

    step_s: float
    run_id: str
    engine: str


@dataclass(frozen=True)
class Estimate:
    """Wall-clock `seconds`, `bytes` on disk, how many fits, and where the step time comes from."""

    seconds: float
    bytes: int
    fits: int
    source: str


def estimate(spec: Finetune, windows: int, store: Store) -> Estimate:
    """The estimate for a run on this host: from the newest finished run of the same shape in the store, else from a table.

    windows: how many take part. The window length is that of the spec's reading, or 105.
    """
    window_bars = spec.data.windows_reading.window_bars or DEFAULT_BARS
    fits = spec.training.folds * spec.training.repeats
    if not spec.is_network:
        return _of_estimator(spec, windows, window_bars, store)
    steps = -(
        -round(windows * (1 - 1 / spec.training.folds) * (1 - spec.training.validation_size))
        // spec.training.batch_size
    )
    side_by_side = min(spec.training.processes or min(2, os.cpu_count() or 1), fits)
    measured = _from_store(spec, window_bars, store)
    tuned = None if measured else _from_host(spec, window_bars, fits, store)
    at_once = measured.engine == REPLICAS if measured else spec.training.engine == REPLICAS
    if measured:
        step_s, source = measured.step_s, f"measured in run {measured.run_id}"
    elif tuned:
        at_once, side_by_side = False, 1
        step_s, source = tuned, "this host's own figures (moola tune)"
    else:
        step_s, source = _from_table(spec, window_bars), "a table measured on two CPU cores"
        source += "" if spec.model.encoder == "bilstm" else " with an LSTM of this size"
        step_s *= REPLICAS_COST if at_once else 1.0
        source += (
            "" if default_device() == "cpu" or spec.training.device == "cpu" else "; no run on this card is kept yet"
        )
    source += ", all fits at once" if at_once else ""
    total = fits * spec.training.epochs * USED_EPOCHS * steps / (1 if at_once else side_by_side)
    terms_s = 0.0 if measured or not spec.model.span_statistics else fits * TERMS_S / side_by_side
    weights = fits * 4 * parameters(spec)
    logs = fits * spec.training.epochs * (400 + 60 * steps)
    return Estimate(START_S + terms_s + total * step_s, int(weights + logs + 400 * fits * windows), fits, source)


def _of_estimator(spec: Finetune, windows: int, window_bars: int, store: Store) -> Estimate:
    """Of a model that is no network: the newest run of the same model on this host, else seconds as measured on 174 windows."""
    fits = spec.training.folds * spec.training.repeats
    scale = windows / 174 * window_bars / DEFAULT_BARS
    measured = MEASURED_FIT.get(spec.estimator)
    fit_s, fit_bytes = (scale * part for part in measured or OTHER_FIT)
    source = "a table measured on two CPU cores" if measured else "a guess: no run of this model is kept yet"
    for record in store.runs(kind=spec.kind):
        if record.state == "done" and record.seconds and _fitted_whole(record):
            try:
                same = store.open(record.run_id).spec.estimator == spec.estimator
            except MoolaError:
                continue
            if same and record.progress.get("total"):
                shape = (record.facts.windows or windows) * (record.facts.window_bars or window_bars)
                fit_s = record.seconds / record.progress["total"] * windows * window_bars / shape
                source = f"measured in run {record.run_id}"
                break
    return Estimate(START_S + fits * fit_s, int(fits * fit_bytes), fits, source)


def estimate_pretraining(spec: Pretrain, bars: int, store: Store) -> Estimate:
    """The estimate for a pre-training run over so many bars; `fits` is about how many windows it will see in an epoch."""
    windows = max((bars - spec.sampling.window_bars) // spec.sampling.stride_bars, 1)
    measured = None
    for record in store.runs(kind=spec.kind):
        done = (record.facts.train or 0) * (record.progress.get("done") or 0)
        if record.state != "done" or not done or not record.seconds or record.host != os.uname().nodename:
            continue
        try:
            other = store.open(record.run_id).spec
        except MoolaError:
            continue
        if (other.model, other.objective) == (spec.model, spec.objective):
            measured = max(record.seconds - START_S, 0.5) / done, record.run_id
            break
    batch_s = _step_s(spec.model, spec.sampling.window_bars, BARS_IN_A_STEP // DEFAULT_BARS)
    window_s = measured[0] if measured else batch_s / (BARS_IN_A_STEP // DEFAULT_BARS) / THREADS_GAIN
    source = f"measured in run {measured[1]}" if measured else "a table measured on two CPU cores"
    seconds = START_S + windows * spec.training.epochs * window_s
    return Estimate(seconds, 4 * 4 * parameters(spec), windows, source)


def estimate_study(spec: Study, windows: int, bars: int, store: Store) -> float:
    """About how many seconds all runs of a study take on this host; windows: how many take part, bars: of the pre-training."""
    total = 0.0
    if bars:
        for encoder, _ in spec.pretrainings():
            times = spec.pretraining_counts[encoder.sampling.labelled]
            total += times * estimate_pretraining(encoder, bars, store).seconds
    fitted = [*spec.firsts(), *(spec.spec_of(arm.name, "encoder") for arm in spec.arms)]
    return total + sum(estimate(one, windows, store).seconds for one in fitted)


def parameters(spec: Finetune | Pretrain) -> int:
    """About how many weights a fit keeps: those of the LSTM layers and the trunk."""
    hidden, inputs, count = spec.model.hidden, len(names(spec.features.columns)), 0
    for _ in range(spec.model.layers):
        count += 2 * 4 * hidden * (inputs + hidden + 2)
        inputs = 2 * hidden
    return count + 2 * hidden * spec.model.trunk_width


def _from_store(spec: Finetune, window_bars: int, store: Store) -> Measured | None:
    """The newest finished run of the same model, batch and window length on this host, which left device and engine to the same choice."""
    for record in store.runs(kind=spec.kind):
        epochs = record.facts.epochs_run
        if record.state != "done" or not epochs or not record.seconds or not _fitted_whole(record):
            continue
        try:
            run = store.open(record.run_id)
            other, rows = run.spec, run.table("steps").num_rows
        except MoolaError:  # a run of another version, or one that lost a file, measures nothing
            continue
        if _shape(other) != _shape(spec):
            continue
        if record.facts.window_bars != window_bars:
            continue
        engine = record.facts.engine or SEQUENTIAL
        processes = min(other.training.processes or min(2, os.cpu_count() or 1), len(epochs))
        per_process = rows / (1 if engine == REPLICAS else processes)
        return Measured(max(record.seconds - START_S, 0.5) / max(per_process, 1), record.run_id, engine)
    return None


def _fitted_whole(record: Record) -> bool:
    """Whether the run's seconds are those of its fits, on this host: none was taken over from another run."""
    return record.host == os.uname().nodename and record.facts.taken_over is None


def _from_host(spec: Finetune, window_bars: int, fits: int, store: Store) -> float | None:
    """Seconds of a step of each of so many fits, by what this host was measured to do; None where that says nothing of such a network."""
    figures = host.kept(store.root, "cpu" if spec.training.device == "cpu" else default_device().partition(":")[0])
    if figures is None or figures.outdated(figures.software.get("driver", "")):
        return None
    row = fastest(figures, spec, window_bars, fits)
    if row is None:
        return None
    return row.seconds(fits) / fits * shape_of(spec, window_bars).work / row.shape.work


def _shape(spec: Finetune) -> tuple[Any, ...]:
    training = spec.training
    return spec.model, spec.loss.pcgrad, training.batch_size, training.device, training.engine


def _from_table(spec: Finetune, window_bars: int) -> float:
    return _step_s(spec.model, window_bars, spec.training.batch_size) * (PCGRAD_COST if spec.loss.pcgrad else 1.0)


def _step_s(model: Model, window_bars: int, batch: int) -> float:
    """Seconds of one step, interpolated in the logarithm of its recurrent work."""
    work = np.log([_work(layers, hidden) for layers, hidden in MEASURED_STEP_S])
    seconds = np.log(list(MEASURED_STEP_S.values()))
    slope, offset = np.polyfit(work, seconds, 1)
    scale = batch * window_bars / BARS_IN_A_STEP
    return float(np.exp(offset + slope * np.log(_work(model.layers, model.hidden))) * scale)


def _work(layers: int, hidden: int) -> int:
    return layers * hidden * (hidden + 64)
