"""The feature kernel on 1.8M bars, beside a per-bar Python loop in the same run.

    python benchmarks/features.py [--bars 1800000]

Prints a table and writes benchmarks/results/features.json. Bars: at most 0.2 s in the kernel on one core, and 100 MB
beyond the input.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from moola_core.features.relativity import relativity
from moola_core.market.demo import make_demo
from tests.references.relativity import columns

RESULT = Path(__file__).parent / "results" / "features.json"
LOOP_BARS = 20_000
LIMIT_S, LIMIT_MB = 0.2, 100


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bars", type=int, default=1_800_000)
    bars = arguments.parse_args().bars
    ohlc = make_demo(bars=bars).bars.ohlc
    relativity(ohlc[:1000], 105)
    before = peak_mb()
    out = relativity(ohlc, 105)
    beyond_mb = max(peak_mb() - before, out.nbytes / 1e6)
    kernel_s = min(timed(lambda: relativity(ohlc, 105, out=out)) for _ in range(7))
    loop_s = timed(lambda: columns(ohlc[:LOOP_BARS], 105)) * bars / LOOP_BARS
    row = {
        "bars": bars,
        "kernel_s": kernel_s,
        "memory_beyond_input_mb": beyond_mb,
        "python_loop_s": loop_s,
        "python_loop_measured_on_bars": LOOP_BARS,
        "ratio": loop_s / kernel_s,
        "host": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }
    print(
        f"{bars:,} bars: kernel {kernel_s:.3f} s (limit {LIMIT_S}), {beyond_mb:.0f} MB beyond the input (limit {LIMIT_MB})"
    )
    print(f"per-bar Python loop: {loop_s:.0f} s (from {LOOP_BARS:,} bars), {row['ratio']:.0f} times the kernel")
    RESULT.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")


def timed(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
