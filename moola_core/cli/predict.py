"""predict."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import options
from moola_core.cli.progress import execute


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "predict", help="predictions of a run's models for new windows, or for bars at a stride"
    )
    command.add_argument(
        "run", metavar="RUN", help="a finished fine-tuning run, or an investigation, whose recommended model predicts"
    )
    command.add_argument("--windows", metavar="FILE", help="windows, labelled or not")
    command.add_argument("--bars", metavar="FILE", help="bars: to cut windows from, or that the windows were cut from")
    command.add_argument(
        "--stride", type=int, default=5, help="bars from one window to the next, over bars (default: 5)"
    )
    kinds = "a .parquet or .csv file, or .json for tasks of Label Studio with predictions"
    command.add_argument("--out", metavar="FILE", required=True, help=kinds)
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_predict)


def run_predict(args: argparse.Namespace) -> int:
    from moola_core.launch import predicted_files
    from moola_core.runs.recommended import recommended
    from moola_core.runs.store import Store
    from moola_core.sections import text
    from moola_core.sections.context import ReportContext
    from moola_core.sections.registry import make
    from moola_core.specs import Predict, build

    predicted_files.refuse_ending(args.out)
    store = Store(args.store)
    about = recommended(store.open(args.run))
    spec = build(Predict, {"run": about.id, "data": options.data(args), "stride": args.stride})
    run = store.create(spec, parent=about.id)
    execute(run)
    predicted_files.write(run, args.out)
    summary = run.result("predicted")
    options.print_result(
        {"run_id": run.id, **summary, "out": args.out, "warnings": run.record.warnings},
        args.json,
        f"Wrote {args.out} in {summary['seconds']:.0f} s.\n\n{text.render(make('predicted', ReportContext(run)))}",
    )
    return 0
