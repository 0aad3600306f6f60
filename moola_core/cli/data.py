"""demo, check, features."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.errors import DataError, StoreError


def add_to(commands: Any) -> None:
    demo = commands.add_parser("demo", help="write the demo market: bars.parquet, windows.parquet, truth.json")
    demo.add_argument("--out", required=True, metavar="DIR")
    demo.add_argument("--world", default="helpful", help="helpful, neutral or harmful (default: helpful)")
    demo.add_argument("--bars", type=int, default=60_000)
    demo.add_argument("--windows", type=int, default=174)
    demo.add_argument("--seed", type=int, default=7)
    options.add_json(demo)
    demo.set_defaults(command=make_demo)

    check = commands.add_parser("check", help="validate bars or labelled windows and report problems")
    check.add_argument("file", metavar="FILE")
    check.add_argument("--bars", metavar="FILE", help="bars to locate the windows in, or to cut them from")
    options.add_reading(check)
    options.add_json(check)
    check.set_defaults(command=check_file)

    features = commands.add_parser("features", help="the per-bar feature matrix as a .npy file")
    features.add_argument("bars", metavar="BARS")
    features.add_argument(
        "--out", metavar="FILE.npy", help="default: <name>.features.npy in this folder, after the bars' file"
    )
    options.add_reading(features)
    options.add_json(features)
    features.set_defaults(command=write_features)


def make_demo(args: argparse.Namespace) -> int:
    from moola_core.market import demo

    if args.bars < 500 or args.windows < 20:
        raise DataError("a demo needs at least 500 bars and 20 windows.", where="demo", hint="Ask for more.")
    if args.seed < 0:
        raise DataError(f"--seed {args.seed} is negative.", where="demo", hint="Give 0 or more.")
    made = demo.make_demo(args.world, args.bars, args.windows, args.seed)
    paths = demo.write_demo(args.out, made)
    kept, left_out = made.windows.trainable()
    values = {
        "world": args.world,
        "bars": len(made.bars),
        "windows": len(kept),
        "left_out": left_out,
        "seed": args.seed,
        "files": paths,
    }
    text = f"{len(made.bars)} bars, {len(kept)} windows to train on and {left_out} of grade D, in {args.out}."
    options.print_result(values, args.json, text)
    return 0


def check_file(args: argparse.Namespace) -> int:
    from moola_core.market.library import recognise

    path = Path(args.file)
    if not path.is_file():
        raise DataError("no such file.", where=str(path), hint="Check the path.")
    kind = "bars" if recognise(path).kind == "bars" and not args.bars else "windows"
    files = {"windows": None, "bars": args.file} if kind == "bars" else {"windows": args.file, "bars": args.bars}
    settings = options.readings(args, **files)
    values: dict[str, Any] = {"kind": kind, "rows": 0, "ok": False, "problems": [], "warnings": []}
    try:
        facts = _check_bars(args, settings) if kind == "bars" else _check_windows(args, settings)
    except DataError as error:
        values["problems"] = [{"rule": error.what, "count": 1, "first": [error.where], "hint": error.hint}]
        if args.json:
            options.print_result(values, True, "")
        raise
    report = facts.pop("report")
    values |= {"rows": report.rows, "ok": report.ok, "warnings": report.warnings, **facts}
    lines = [f"{kind}: {report.rows} rows, no problems."]
    lines += [f"  {name}: {value}" for name, value in facts.items()] + [
        f"  note: {warning}" for warning in report.warnings
    ]
    options.print_result(values, args.json, "\n".join(lines))
    return 0


def _check_bars(args: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    from moola_core.market.bars import load_bars

    bars = load_bars(args.file, settings["bars"])
    facts = {
        "interval_s": bars.interval_s,
        "from": str(bars.time[0])[:19],
        "to": str(bars.time[-1])[:19],
        "gaps": len(bars.gaps),
        "rolls": len(bars.rolls),
    }
    return {"report": bars.report, **facts}


def _check_windows(args: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    from moola_core.market.bars import load_bars
    from moola_core.market.windows import load_windows

    bars = load_bars(args.bars, settings["bars"]) if args.bars else None
    windows = load_windows(args.file, settings["windows"], bars)
    labels = {name: int((windows.label == name).sum()) for name in windows.classes}
    facts: dict[str, Any] = {"window_bars": windows.bars, "classes": labels, "pointers": int(windows.has_pointer.sum())}
    facts["trainable"] = len(windows.trainable()[0])
    if bars is not None:
        facts |= {"located": int((windows.position >= 0).sum()), "span_gaps": int(windows.spans_gap.sum())}
    return {"report": windows.report, **facts}


def write_features(args: argparse.Namespace) -> int:
    import numpy as np

    from moola_core.features.catalog import FEATURES
    from moola_core.features.relativity import relativity
    from moola_core.market.bars import load_bars

    bars = load_bars(args.bars, options.readings(args, None, args.bars)["bars"])
    length = args.window_bars or 105
    relativity(bars.ohlc[:64], length)  # compile, so that the seconds below are the kernel's alone
    started = time.perf_counter()
    matrix = relativity(bars.ohlc, length, bars.rolls)
    seconds = time.perf_counter() - started
    out = Path(args.out or f"{Path(args.bars).name.split('.')[0]}.features.npy")
    try:
        with out.open("wb") as file:
            np.save(file, matrix)
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=str(out), hint="Choose another with --out."
        ) from None
    values = {"bars": len(bars), "columns": [feature.name for feature in FEATURES], "seconds": seconds, "out": str(out)}
    options.print_result(values, args.json, f"{len(bars)} bars × {len(FEATURES)} columns in {seconds:.3f} s, in {out}.")
    for warning in bars.report.warnings:
        print(f"note: {warning}", file=sys.stderr)
    return 0
