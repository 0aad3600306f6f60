"""report: of a run, of a study, or of what the doctor found."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from moola_core.cli import doctor, options
from moola_core.reports.formats import FORMATS, TIMEOUT_S


def add_to(commands: Any) -> None:
    command = commands.add_parser("report", help="a report of a run, a study, or what the doctor found, as one file")
    command.add_argument(
        "about", metavar="RUN|FILE.json", help="a run that has ended, or reported figures that the doctor is to judge"
    )
    command.add_argument(
        "--kind", default="", choices=("", "doctor"), metavar="K", help="doctor: what the doctor found in the run"
    )
    command.add_argument("--format", required=True, metavar="F", help=", ".join(FORMATS))
    command.add_argument(
        "--out", required=True, metavar="FILE", help="the file to write; Markdown's pictures go next to it"
    )
    command.add_argument("--sections", default="", metavar="A,B", help="only these sections (default: all)")
    command.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help=f"default: {TIMEOUT_S:g} s")
    command.add_argument("--windows", metavar="FILE", help="the labelled windows that reported figures are about")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_report)


def run_report(args: argparse.Namespace) -> int:
    from moola_core.launch.report_files import write
    from moola_core.reports.export import check
    from moola_core.sections.formatting import size

    check(args.format, args.out)  # before the doctor is asked
    run = _subject(args)
    sections = [name.strip() for name in args.sections.split(",") if name.strip()]
    started = time.monotonic()
    files = write(run, args.format, args.out, sections, args.timeout, args.kind)
    count = files[0].stat().st_size
    result = {
        "run_id": run.id,
        "format": args.format,
        "out": str(files[0]),
        "files": [str(path) for path in files],
        "bytes": count,
        "seconds": time.monotonic() - started,
    }
    drawn = len(files) - 1
    pictures = f", and {drawn} {'picture' if drawn == 1 else 'pictures'} in {files[1].parent}" if drawn else ""
    options.print_result(result, args.json, f"{files[0]}, {size(count)}{pictures}.")
    return 0


def _subject(args: argparse.Namespace) -> Any:
    """The run to report. The doctor is asked first where it has to be: about reported figures, or a run that it has not seen."""
    from moola_core.runs.store import Store
    from moola_core.sections.context import ReportContext
    from moola_core.specs import Diagnose

    store = Store(args.store)
    if Path(args.about).suffix == ".json":
        figures, ahead = doctor.figures(args)
        planned = ahead.model_dump(mode="json") if ahead else {}
        return _asked(store.create(Diagnose(name="doctor", figures=figures, planned=planned), Path(args.about).stem))
    run = store.open(args.about)
    if args.kind and run.record.state == "done" and ReportContext(run, args.kind).result("doctor") is None:
        _asked(store.create(Diagnose(name="doctor", run=run.id), parent=run.id))
    return run


def _asked(run: Any) -> Any:
    from moola_core.launch import worker

    worker.run(run)
    return run
