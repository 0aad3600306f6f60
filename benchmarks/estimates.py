"""How often the true time of a run lies in the range that was stated before it.

Various runs, studies, searches and small investigations on the demo market, in a seeded order, in a store of their own that begins with
`moola tune --quick`. Each is estimated just before it begins, from what the store then holds, and carried out in a process of its own.

    python benchmarks/estimates.py --out FOLDER [--seed 7] [--minutes 60] [--names NAME …]

Resumable: each row is written when its run is done. Printed: the share of true times within their ranges (wanted: 0.8), the upper over
the lower limit (2.5), and the median factor between estimate and true time (1.3).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from card import RESULTS, slug

from moola_core.launch import worker
from moola_core.launch.estimate import (
    Estimate,
    estimate,
    estimate_investigation,
    estimate_pretraining,
    estimate_search,
    estimate_study,
)
from moola_core.launch.host import hardware
from moola_core.market.demo import make_demo, write_demo
from moola_core.presets import preset
from moola_core.runs.store import Run, Store
from moola_core.searches import search_spec
from moola_core.specs import Investigation, SpecModel, change
from moola_core.studies import study

BARS, WINDOWS = 40_000, 174
Values = dict[str, Any]


def fine(name: str = "quick", **changes: Any) -> Callable[[Values], SpecModel]:
    full = {key.replace("__", "."): value for key, value in changes.items()}
    return lambda data: change(preset(name).finetune(), {f"data.{key}": value for key, value in data.items()} | full)


def pre(**changes: Any) -> Callable[[Values], SpecModel]:
    full = {key.replace("__", "."): value for key, value in changes.items()} | {"labelled": "see"}
    return lambda data: change(preset("quick").pretrain(), {f"data.{key}": value for key, value in data.items()} | full)


def compared(name: str, **changes: Any) -> Callable[[Values], SpecModel]:
    return lambda data: study(name, "quick", data, changes)


def asked(seconds: float) -> Callable[[Values], SpecModel]:
    from moola_core.specs import Data

    return lambda data: Investigation(preset="quick", data=Data(**data), budget_s=seconds)


WORK: dict[str, Callable[[Values], SpecModel]] = {
    "quick": fine(),
    "quick again": fine(seed=18),
    "five repeats": fine(repeats=5),
    "one repeat": fine(repeats=1),
    "hidden 64": fine(hidden=64, repeats=1),
    "two layers": fine(layers=2, hidden=48, repeats=1),
    "tcn": fine(model__encoder="tcn", hidden=16, layers=3, repeats=1),
    "tcn, spans": fine(model__encoder="tcn", hidden=16, layers=3, repeats=1, pointer="span"),
    "inception": fine(model__encoder="inception", hidden=8, layers=1, repeats=1, epochs=12),
    "pcgrad": fine(pcgrad=True),
    "replicas": fine(engine="replicas", repeats=1),
    "network": fine("network", repeats=1),
    "network, 2": fine("network", repeats=2),
    "patient": fine(patience=20, epochs=60, repeats=1),
    "logistic": fine(estimator="logistic"),
    "extra trees": fine(estimator="extra_trees"),
    "minirocket": fine(estimator="minirocket"),
    "quant": fine(estimator="quant", repeats=1),
    "located": fine("recommended", repeats=1),
    "located, 2": fine("recommended", repeats=2),
    "masked": pre(objective__name="masked", epochs=10),
    "contrastive": pre(epochs=10),
    "expansion": pre(objective__name="expansion", epochs=5),
    "longer": pre(epochs=25),
    "transfer": compared("transfer", repeats=1, **{"pretrain.sampling.labelled": "see"}),
    "losses": compared("losses", repeats=1),
    "architectures": compared("architectures", repeats=1),
    "patience": compared("patience", repeats=1),
    "features": compared("features", repeats=1),
    "tasks": compared("tasks", repeats=1),
    "search": lambda data: search_spec(fine(repeats=1)(data), trials=4),
    "search of trees": lambda data: search_spec(fine(estimator="extra_trees", repeats=1)(data), trials=5),
    "investigation": asked(60.0),
    "longer investigation": asked(120.0),
}


def stated(spec: Any, store: Store) -> Estimate:
    """The estimate before the run begins."""
    if spec.kind == "finetune":
        return estimate(spec, WINDOWS, store)
    if spec.kind == "pretrain":
        return estimate_pretraining(spec, BARS, store)
    if spec.kind == "study":
        return estimate_study(spec, WINDOWS, BARS if spec.pretrainings() else 0, store)
    if spec.kind == "search":
        return estimate_search(spec, WINDOWS, store)
    return estimate_investigation(spec.budget_s, store)


def make(name: str, out: Path) -> None:
    """Estimate one, carry it out, and keep the row."""
    store = Store(out / "store")
    data = {"windows": str(out / "windows.parquet"), "bars": str(out / "bars.parquet")}
    spec = WORK[name](data)
    began, expected = time.perf_counter(), stated(spec, store)
    took = time.perf_counter() - began
    run: Run = store.create(spec, name=name)
    worker.run(run)
    row = {
        "name": name,
        "kind": spec.kind,
        "low": expected.low,
        "seconds": expected.seconds,
        "high": expected.high,
        "source": expected.source,
        "true": run.record.seconds,
        "load": os.getloadavg()[0],
        "estimating": took,
    }
    with (out / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def rows_of(out: Path) -> list[dict[str, Any]]:
    path = out / "rows.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Share within, width, and median factor."""
    factors = [math.exp(abs(math.log(row["true"] / row["seconds"]))) for row in rows]
    return {
        "runs": len(rows),
        "within": statistics.mean(row["low"] <= row["true"] <= row["high"] for row in rows),
        "below": statistics.mean(row["true"] < row["low"] for row in rows),
        "width_median": statistics.median(row["high"] / row["low"] for row in rows),
        "width_at_most_2.5": statistics.mean(row["high"] / row["low"] <= 2.5 for row in rows),
        "factor_median": statistics.median(factors),
        "load_median": statistics.median(row["load"] for row in rows),
    }


