"""report."""

from __future__ import annotations

import argparse
import time
from typing import Any

from moola_core.cli import options
from moola_core.reports.formats import FORMATS, TIMEOUT_S


def add_to(commands: Any) -> None:
    command = commands.add_parser("report", help="a run's report as one file")
    command.add_argument("run", metavar="RUN", help="a run that has ended")
    command.add_argument("--format", required=True, metavar="F", help=", ".join(FORMATS))
    command.add_argument("--out", required=True, metavar="FILE", help="where to; Markdown's pictures go beside it")
    command.add_argument("--sections", default="", metavar="A,B", help="only these sections (default: all)")
    command.add_argument("--timeout", type=float, default=TIMEOUT_S, metavar="S", help=f"default: {TIMEOUT_S:g} s")
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_report)


def run_report(chosen: argparse.Namespace) -> int:
    from moola_core.reports.export import export
    from moola_core.reports.wording import size
    from moola_core.runs.store import Store

    run = Store(chosen.store).open(chosen.run)
    sections = [name.strip() for name in chosen.sections.split(",") if name.strip()]
    started = time.monotonic()
    files = export(run, chosen.format, chosen.out, sections, chosen.timeout)
    count = files[0].stat().st_size
    told = {"run_id": run.id, "format": chosen.format, "out": str(files[0]), "files": [str(path) for path in files], "bytes": count, "seconds": time.monotonic() - started}  # fmt: skip
    beside = f", and {len(files) - 1} pictures in {files[1].parent}" if len(files) > 1 else ""
    options.show(told, chosen.json, f"{files[0]}, {size(count)}{beside}.")
    return 0
