"""The whole path at the size of five years of minutes: bars made and checked, pre-trained on, and a transfer study.

Each step is the command that a user would type, in a process of its own. Printed: seconds of each step, and the most memory that its
processes took together (children included; wanted: at most 6 GB).

    python benchmarks/whole_path.py --out FOLDER [--bars 1800000] [--preset quick]
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

RESULT = Path(__file__).parent / "results" / "whole_path.json"
LOOK_S = 0.2


@dataclass(frozen=True)
class Step:
    """One command: what it is, its seconds, and the most memory in GB: resident, with and without what processes share."""

    name: str
    seconds: float
    resident_gb: float
    own_gb: float


def watched(process: psutil.Process) -> tuple[float, float]:
    """Memory of the process and its children now, in GB: resident in all, and with what they share counted once."""
    resident = own = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            resident += one.memory_info().rss / 1e9
            own += one.memory_full_info().pss / 1e9
        except psutil.Error:  # it has just ended
            continue
    return resident, own


def step(name: str, arguments: list[str]) -> tuple[Step, dict[str, Any]]:
    """Carry out `moola` with these arguments; raises RuntimeError where it fails."""
    began, resident, own = time.perf_counter(), 0.0, 0.0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:  # a pipe that nobody reads would fill
        command = [sys.executable, "-m", "moola_core", *arguments, "--json"]
        running = subprocess.Popen(command, stdout=output)
        process = psutil.Process(running.pid)
        while running.poll() is None:
            now = watched(process)
            resident, own = max(resident, now[0]), max(own, now[1])
            time.sleep(LOOK_S)
        output.seek(0)
        printed = output.read()
    if running.returncode:
        raise RuntimeError(f"{name} ended with {running.returncode}")
    made = Step(name, round(time.perf_counter() - began, 1), round(resident, 2), round(own, 2))
    print(
        f"{made.name:28s}{made.seconds:8.1f} s   {made.resident_gb:.2f} GB resident, {made.own_gb:.2f} GB own",
        flush=True,
    )
    return made, json.loads(printed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bars", type=int, default=1_800_000)
    parser.add_argument("--preset", default="quick")
    args = parser.parse_args()
    store = ["--store", str(args.out / "store")]
    bars, windows = (str(args.out / f"{name}.parquet") for name in ("bars", "windows"))
    steps = []
    demo, _ = step("bars made", ["demo", "--out", str(args.out), "--bars", str(args.bars)])
    check, _ = step("bars and windows checked", ["check", windows, "--bars", bars])
    asked = ["pretrain", "--bars", bars, "--windows", windows, "--preset", args.preset, "--set", "epochs=2"]
    pretrained, run = step("pre-trained, 2 epochs", [*asked, *store])
    asked = ["study", "transfer", "--windows", windows, "--bars", bars, "--preset", args.preset]
    studied, study = step("transfer study", [*asked, "--checkpoint", run["run_id"], *store])
    steps = [demo, check, pretrained, studied]
    result = {
        "host": {"processor": platform.processor(), "cores": psutil.cpu_count()},
        "bars": args.bars,
        "preset": args.preset,
        "pretraining_windows": run.get("windows"),
        "steps": [asdict(one) for one in steps],
        "seconds": sum(one.seconds for one in steps),
        "resident_gb": max(one.resident_gb for one in steps),
        "arms": [arm["name"] for arm in study["arms"]],
    }
    print(json.dumps({name: value for name, value in result.items() if name != "steps"}))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
