"""Fits per second of both engines, and how far they are from bare recurrent steps and from what the arithmetic allows.

    python benchmarks/replicas.py [--steps 5] [--replicas 1 5 10 25 50 100] [--epochs 60]

Each row times training steps at batch 29 of 105 bars, dropout and uncertainty weighting on, and counts a fit as 60 epochs of 4 such steps.
sequential: the loop's own step, one fit after another in this process. replicas: one step of all R. nn.LSTM: forward and backward of
the bare network, R times one after another and, on CUDA, on R streams. bound: the matrix products alone at the speed that one large product of
the same type reaches here. CPU rows are always measured, on one thread and in its processor time, so that a busy host changes little; CUDA
rows, in wall time, when a device is there. Sequential steps of R fits are R times one, and more replicas than are trained at a time come
in turns, so each is measured once.

Then the forms that the recurrence can take (`models/recurrence.py`), forward and backward of one layer of R networks: products is what
training uses. At last, on CUDA, whole fits: one after nn.LSTM's path beside 50 at once, with --epochs each and everything that a run
does but its files. A CPU does so only with --epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from moola_core.host.engine import ALONE
from moola_core.models.recurrence import DEFAULT, FORMS, available
from moola_core.specs import Finetune, build, change
from moola_core.training.capture import Captured
from moola_core.training.device import Device, resolve_device
from moola_core.training.finetune import fit_all
from moola_core.training.folds import Fold
from moola_core.training.inputs import Inputs
from moola_core.training.replicas import MOST_AT_A_TIME, Group

SHAPES = ((1, 32), (1, 96), (2, 128))
COUNTS = (1, 5, 10, 25, 50, 100)
BATCH, BARS, FEATURES, FIT_STEPS = 29, 105, 12, 240
WHOLE_FITS, WHOLE_SHAPE, WHOLE_EPOCHS = 50, (1, 96), 60
RESULT = Path(__file__).parent / "results" / "replicas.json"


def main() -> None:
    """Print a table of fits per second, and write it with host and versions."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--steps", type=int, default=5, help="steps timed in each row")
    arguments.add_argument("--replicas", type=int, nargs="+", default=COUNTS)
    arguments.add_argument("--epochs", type=int, help="of whole fits; 60 on CUDA, and none on a CPU")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    kinds = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    print(
        f"{'device':>6} {'model':>6} {'R':>4} {'sequential':>11} {'replicas':>9} {'nn.LSTM':>9} {'streams':>9} {'bound':>9}"
    )
    rows = [row for kind in kinds for shape in SHAPES for row in measure(kind, shape, given)]
    print(f"\nrecurrence, networks a second (training uses {DEFAULT}):")
    forms = [row for kind in kinds for shape in SHAPES for row in measure_forms(kind, shape, given)]
    whole = [whole_fits(kind, given.epochs or WHOLE_EPOCHS) for kind in kinds if given.epochs or kind == "cuda"]
    if len(kinds) == 1:
        print("CUDA rows: not measured, no device is here.")
    write({"rows": rows, "forms": forms, "whole": whole})


