"""predict."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import DataError, SpecError

if TYPE_CHECKING:
    from moola_core.runs.store import Run

ENDINGS = (".parquet", ".csv", ".json")


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
    kinds = "a .parquet or .csv file, or .json for tasks of Label Studio with predictions"
    command.add_argument("--out", metavar="FILE", required=True, help=kinds)
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_predict)


def run_predict(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store
    from moola_core.sections import text
    from moola_core.sections.context import ReportContext
    from moola_core.sections.registry import make
    from moola_core.specs import Predict, build

    if Path(args.out).suffix not in ENDINGS:
        raise SpecError(
            f"--out {args.out} has another ending.", hint=f"Give a name that ends with {', '.join(ENDINGS)}."
        )
    spec = build(Predict, {"run": args.run, "data": options.data(args), "stride": args.stride})
    store = Store(args.store)
    store.open(args.run)
    run = store.create(spec, parent=args.run)
    execute(run)
    _write(run, Path(args.out))
    summary = run.result("predicted")
    options.print_result(
        {"run_id": run.id, **summary, "out": args.out, "warnings": run.record.warnings},
        args.json,
        f"Wrote {args.out} in {summary['seconds']:.0f} s.\n\n{text.render(make('predicted', ReportContext(run)))}",
    )
    return 0


def _write(run: Run, out: Path) -> None:
    """The run's predictions as a table, or as tasks that Label Studio shows before somebody labels them."""
    import pandas as pd

    from moola_core.market import frames

    table = pd.read_parquet(run.folder / "predicted.parquet")
    content = frames.predicted_tasks(table, *_times(run, table), run.id) if out.suffix == ".json" else table
    frames.write(content, out)


def _times(run: Run, table: Any) -> tuple[Any, Any]:
    """The starts of the bars of each window [n, K], and the time between bars."""
    import numpy as np

    from moola_core.market.bars import load_bars
    from moola_core.market.stamps import one_bar
    from moola_core.market.windows import load_windows
    from moola_core.runs.store import Store

    data = run.spec.data
    length = Store(run.store_root).open(run.spec.run).record.counts["window_bars"]
    starts = table["start_time"].to_numpy("datetime64[ns]")
    if np.isnat(starts).any():
        raise DataError(
            "the times of some windows are not known.",
            where=data.windows,
            hint="Give the bars with --bars, or write a .csv.",
        )
    if not data.bars:
        step = one_bar(load_windows(data.windows, data.windows_reading, labelled=False).interval_s)
        return starts[:, None] + step * np.arange(length), step
    bars = load_bars(data.bars, data.bars_reading)
    rows = np.searchsorted(bars.time, starts)[:, None] + np.arange(length)
    return bars.time[np.minimum(rows, len(bars) - 1)], one_bar(bars.interval_s)
