"""Whether a checkout is as fast as another: benchmarks of both in turn, so that a busy host slows both alike.

    python benchmarks/alternate.py OLD NEW finetune_step features [--runs 5]

OLD and NEW are folders of two checkouts, each with the benchmarks of its own commit; the first of a pair is the other one each time. Prints
the median seconds or milliseconds of every figure that both measure, and the ratio of the new median to the old one, which is held to 1.10.
Writes benchmarks/results/alternate.json; the results that are committed stay as they are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parent / "results" / "alternate.json"
LIMIT = 1.10
UNITS = ("_s", "_ms")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("old", type=Path, help="the folder of the older checkout")
    arguments.add_argument("new", type=Path, help="the folder of the newer checkout")
    arguments.add_argument("benchmarks", nargs="+", metavar="NAME", help="such as finetune_step, features or app")
    arguments.add_argument("--runs", type=int, default=5, help="of each benchmark in each checkout (default: 5)")
    given = arguments.parse_args()
    rows = [row for name in given.benchmarks for row in compared(name, given.old, given.new, given.runs)]
    for row in rows:
        print(f"{row['benchmark']} {row['figure']:<44} {row['old']:10.4g} {row['new']:10.4g} {row['ratio']:6.3f}")
    slower = [row for row in rows if row["ratio"] > LIMIT]
    print(f"{len(slower)} of {len(rows)} figures are slower by more than {LIMIT - 1:.0%}.")
    host = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    kept = {"host": host, "runs": given.runs, "limit": LIMIT, "rows": rows}
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def compared(name: str, old: Path, new: Path, runs: int) -> list[dict[str, Any]]:
    """The medians of each figure that both checkouts measure, and their ratio."""
    measured: dict[Path, list[dict[str, float]]] = {old: [], new: []}
    for turn in range(runs):
        for checkout in (old, new) if turn % 2 == 0 else (new, old):
            measured[checkout].append(figures_of(name, checkout))
            print(f"{name}, run {turn + 1} of {runs} in {checkout}", flush=True)
    both = [figure for figure in measured[new][0] if all(figure in one for each in measured.values() for one in each)]
    if not both:
        sys.exit(f"{name}: the two checkouts have no figure in common.")
    medians = {
        checkout: {figure: statistics.median(one[figure] for one in each) for figure in both}
        for checkout, each in measured.items()
    }
    return [
        {
            "benchmark": name,
            "figure": figure,
            "old": medians[old][figure],
            "new": medians[new][figure],
            "ratio": medians[new][figure] / medians[old][figure],
        }
        for figure in both
    ]


def figures_of(name: str, checkout: Path) -> dict[str, float]:
    """The times that one run of the checkout's benchmark measures, by where its result holds them."""
    root = checkout.resolve()
    result = root / "benchmarks" / "results" / f"{name}.json"
    before = result.read_bytes() if result.is_file() else None
    result.unlink(missing_ok=True)  # figures of before, as of another device, are not those of this run
    try:
        command = [sys.executable, str(root / "benchmarks" / f"{name}.py")]
        environment = os.environ | {"PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, encoding="utf-8")
        if done.returncode or not result.is_file():
            sys.exit(f"{name} failed in {checkout}:\n{done.stdout}{done.stderr}")
        return dict(times(json.loads(result.read_text(encoding="utf-8"))))
    finally:
        if before is not None:
            result.write_bytes(before)
        else:
            result.unlink(missing_ok=True)


def times(values: Any, place: str = "", timed: bool = False) -> Iterator[tuple[str, float]]:
    """Every number in a result that is a time: its own name or one above it ends with a unit, or is `seconds`; of a list the median."""
    if isinstance(values, dict):
        for name, value in values.items():
            yield from times(value, f"{place} {name}".strip(), timed or name.endswith(UNITS) or name == "seconds")
    elif isinstance(values, list) and values and all(isinstance(one, int | float) for one in values):
        yield from times(statistics.median(values), place, timed)
    elif isinstance(values, list):
        for i, one in enumerate(values):
            words = (
                [str(word) for word in one.values() if isinstance(word, str | bool)] if isinstance(one, dict) else []
            )
            yield from times(one, f"{place} {' '.join(words) or i}", timed)
    elif timed and isinstance(values, int | float) and not isinstance(values, bool) and values > 0:
        yield place, float(values)


if __name__ == "__main__":
    main()