def measure(kind: str, shape: tuple[int, int], given: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of one device and model, in fits per second."""
    spec = spec_of(kind, shape)
    device = resolve_device(spec.training)
    inputs = inputs_of()
    alone = timed(sequential_step(spec, inputs, device), device, given.steps)
    bare = timed(bare_step(spec, device, 1), device, given.steps)
    flop_s = product_speed(device)
    rows, seconds = [], {}
    for count in given.replicas:
        together = min(count, MOST_AT_A_TIME[kind])
        if together not in seconds:
            seconds[together] = timed(replica_step(spec, inputs, device, together), device, given.steps)
        batched = seconds[together] * count / together
        streams = timed(bare_step(spec, device, count), device, given.steps) if kind == "cuda" else None
        bound = flop_s / step_flop(shape)
        found = {
            "sequential": 1 / alone,
            "replicas": count / batched,
            "bare_lstm": 1 / bare,
            "bare_streams": None if streams is None else count / streams,
            "bound": bound,
        }
        row = {"device": kind, "model": f"{shape[0]}x{shape[1]}", "replicas_count": count, "at_a_time": together}
        row |= {f"{name}_fits_per_s": None if v is None else v / FIT_STEPS for name, v in found.items()}
        rows.append(row)
        shown = [row[f"{name}_fits_per_s"] for name in found]
        cells = " ".join("        –" if value is None else f"{value:9.4f}" for value in shown)
        print(f"{kind:>6} {row['model']:>6} {count:4d}   {cells}", flush=True)
    return rows


def measure_forms(kind: str, shape: tuple[int, int], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Networks a second, forward and backward of their last layer, by every form that can run here."""
    device = resolve_device(spec_of(kind, shape).training)
    low = torch.bfloat16 if device.precision == "bf16" else None
    layers, hidden = shape
    names = available(hidden, low) if kind == "cuda" else ["products", "streams"]
    rows = []
    for count in sorted({min(count, MOST_AT_A_TIME[kind]) for count in given.replicas}):
        row: dict[str, Any] = {"device": kind, "model": f"{layers}x{hidden}", "replicas_count": count}
        for name in names:
            step = layer_step(name, count, (FEATURES if layers == 1 else 2 * hidden, hidden), kind, low)
            row[name] = count / timed(step, device, given.steps)
        rows.append(row)
        told = "  ".join(f"{name} {row[name]:.1f}" for name in names)
        print(f"{kind:>6} {row['model']:>6} {count:4d}   {told}", flush=True)
    return rows


def layer_step(name: str, count: int, widths: tuple[int, int], kind: str, low: torch.dtype | None) -> Callable[[], Any]:
    """Forward and backward of one two-way layer of `count` networks, on CUDA captured as training captures it."""
    width, hidden = widths
    shapes = ((BARS, BATCH, width), (4 * hidden, width), (4 * hidden, hidden), (4 * hidden,))
    given = [torch.randn(2 * count, *shape, device=kind, requires_grad=True) for shape in shapes]

    def step() -> tuple[torch.Tensor, ...]:
        with torch.enable_grad():
            return torch.autograd.grad(FORMS[name](*given, low).sum(), given)

    return Captured(step, torch.cuda.graph_pool_handle() if kind == "cuda" else None)


def whole_fits(kind: str, epochs: int) -> dict[str, Any]:
    """Seconds of one fit by the sequential engine and of 50 by replicas, from random weights to out-of-fold answers."""
    fixed = {"training.epochs": epochs, "training.patience": None, "training.processes": 1}
    spec, inputs = change(spec_of(kind, WHOLE_SHAPE), fixed), inputs_of()
    seconds = {}
    for engine, count in (("sequential", 1), ("replicas", WHOLE_FITS)):
        own, folds = change(spec, {"training.engine": engine}), [fold_of(repeat) for repeat in range(count)]
        started = time.perf_counter()
        done = list(fit_all(own, inputs, folds, lambda event: None))
        seconds[engine] = time.perf_counter() - started
        assert len(done) == count
    ratio = seconds["replicas"] / seconds["sequential"]
    print(
        f"{kind}: {WHOLE_FITS} fits at once in {seconds['replicas']:.1f} s, one alone in {seconds['sequential']:.1f} s, {ratio:.1f} times"
    )
    return {"device": kind, "model": "{}x{}".format(*WHOLE_SHAPE), "epochs": epochs, "fits": WHOLE_FITS} | {
        "sequential_one_s": seconds["sequential"],
        "replicas_all_s": seconds["replicas"],
        "ratio": ratio,
    }


def spec_of(kind: str, shape: tuple[int, int]) -> Finetune:
    """The settings that are timed."""
    values: dict[str, Any] = {"model": {"layers": shape[0], "hidden": shape[1]}}
    return build(Finetune, values | {"training": {"device": kind, "batch_size": BATCH}})


def inputs_of() -> Inputs:
    """Random windows, enough for a batch of every role."""
    random = np.random.default_rng(0)
    n = 5 * BATCH
    start = random.uniform(0, 50, n)
    return Inputs(
        x=random.standard_normal((n, BARS, FEATURES)).astype(np.float32),
        label=np.array(["a", "b"], object)[np.arange(n) % 2],
        start=start,
        end=start + random.uniform(5, 50, n),
        window_id=np.arange(n).astype(str),
        series=np.arange(n),
        first=np.zeros(n, np.int64),
        features=tuple(f"f{i}" for i in range(FEATURES)),
    )


def fold_of(repeat: int) -> Fold:
    rows = np.arange(5 * BATCH)
    return Fold(repeat, 0, rows[: 4 * BATCH], rows[:BATCH], rows[-BATCH:], rows[:0])


def sequential_step(spec: Finetune, inputs: Inputs, device: Device) -> Callable[[], Any]:
    return step_of(Group(spec, inputs, [fold_of(0)], device.using(ALONE)))


def replica_step(spec: Finetune, inputs: Inputs, device: Device, count: int) -> Callable[[], Any]:
    return step_of(Group(spec, inputs, [fold_of(repeat) for repeat in range(count)], device))


def step_of(group: Group) -> Callable[[], Any]:
    """One step of all fits as an epoch takes it: rows and draws taken, then the step, which on a card is captured."""
    for fit in group.fits:
        fit.unfreezing.begins(1)
    group.prepare()
    batch = group.batch.step_of([torch.arange(BATCH)] * len(group.fits))

    def step() -> None:
        group.batch.fill(batch, encoder_in_eval_mode=False)
        group.steps[False]()

    return step


def bare_step(spec: Finetune, device: Device, count: int) -> Callable[[], None]:
    """Forward and backward of `count` bare networks, each on a stream of its own where there are several."""
    model = spec.model
    between = model.dropout if model.layers > 1 else 0.0
    networks = [
        nn.LSTM(FEATURES, model.hidden, model.layers, batch_first=True, bidirectional=True, dropout=between)
        .to(device.kind)
        .train()
        for _ in range(count)
    ]
    x = torch.randn(BATCH, BARS, FEATURES, device=device.kind)
    streams = [torch.cuda.Stream() for _ in networks] if device.kind == "cuda" and count > 1 else []

    def once(network: nn.LSTM) -> None:
        network.zero_grad(set_to_none=True)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.precision == "bf16"):
            pooled = network(x)[0].mean(1)
        pooled.sum().backward()

    def step() -> None:
        for i, network in enumerate(networks):
            if streams:
                with torch.cuda.stream(streams[i]):
                    once(network)
            else:
                once(network)

    return step


