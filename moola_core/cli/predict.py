"""predict."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import SpecError, StoreError


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "predict", help="predictions of a run's models for new windows, or for bars at a stride"
    )
    command.add_argument("run", metavar="RUN", help="a finished fine-tuning run")
    command.add_argument("--windows", metavar="FILE", help="windows, labelled or not")
    command.add_argument("--bars", metavar="FILE", help="bars: to cut windows from, or that the windows were cut from")
    command.add_argument(
        "--stride", type=int, default=5, help="bars from one window to the next, over bars (default: 5)"
    )
    command.add_argument("--out", metavar="FILE.parquet", required=True)
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_predict)


def run_predict(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store
    from moola_core.specs import Predict, build

    if Path(args.out).suffix != ".parquet":
        raise SpecError(f"--out {args.out} is not a .parquet file.", hint="Give a name that ends with .parquet.")
    spec = build(Predict, {"run": args.run, "data": options.data(args), "stride": args.stride})
    store = Store(args.store)
    store.open(args.run)
    run = store.create(spec, parent=args.run)
    execute(run)
    try:
        shutil.copyfile(run.folder / "predicted.parquet", args.out)
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=args.out, hint="Choose another --out."
        ) from None
    summary = run.result("predicted")
    options.print_result(
        {"run_id": run.id, **summary, "out": args.out, "warnings": run.record.warnings},
        args.json,
        _text(summary, args.out),
    )
    return 0


def _text(summary: dict[str, Any], out: str) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in summary["counts"].items())
    lines = [f"{summary['windows']} windows by {summary['fits']} fits in {summary['seconds']:.0f} s, in {out}."]
    lines += [f"{counts}; on average {summary['agreement']:.0%} of the fits agree."] if counts else []
    if summary["foreign"]:
        lines.append(f"{summary['foreign']} windows are unlike the training data: do not trust their predictions.")
    if summary["training"]:
        lines.append(
            f"{summary['training']} share bars with windows that the fits trained on: accuracy there is too optimistic."
        )
    if summary["over_bars"]:
        lines.append(f"{len(summary['expansions'])} expansions.")
    return "\n".join(lines)
