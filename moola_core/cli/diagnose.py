"""diagnose."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import SpecError, nearest
from moola_core.specs.diagnose import Diagnose, Diagnostic

NAMES = tuple(
    name for name in get_args(Diagnostic) if name not in ("doctor", "power")
)  # these have commands of their own


def add_to(commands: Any) -> None:
    command = commands.add_parser("diagnose", help="one diagnostic: of a run, or of windows alone (features, shift)")
    command.add_argument("name", metavar="NAME", help=", ".join(NAMES))
    command.add_argument("--windows", metavar="FILE", help="labelled windows (features, shift)")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from (features, shift)")
    command.add_argument("--run", metavar="RUN", default="", help="the finished run to diagnose")
    options.add_settings(command, "a setting")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_diagnose)


def run_diagnose(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store
    from moola_core.specs import build, change

    if args.name not in NAMES:
        raise SpecError(f"unknown diagnostic {args.name!r}.", hint=nearest(args.name, NAMES))
    spec = build(Diagnose, {"name": args.name, "run": args.run, "data": options.data(args)})
    spec = change(spec, options.pairs(args.changes, "--set"))
    if spec.name != args.name:
        raise SpecError(
            "the diagnostic is not a setting.", where=f"name={spec.name}", hint=f"Use `moola diagnose {spec.name}`."
        )
    from moola_core.sections import text
    from moola_core.sections.context import ReportContext
    from moola_core.sections.registry import make

    run = Store(args.store).create(spec, parent=args.run or None)
    execute(run)
    about = Store(args.store).open(spec.run) if spec.run else run
    section = make(spec.name, ReportContext(about, computed=run))
    words = text.render(section)
    options.print_result({"run_id": run.id, **run.result(spec.name)}, args.json, words)
    return 0
