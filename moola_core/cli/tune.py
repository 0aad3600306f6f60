"""tune: measure what this host does, for the choices that `auto` leaves to it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.errors import DataError


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "tune", help="measure this host's processor or card, so that auto chooses what is fastest here"
    )
    command.add_argument("--quick", action="store_true", help="what matters most, in 30 seconds (default: 3 minutes)")
    command.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="what to measure; auto is a card where there is one",
    )
    command.add_argument("--show", action="store_true", help="print the figures that are kept, and measure nothing")
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_tune)


def run_tune(args: argparse.Namespace) -> int:
    import torch

    from moola_core.launch.host import hardware

    kind = args.device if args.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    store, device = Path(args.store), hardware(kind)
    if args.show:
        return print_figures(args, *kept_figures(store, kind))
    from moola_core.launch.tuning.measure import tune

    quiet = args.json or not sys.stderr.isatty()
    figures, path = tune(store, device, args.quick, lambda text: None if quiet else options.note(text))
    return print_figures(args, figures, f"Kept in {path}.")


def kept_figures(store: Path, kind: str) -> tuple[Any, str]:
    """The figures that are kept of the device, and what is to be said of them. Raises DataError where there are none."""
    from moola_core.host import figures
    from moola_core.launch.host import driver, hardware

    known, note = figures.read(store, hardware(kind))
    if known is None:
        raise DataError(note or "this host was not measured yet.", where=str(store), hint="Run `moola tune`.")
    return known, known.outdated(driver() if kind == "cuda" else "")


def print_figures(args: argparse.Namespace, figures: Any, note: str) -> int:
    options.print_result(
        asdict(figures) | {"note": note}, args.json, "\n\n".join(filter(None, (printed(figures), note)))
    )
    return 0


def printed(figures: Any) -> str:
    """The figures as text."""
    from moola_core.sections import host, text
    from moola_core.sections.blocks import Section

    return text.render(Section("host", host.TITLE, host.blocks(figures)))