def result_path() -> Path:
    """The file of results: of this processor, or of the card that runs use here."""
    card = f"-{slug(hardware('cuda').name)}" if torch.cuda.is_available() else ""
    return RESULTS / f"estimates{card}.json"


def show(rows: Sequence[dict[str, Any]]) -> None:
    """The rows, and what they come to: all of them, and those of a kind and size that had run here before."""
    for row in rows:
        inside = "" if row["low"] <= row["true"] <= row["high"] else "  outside"
        limits = f"{row['low']:6.0f} {row['seconds']:6.0f} {row['high']:6.0f} {row['true']:7.1f}"
        print(f"{row['name']:22s}{row['kind']:14s}{limits}{inside}")
    known = [row for row in rows if "nothing like it" not in row["source"]]
    for title, some in (("all", rows), ("something like it ran before", known)):
        if some:
            print(title, {key: round(value, 2) for key, value in summary(some).items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--names", nargs="+", choices=WORK, default=list(WORK), help="these alone, in the seeded order")
    parser.add_argument("--only", choices=WORK, help="one, in this process")
    args = parser.parse_args()
    if args.only:
        make(args.only, args.out)
        return
    started, own = time.monotonic(), [sys.executable, "-m", "moola_core"]
    if not (args.out / "windows.parquet").is_file():
        write_demo(args.out, make_demo("helpful", BARS, WINDOWS, args.seed))
        subprocess.run([*own, "tune", "--quick", "--store", str(args.out / "store")], check=True)
    order = list(args.names)
    random.Random(args.seed).shuffle(order)
    for name in order:
        if name in {row["name"] for row in rows_of(args.out)} or time.monotonic() - started > 60 * args.minutes:
            continue
        asking = [sys.executable, __file__, "--out", str(args.out), "--only", name]
        ended = subprocess.run(asking, check=False)
        if ended.returncode:
            print(f"{name} failed")
    rows = rows_of(args.out)
    show(rows)
    result_path().write_text(json.dumps({"summary": summary(rows), "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
