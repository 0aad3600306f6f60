"""power: before any fit, what a study would find."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import SpecError


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "power", help="before any fit: the smallest difference that a study would find, its time, and the room to help"
    )
    command.add_argument("--windows", metavar="FILE", required=True, help="labelled windows")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from")
    command.add_argument(
        "--study", default="", metavar="NAME", help="a named study (default: transfer with bars, else architectures)"
    )
    command.add_argument("--preset", default="recommended", help="settings that all arms start from")
    numbers = {
        "labels": "labelled windows in all (default: those in the file)",
        "folds": "folds of the cross-validation",
        "repeats": "repeats of it",
        "pretrainings": "pre-trainings that the repeats start from in turn",
    }
    for name, text in numbers.items():
        command.add_argument(f"--{name}", type=int, metavar="N", help=text)
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_power)


def run_power(args: argparse.Namespace) -> int:
    from moola_core import studies
    from moola_core.diagnostics.results import Power
    from moola_core.launch.estimate import estimate_study
    from moola_core.runs import codec
    from moola_core.runs.store import Store
    from moola_core.sections import power_text
    from moola_core.specs import Diagnose, Study, build

    if args.labels is not None and args.labels < 1:
        raise SpecError(
            "a study needs labelled windows.", where=f"--labels {args.labels}", hint="Give a number above 0."
        )
    changes = {f"training.{name}": value for name in ("folds", "repeats") if (value := getattr(args, name)) is not None}
    name = args.study or ("transfer" if args.bars else "architectures")
    spec = studies.study(name, args.preset, options.data(args), changes)
    if args.pretrainings is not None:
        spec = build(Study, spec.model_dump() | {"pretraining_seeds": args.pretrainings}, "power")
    asked = {"name": "power", "data": spec.base.data, "features": spec.base.features, "folds": spec.base.training.folds}
    store = Store(args.store)
    run = store.create(build(Diagnose, asked))
    execute(run)
    report = codec.restore(Power, run.result("power"))
    labels = args.labels or report.windows
    expected = estimate_study(spec, labels, _bars(spec), store)
    design = power_text.design_of(spec, labels, (expected.seconds, expected.low, expected.high))
    values = {"run_id": run.id, "study": name, **asdict(design), **run.result("power")}
    values["smallest"], values["smallest_with_twice_the_labels"] = (
        power_text.smallest(report, design, count) for count in (labels, 2 * labels)
    )
    options.print_result(values, args.json, "\n".join([f"Study {name}.", *power_text.lines(report, design)]))
    return 0


def _bars(spec: Any) -> int:
    """How many bars the study would pre-train on."""
    from moola_core.market.bars import load_bars

    data = spec.base.data
    return len(load_bars(data.bars, data.bars_reading)) if data.bars and spec.pretrainings() else 0
