"""How long the largest things may take that somebody waits for, and how much memory: checks of large files, the list of many runs.

    .venv/bin/python benchmarks/limits.py [--bars 5000000] [--windows 50000] [--runs 5000] [--json FILE]

Each command runs in a process of its own, as a user starts it. Limits on a quiet machine: `check` of 5 million bars (Parquet) 8 s and
1 GB, of 50,000 windows of 500 bars 30 s and 3 GB; `moola runs` with 5,000 runs 2 s for the first time, and 0.5 s again in the app. Seconds of
processor time stand next to those of the clock, for a machine that does other work too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from many_runs import make_runs
from reading import frame

PROJECT = Path(__file__).resolve().parents[1]
BARS = 500  # of a window
LIMITS = {
    "bars": (8.0, 1000),
    "windows": (30.0, 3000),
    "runs": (2.0, None),
    "runs again": (2.0, None),
    "in the app": (0.5, None),
}
AGAIN = """
import json, sys, time
from moola_core.runs.store import Store
store = Store(sys.argv[1])
records = store.runs()
clock, own = time.perf_counter(), time.process_time()
store.open(records[0].run_id).update(note="changed")
assert len(store.runs()) == len(records)
print(json.dumps({"clock_s": time.perf_counter() - clock, "processor_s": time.process_time() - own}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", type=int, default=5_000_000)
    parser.add_argument("--windows", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MOOLA_CACHE"] = str(folder / "cache")
        if given.bars:
            bars = frame(given.bars)
            bars.assign(time=bars["time"] - pd.Timedelta(weeks=1000)).to_parquet(
                folder / "bars.parquet"
            )  # none in the future
            del bars
            figures["bars"] = command("check", str(folder / "bars.parquet"), "--tz", "America/New_York", "--json")
        if given.windows:
            write_windows(folder / "windows.parquet", given.windows)
            figures["windows"] = command("check", str(folder / "windows.parquet"), "--json")
        if given.runs:
            store = folder / "store"
            make_runs(store, folder / "windows.parquet", given.runs)
            figures["runs"] = command("runs", "--store", str(store))
            figures["runs again"] = command("runs", "--store", str(store))
            again = subprocess.run(
                [sys.executable, "-c", AGAIN, str(store)], cwd=PROJECT, capture_output=True, check=True
            )
            figures["in the app"] = json.loads(again.stdout)
    for name, own in figures.items():
        most_s, most_mb = LIMITS[name]
        missed = own["processor_s"] > most_s or (most_mb is not None and own["peak_mb"] > most_mb)
        print(f"{name:<12}", *(f"{what} {value:,.2f}" for what, value in own.items()), "MISSED" if missed else "")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def command(*arguments: str) -> dict[str, float]:
    """A command of moola: seconds by the clock and of the processor, and its peak of memory. Raises SystemExit where it fails."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "moola_core", *arguments], cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit status {process.returncode}")
    clock_s = time.perf_counter() - started
    return {"clock_s": clock_s, "processor_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}


def write_windows(path: Path, count: int, part: int = 5_000) -> None:
    """Labelled windows with their prices, a part after the other: all of them at once would take gigabytes."""
    rng, writer = np.random.default_rng(0), None
    for first in range(0, count, part):
        number = min(part, count - first)
        close = 15000 + np.cumsum(rng.integers(-4, 5, (number, BARS)), axis=1) * 0.25
        open_ = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
        high, low = np.maximum(open_, close) + 0.25, np.minimum(open_, close) - 0.25
        flat = pa.array(np.stack([open_, high, low, close], axis=-1).reshape(-1))
        bars = pa.ListArray.from_arrays(pa.array(np.arange(0, number * BARS * 4 + 1, 4, np.int32)), flat)
        features = pa.ListArray.from_arrays(pa.array(np.arange(0, number * BARS + 1, BARS, np.int32)), bars)
        columns = {
            "window_id": [f"w{first + i}" for i in range(number)],
            "label": np.where(rng.random(number) < 0.5, "a", "b"),
            "expansion_start": rng.integers(100, 200, number),
            "expansion_end": rng.integers(250, 400, number),
            "features": features,
        }
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    main()
