"""How long it takes, and how much memory, to open a large file of bars in each format.

    .venv/bin/python benchmarks/reading.py [--bars N] [--only TEXT] [--json FILE]

Each file is opened in a process of its own. Targets for 1.8 million bars: text at most 6 s and 1.5 GB, Parquet at most 1.5 s,
recognition at most 0.3 s of that, and 0.3 s for the second time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
CHILD = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[3])
import pandas, pyarrow.csv, pyarrow.parquet
from moola_core.market import readers, vendors
from moola_core.market.bars import load_bars
from moola_core.specs import ReadOptions
reading = ReadOptions(**json.loads(sys.argv[2]))
started = time.perf_counter()
vendors.recognise(readers.read_layout(sys.argv[1], reading))
seen = time.perf_counter()
bars = load_bars(sys.argv[1], reading)
ended = time.perf_counter()
load_bars(sys.argv[1], reading)
again = time.perf_counter() - ended
print(json.dumps({"bars": len(bars), "recognise_s": seen - started, "open_s": ended - seen, "again_s": again,
                  "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def frame(count: int) -> pd.DataFrame:
    """A random walk of minutes with the daily break and the weekend of US futures."""
    rng = np.random.default_rng(0)
    clock = pd.date_range("2019-01-06 18:00", periods=int(count * 1.6), freq="min")
    open_ = (clock.hour != 17) & ~((clock.dayofweek == 4) & (clock.hour >= 17)) & (clock.dayofweek != 5)
    clock = clock[open_ & ~((clock.dayofweek == 6) & (clock.hour < 18))][:count]
    close = 15000 + np.cumsum(rng.integers(-4, 5, len(clock))) * 0.25
    first = np.r_[15000.0, close[:-1]]
    high = np.maximum(first, close) + rng.integers(0, 4, len(clock)) * 0.25
    low = np.minimum(first, close) - rng.integers(0, 4, len(clock)) * 0.25
    volume = rng.integers(1, 500, len(clock))
    table = {"time": clock, "open": first, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(table)


def write(table: pd.DataFrame, folder: Path, only: str) -> dict[Path, dict[str, str]]:
    """The files, with what a user says of each."""
    clock = table["time"].dt
    eastern = {"tz": "America/New_York"}
    parts = lambda day, hour: table.drop(columns="time").assign(Date=clock.strftime(day), Time=clock.strftime(hour))  # noqa: E731
    forms = {
        "iso.csv": (table, {}),
        "us.csv": (table.assign(time=clock.strftime("%m/%d/%Y %H:%M")), {}),
        "two_columns.csv": (parts("%m/%d/%Y", "%H:%M"), {}),
        "integers.csv": (parts("%Y%m%d", "%H%M"), {}),
        "offset.csv": (table.assign(time=table["time"].dt.tz_localize("UTC").astype(str)), {}),
        "epoch.csv": (table.assign(time=table["time"].astype("int64") // 1000), {}),
        "ninja.txt": (table.assign(time=clock.strftime("%Y%m%d %H%M%S")), {"sep": ";", "header": False}),
        "german.csv": (table.assign(time=clock.strftime("%d.%m.%Y %H:%M")), {"sep": ";", "decimal": ","}),
        "iso.csv.gz": (table, {}),
    }
    files = {}
    for name, (content, how) in ((name, form) for name, form in forms.items() if only in name):
        content.to_csv(folder / name, index=False, **how)
        files[folder / name] = {} if name.startswith(("offset", "epoch", "ninja")) else eastern
        if name == "offset.csv" or name == "epoch.csv":
            files[folder / name] = {"stamp": "start"}
        if name == "ninja.txt":
            files[folder / name] = {"stamp": "end"}
    if only in "naive.parquet":
        table.to_parquet(folder / "naive.parquet")
        files[folder / "naive.parquet"] = eastern
    return files


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--bars", type=int, default=1_800_000)
    args.add_argument("--only", default="", help="files whose names contain this")
    args.add_argument("--json", type=Path)
    given = args.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for path, reading in write(frame(given.bars), Path(folder), given.only).items():
            command = [sys.executable, "-c", CHILD, str(path), json.dumps(reading), str(ROOT)]
            cache = os.environ | {"MOOLA_CACHE": str(Path(folder) / "cache")}
            done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=cache)
            if done.returncode:
                print(path.name, done.stderr.splitlines()[-1])
                continue
            rows[path.name] = found = json.loads(done.stdout)
            print(
                f"{path.name:18s} {found['bars']:9,d} bars  recognised in {found['recognise_s']:.2f} s, "
                f"opened in {found['open_s']:.2f} s, again in {found['again_s']:.2f} s, {found['peak_mb']:,.0f} MB",
                flush=True,
            )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
