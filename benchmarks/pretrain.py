"""How fast pre-training is beside the bare network, and how much memory 1.8M bars take.

    python benchmarks/pretrain.py [--device cuda] [--steps 7]

Ours: windows taken by index (and, with restarted state, their features computed), masks drawn, forward, loss, backward, clipping
and AdamW. Bare: forward and backward of an `nn.LSTM` of the same batch and shape. Both are timed in turn in one run; the ratio
of windows per second is held to 0.85 on a CPU and 0.8 on CUDA. With CUDA also: 34,000 windows × 20 epochs of 2×128 at batch 1024,
end to end. Memory is the peak of a fresh process less what it held after its imports.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import nn

from moola_core.features.matrix import bar_matrix
from moola_core.launch.worker.pretrain import load_material
from moola_core.market.bars import bars_from_arrays
from moola_core.market.demo import make_demo, write_demo
from moola_core.specs import Pretrain, change
from moola_core.training.device import keep_freed_memory, resolve_device
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.sampling import sample
from moola_core.training.pretraining.trainer import Pretrainer, pretrain

SHAPES = ((1, 32, 64), (1, 32, 256), (1, 64, 256), (2, 128, 1024))
FEATURES, BARS = 12, 105
MANY_BARS = 1_800_000
LIMITS = {"cpu": 0.85, "cuda": 0.8}
LIMIT_S, LIMIT_MB = 20.0, 1000.0
RESULT = Path(__file__).parent / "results" / "pretrain.json"


def main() -> None:
    """Print the tables and write them with host and versions."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments.add_argument("--steps", type=int, default=7)
    arguments.add_argument("--memory", metavar="FILE", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.memory:
        print(json.dumps(measure_memory(given.memory, given.device)))
        return
    keep_freed_memory()
    rows = [compare(shape, state, given) for shape in SHAPES for state in ("streaming", "per_window")]
    print(f"{'model':>8} {'batch':>6} {'state':>11} {'bare /s':>9} {'ours /s':>9} {'ratio':>6}")
    for row in rows:
        print(
            f"{row['model']:>8} {row['batch']:6} {row['state']:>11} {row['bare']:9.0f} {row['ours']:9.0f} {row['ratio']:6.3f}"
        )
    worst, limit = min(row["ratio"] for row in rows), LIMITS[given.device]
    print(f"worst ratio {worst:.3f}, limit {limit}: {'held' if worst >= limit else 'NOT HELD'}")
    memory = in_fresh_process(given.device)
    print(
        f"{MANY_BARS:,} bars: host {memory['host_mb']:.0f} MB, device {memory['device_mb']:.0f} MB, limit {LIMIT_MB:.0f} MB"
    )
    whole = end_to_end() if given.device == "cuda" else None
    print(
        f"34,000 windows × 20 epochs: {whole:.1f} s, limit {LIMIT_S} s"
        if whole
        else "34,000 windows × 20 epochs: needs CUDA"
    )
    write(given.device, {"rows": rows, "memory": memory, "end_to_end_s": whole})


def walk(count: int) -> Any:
    rng = np.random.default_rng(0)
    close = 15000 + np.cumsum(rng.integers(-8, 9, count)) * 0.25
    opened = np.r_[close[0], close[:-1]]
    wicks = rng.integers(0, 5, (2, count)) * 0.25
    ohlc = np.stack([opened, np.maximum(opened, close) + wicks[0], np.minimum(opened, close) - wicks[1], close], axis=1)
    return bars_from_arrays(np.datetime64("2024-01-01", "ns") + np.arange(count) * np.timedelta64(60, "s"), ohlc)


def make_trainer(shape: tuple[int, int, int], state: str, device: str, bars: Any) -> Pretrainer:
    layers, hidden, batch = shape
    spec = change(
        Pretrain(), {"layers": layers, "hidden": hidden, "batch_size": batch, "state": state, "training.device": device}
    )
    chosen = sample(bars, spec, np.empty(0, np.int64))
    matrix = bar_matrix(bars, BARS) if state == "streaming" else None
    windows = BarWindows(bars, matrix, spec.features, BARS, device)
    windows.fit_scale(chosen.train)
    return Pretrainer(spec, windows, chosen, resolve_device(spec.training), lambda event: None)


def compare(shape: tuple[int, int, int], state: str, given: argparse.Namespace) -> dict[str, Any]:
    """Windows per second of both, timed in turn so that a busy host slows both alike."""
    layers, hidden, batch = shape
    trainer = make_trainer(shape, state, given.device, walk(120_000))
    rng = np.random.default_rng(1)
    draw = torch.Generator(given.device).manual_seed(1)

    def ours() -> None:
        rows = np.sort(rng.choice(trainer.sample.train, trainer.batch, replace=False))
        trainer.step(trainer.objective.prepare(rows, draw))

    trainer.network.train()
    steps = (bare_step(layers, hidden, batch, trainer), ours)
    for step in steps:
        step()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(given.steps * max(1, 1024 // batch)):
        for step, found in zip(steps, seconds, strict=True):
            found.append(timed(step, given.device))
    bare, our = (batch / statistics.median(found) for found in seconds)
    return {
        "model": f"{layers}×{hidden}",
        "batch": batch,
        "state": state,
        "bare": bare,
        "ours": our,
        "ratio": our / bare,
    }


def bare_step(layers: int, hidden: int, batch: int, trainer: Pretrainer) -> Callable[[], None]:
    device = trainer.device
    network = nn.LSTM(FEATURES, hidden, layers, batch_first=True, bidirectional=True).to(device.kind)
    x = torch.randn(batch, BARS, FEATURES, device=device.kind)

    def step() -> None:
        network.zero_grad(set_to_none=True)
        with torch.autocast(device.kind, torch.bfloat16, enabled=device.precision == "bf16"):
            out = network(x)[0]
        out.sum().backward()

    return step


def timed(step: Callable[[], None], device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def end_to_end() -> float:
    """Seconds of the whole pre-training that the plan names."""
    trainer = make_trainer((2, 128, 1024), "streaming", "cuda", walk(MANY_BARS))
    start = time.perf_counter()
    for _ in pretrain(trainer):
        pass
    torch.cuda.synchronize()
    return time.perf_counter() - start


def in_fresh_process(device: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        write_demo(folder, make_demo("helpful", bars=MANY_BARS))
        command = [sys.executable, __file__, "--device", device, "--memory", f"{folder}/bars.parquet"]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout)


def measure_memory(path: str, device: str) -> dict[str, float]:
    """Peak of loading 1.8M bars, their matrix and a few small steps, less what the imports hold."""
    before = psutil.Process().memory_info().rss
    spec = change(Pretrain(), {"data.bars": path, "layers": 1, "hidden": 32, "batch_size": 64, "state": "streaming"})
    material = load_material(spec, Path(path).parent / "cache", device)
    held = torch.cuda.memory_allocated() if device == "cuda" else 0
    trainer = Pretrainer(spec, material.windows, material.sample, resolve_device(spec.training), lambda event: None)
    draw = torch.Generator(device).manual_seed(1)
    for i in range(3):
        trainer.step(trainer.objective.prepare(material.sample.train[i * 64 : (i + 1) * 64], draw))
    return {"host_mb": (peak_bytes() - before) / 1e6, "device_mb": held / 1e6}


def peak_bytes() -> int:
    """The most memory that this process held (getrusage would count its parent's too)."""
    line = next(
        line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) * 1024


def write(device: str, found: dict[str, Any]) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    host = {"cores": os.cpu_count(), "device": name, "torch": torch.__version__, "python": platform.python_version()}
    RESULT.parent.mkdir(exist_ok=True)
    stored = (
        json.loads(RESULT.read_text(encoding="utf-8"))
        if RESULT.is_file()
        else {"cuda": "not measured: no card was at hand"}
    )
    RESULT.write_text(
        json.dumps({**stored, device: {"host": host, "limits": LIMITS, **found}}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
