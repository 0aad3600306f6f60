"""What our fine-tuning step costs beside the bare network it cannot do without.

    python benchmarks/finetune_step.py [--device cuda] [--steps 20]

Ours: batch taken by index, forward, losses, weighting, backward, PCGrad where on, clipping and AdamW. Bare: forward and
backward of an `nn.LSTM` of the same shape, with a second backward where PCGrad is on. Both are timed in turn in one run, and the
ratio of the medians is held to 1.25.
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
from moola_core.specs import Finetune, build
from moola_core.training.device import Device, resolve_device
from moola_core.training.folds import Fold
from moola_core.training.group import Group
from moola_core.training.inputs import Inputs

SHAPES = ((1, 32), (1, 96), (2, 128))
BATCH, BARS, FEATURES = 29, 105, 12
LIMIT = 1.25
RESULT = Path(__file__).parent / "results" / "finetune_step.json"


def main() -> None:
    """Print a table of times and ratios, and write them with host and versions."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments.add_argument("--steps", type=int, default=20)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    rows = [compare(layers, hidden, pcgrad, given) for layers, hidden in SHAPES for pcgrad in (False, True)]
    print(f"{'model':>8} {'pcgrad':>7} {'bare ms':>9} {'ours ms':>9} {'ratio':>6}")
    for row in rows:
        print(f"{row['model']:>8} {row['pcgrad']!s:>7} {row['bare_ms']:9.2f} {row['ours_ms']:9.2f} {row['ratio']:6.3f}")
    worst = max(row["ratio"] for row in rows)
    print(f"worst ratio {worst:.3f}, limit {LIMIT}: {'held' if worst <= LIMIT else 'NOT HELD'}")
    write(given.device, rows)


def compare(layers: int, hidden: int, pcgrad: bool, given: argparse.Namespace) -> dict[str, Any]:
    """Median milliseconds of both steps, taken in turn so that a busy host slows both alike."""
    spec = build(
        Finetune,
        {
            "model": {"layers": layers, "hidden": hidden},
            "loss": {"pcgrad": pcgrad},
            "training": {"device": given.device, "batch_size": BATCH},
        },
    )
    device = resolve_device(spec.training)
    steps = (bare_step(spec, device), our_step(spec, device))
    for _ in range(5):
        for step in steps:
            step()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(given.steps):
        for times, step in zip(seconds, steps, strict=True):
            times.append(timed(step, device))
    bare, ours = (statistics.median(times) * 1e3 for times in seconds)
    return {"model": f"{layers}x{hidden}", "pcgrad": pcgrad, "bare_ms": bare, "ours_ms": ours, "ratio": ours / bare}


def timed(step: Callable[[], Any], device: Device) -> float:
    """Seconds of one step, the device's work included."""
    started = time.perf_counter()
    step()
    if device.kind == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def bare_step(spec: Finetune, device: Device) -> Callable[[], None]:
    """Forward and backward of the LSTM alone; backward twice where PCGrad needs both tasks' gradients."""
    model = spec.model
    between = model.dropout if model.layers > 1 else 0.0
    lstm = nn.LSTM(FEATURES, model.hidden, model.layers, batch_first=True, bidirectional=True, dropout=between)
    lstm = lstm.to(device.kind)
    x = torch.randn(BATCH, BARS, FEATURES, device=device.kind)

    def step() -> None:
        lstm.zero_grad(set_to_none=True)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.precision == "bf16"):
            pooled = lstm(x)[0].mean(1)
        pooled.sum().backward(retain_graph=spec.loss.pcgrad)
        if spec.loss.pcgrad:
            pooled.sum().backward()

    return step


def our_step(spec: Finetune, device: Device) -> Callable[[], Any]:
    """The step of a fit alone, on random windows."""
    random = np.random.default_rng(0)
    n, start = 5 * BATCH, random.uniform(0, 50, 5 * BATCH)
    inputs = Inputs(
        x=random.standard_normal((n, BARS, FEATURES)).astype(np.float32),
        label=np.array(["a", "b"], object)[np.arange(n) % 2],
        start=start,
        end=start + random.uniform(5, 50, n),
        window_id=np.arange(n).astype(str),
        series=np.arange(n),
        first=np.zeros(n, np.int64),
        features=tuple(f"f{i}" for i in range(FEATURES)),
    )
    rows = np.arange(n)
    fold = Fold(0, 0, rows, rows[:BATCH], rows[:BATCH], rows[:0])
    group = Group(spec, inputs, [fold], device.using(ALONE))
    group.fits[0].unfreezing.begins(1)
    group.prepare()
    batch = group.batch.step_of([torch.arange(BATCH)])

    def step() -> None:
        group.batch.fill(batch, encoder_in_eval_mode=False)
        group.steps[spec.loss.pcgrad]()

    return step


def write(device: str, rows: list[dict[str, Any]]) -> None:
    """Keep the figures with what they were measured on."""
    host = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0], "device": device}
    if device == "cuda":
        host["card"] = torch.cuda.get_device_name()
    versions = {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}
    RESULT.parent.mkdir(exist_ok=True)
    found = {"host": host, "versions": versions, "batch": BATCH, "bars": BARS, "limit": LIMIT, "rows": rows}
    stored = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    RESULT.write_text(json.dumps(stored | {device: found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
