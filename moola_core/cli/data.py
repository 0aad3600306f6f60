"""demo, check, convert, features."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.errors import DataError, RunError, StoreError


def add_to(commands: Any) -> None:
    demo = commands.add_parser("demo", help="write the demo market, or make the app's whole demo and take it away")
    what = demo.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", metavar="DIR", help="write bars.parquet, windows.parquet and truth.json there")
    what.add_argument(
        "--everything",
        action="store_true",
        help="in the store: a run, pre-training, transfer study and more on the demo market",
    )
    what.add_argument("--remove", action="store_true", help="delete the demo's runs and files")
    demo.add_argument("--world", default="helpful", help="helpful, neutral or harmful (default: helpful)")
    demo.add_argument("--bars", type=int, default=60_000)
    demo.add_argument("--windows", type=int, default=174)
    demo.add_argument("--seed", type=int, default=7)
    options.add_json(demo)
    options.add_store(demo)
    demo.set_defaults(command=make_demo)

    check = commands.add_parser("check", help="validate bars or labelled windows, or describe a file of weights")
    check.set_defaults(command=check_file)
    check.add_argument(
        "--encoder",
        metavar="NAME",
        default="",
        help="of a file of weights: which encoder, where it holds more than one",
    )
    convert = commands.add_parser("convert", help="write bars or windows as they were understood")
    kinds = "a .parquet file; .csv for bars; .json for windows as tasks of Label Studio"
    convert.add_argument("--out", metavar="FILE", required=True, help=kinds)
    convert.set_defaults(command=convert_file)
    for command in (check, convert):
        command.add_argument("file", metavar="FILE")
        command.add_argument("--bars", metavar="FILE", help="bars to locate the windows in, or to cut them from")
        options.add_reading(command)
        options.add_json(command)

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

    if args.everything or args.remove:
        return _whole_demo(args)
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


def _whole_demo(args: argparse.Namespace) -> int:
    from moola_core.launch import demo
    from moola_core.market.folder import data_folder
    from moola_core.runs.store import Store

    store, data = Store(args.store), data_folder()
    if args.remove:
        count = demo.remove(store, data)
        options.print_result({"removed": count}, args.json, f"The demo is removed: {count} runs and its files.")
        return 0
    for progress in demo.fill(store, data):
        if progress.active and not args.json:
            print(f"{progress.done} of {progress.total} steps are done; now {progress.active.title}.", flush=True)
    progress = demo.progress(store)
    ids = [one.run_id for one in demo.records(store)]
    if progress.failed:
        step, why = progress.failed
        raise RunError(f"{step.title} failed: {why}", where="demo", hint="Remove the demo and make it again.")
    values = {"done": progress.done, "steps": progress.total, "runs": ids}
    options.print_result(values, args.json, f"The demo is complete: {progress.done} steps.")
    return 0


def check_file(args: argparse.Namespace) -> int:
    from moola_core.market import conversion
    from moola_core.market.questions import OpenQuestions
    from moola_core.weight_files import form_of

    if Path(args.file).is_file() and (
        form_of(Path(args.file)) or Path(args.file).suffix in (".pt", ".pth", ".ckpt", ".safetensors")
    ):
        return _check_weights(args)
    kind, settings = _settings(args)
    values: dict[str, Any] = {"kind": kind, "reader": "", "confidence": 0.0, "rows": 0, "ok": False}
    values |= {"questions": [], "problems": [], "warnings": [], "first": None, "last": None}
    try:
        bars, windows = conversion.load(args.file, args.bars, settings)
    except DataError as error:
        if isinstance(error, OpenQuestions):
            asked = options.as_flags(error, args)
            values |= {"reader": error.reader, "confidence": error.confidence}
            values["questions"] = [question.as_json() for question in asked.questions]  # type: ignore[attr-defined]
        else:
            values["problems"] = [{"rule": error.what, "count": 1, "first": [error.where], "hint": error.hint}]
        args.read_so_far = values
        raise
    report = conversion.report_of(bars, windows)
    facts = _bar_facts(bars) if windows is None else _window_facts(windows, bars)
    values |= {"reader": report.reader, "confidence": report.confidence, "rows": report.rows, "ok": report.ok}
    values |= {"warnings": report.warnings, **facts}
    lines = [f"{kind}: {report.rows} rows, no problems."]
    lines += [f"  {name}: {value}" for name, value in ({"reader": report.reader} | facts).items()]
    lines += [f"  note: {warning}" for warning in report.warnings]
    options.print_result(values, args.json, "\n".join(lines))
    return 0


def _check_weights(args: argparse.Namespace) -> int:
    """Describe a file of weights: its encoder, what it reads, and the settings that a run from it has."""
    from moola_core.errors import CheckpointError
    from moola_core.weight_files import CheckpointQuestion, columns_question, describe

    values: dict[str, Any] = {"kind": "checkpoint", "reader": "", "confidence": 1.0, "rows": 0, "ok": False}
    values |= {"questions": [], "problems": [], "warnings": [], "first": None, "last": None}
    try:
        described = describe(args.file, args.encoder)
        if described.columns is None:
            raise columns_question(described)
    except CheckpointQuestion as error:
        values["questions"] = [error.question.as_json()]
        args.read_so_far = values
        raise
    except CheckpointError as error:
        values["problems"] = [{"rule": error.what, "count": 1, "first": [error.where], "hint": error.hint}]
        args.read_so_far = values
        raise
    facts = described.facts()
    values |= {
        "reader": described.form,
        "rows": described.tensors,
        "ok": True,
        "warnings": list(described.notes),
        **facts,
    }
    lines = [f"checkpoint: {described.tensors} tensors, no problems."]
    lines += [
        f"  {name}: {value}" for name, value in ({"reader": described.form} | facts).items() if name != "settings"
    ]
    lines += [f"  note: {note}" for note in described.notes]
    lines.append(f"  Start from it: moola finetune --windows FILE --checkpoint {args.file}")
    options.print_result(values, args.json, "\n".join(lines))
    return 0


def _settings(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """What FILE holds, bars or windows, and how it and the bars are read."""
    from moola_core.market import conversion

    if not Path(args.file).is_file():
        raise DataError("no such file.", where=args.file, hint="Check the path.")
    if not args.bars:
        settings = options.readings(args, None, args.file)
        if conversion.kind_of(args.file, settings["bars"]) == "bars":
            return "bars", settings
    return "windows", options.readings(args, args.file, args.bars)


def _bar_facts(bars: Any) -> dict[str, Any]:
    return {
        "interval_s": bars.interval_s,
        "from": str(bars.time[0])[:19],
        "to": str(bars.time[-1])[:19],
        "gaps": len(bars.gaps),
        "rolls": len(bars.rolls),
        "first": _bar(bars, 0),
        "last": _bar(bars, -1),
    }


def _bar(bars: Any, row: int) -> dict[str, Any]:
    """A bar as it was understood."""
    prices = dict(zip(("open", "high", "low", "close"), map(float, bars.ohlc[row]), strict=True))
    return {"time": f"{str(bars.time[row])[:19]}Z", **prices}


def _window_facts(windows: Any, bars: Any) -> dict[str, Any]:
    labels = {name: int((windows.label == name).sum()) for name in windows.classes}
    facts: dict[str, Any] = {"window_bars": windows.bars, "classes": labels, "pointers": int(windows.has_pointer.sum())}
    facts["trainable"] = len(windows.trainable()[0])
    if bars is not None:
        facts |= {"located": int((windows.position >= 0).sum()), "span_gaps": int(windows.spans_gap.sum())}
    return {**facts, "first": _window(windows, 0), "last": _window(windows, -1)}


def convert_file(args: argparse.Namespace) -> int:
    from moola_core.market import conversion

    kind, settings = _settings(args)
    bars, windows = conversion.load(args.file, args.bars, settings)
    conversion.write(bars, windows, args.out, (args.file, args.bars))
    report = conversion.report_of(bars, windows)
    values = {"kind": kind, "reader": report.reader, "rows": report.rows, "out": args.out, "warnings": report.warnings}
    notes = "".join(f"\n  note: {warning}" for warning in report.warnings)
    options.print_result(values, args.json, f"{report.rows} {kind} in {args.out}.{notes}")
    return 0


def _window(windows: Any, row: int) -> dict[str, Any]:
    """A window as it was understood."""
    import numpy as np

    start = windows.start_time[row]
    pointer = {"expansion_start": windows.start[row], "expansion_end": windows.end[row]}
    return {
        "window_id": str(windows.window_id[row]),
        "label": str(windows.label[row]),
        "start_time": None if np.isnat(start) else f"{str(start)[:19]}Z",
        "bars": windows.bars,
        **{name: float(value) if np.isfinite(value) else None for name, value in pointer.items()},
    }


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
        options.note(f"note: {warning}")
    return 0
