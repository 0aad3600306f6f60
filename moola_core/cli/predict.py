"""predict."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.cli.progress import carry_out
from moola_core.errors import SpecError, StoreError


def add_to(commands: Any) -> None:
    command = commands.add_parser("predict", help="what a run's models say of new windows, or of bars at a stride")
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


def run_predict(chosen: argparse.Namespace) -> int:
    from moola_core.runs.store import Store
    from moola_core.specs import Predict, build

    if Path(chosen.out).suffix != ".parquet":
        raise SpecError(f"--out {chosen.out} is no .parquet file.", hint="Name it so.")
    spec = build(Predict, {"run": chosen.run, "data": options.data(chosen), "stride": chosen.stride})
    store = Store(chosen.store)
    store.open(chosen.run)
    run = store.create(spec, parent=chosen.run)
    carry_out(run)
    try:
        shutil.copyfile(run.folder / "predicted.parquet", chosen.out)
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=chosen.out, hint="Choose another --out."
        ) from None
    found = run.result("predicted")
    options.show(
        {"run_id": run.id, **found, "out": chosen.out, "warnings": run.record.warnings},
        chosen.json,
        _text(found, chosen.out),
    )
    return 0


def _text(found: dict[str, Any], out: str) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    lines = [f"{found['windows']} windows by {found['fits']} fits in {found['seconds']:.0f} s, in {out}."]
    lines += [f"{counts}; on average {found['agreement']:.0%} of the fits agree."] if counts else []
    if found["foreign"]:
        lines.append(f"{found['foreign']} windows are foreign to what the run trained on: do not trust their answers.")
    if found["training"]:
        lines.append(
            f"{found['training']} share bars with windows that the fits trained on: for these the answers flatter."
        )
    if found["over_bars"]:
        lines.append(f"{len(found['expansions'])} expansions.")
    return "\n".join(lines)