def step_flop(shape: tuple[int, int]) -> float:
    """Multiplications and additions of the matrix products in one step of one fit, backward counted twice forward."""
    layers, hidden = shape
    inputs = [FEATURES] + [2 * hidden] * (layers - 1)
    return float(3 * sum(2 * 2 * BATCH * BARS * 4 * hidden * (width + hidden) for width in inputs))


def product_speed(device: Device) -> float:
    """Operations per second of one large product of the type that the device trains in."""
    size = 1024 if device.kind == "cpu" else 8192
    low = torch.bfloat16 if device.precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=device.kind, dtype=low) for _ in range(2))
    return 2 * size**3 / timed(lambda: a @ b, device, 5)


def timed(step: Callable[[], Any], device: Device, steps: int) -> float:
    """Median seconds of a step after one to warm up: this process's on a CPU, wall time with the device's work on CUDA."""
    clock = time.process_time if device.kind == "cpu" else time.perf_counter
    seconds = []
    for _ in range(steps + 1):
        started = clock()
        step()
        if device.kind == "cuda":
            torch.cuda.synchronize()
        seconds.append(clock() - started)
    return statistics.median(seconds[1:])


def write(measured: dict[str, list[dict[str, Any]]]) -> None:
    """Keep the figures with what they were measured on."""
    host = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    found = {"host": host | {"card": card}, "versions": versions, "batch": BATCH, "bars": BARS, "fit_steps": FIT_STEPS}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        json.dumps(found | {"cuda_measured": card is not None} | measured, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
