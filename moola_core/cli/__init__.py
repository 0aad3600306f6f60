"""The command line: thin commands over the same functions that the app and the notebook use."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from moola_core import __version__
from moola_core.cli import data, diagnose, doctor, pack, predecessor, predict, queue, report, runs, study, train
from moola_core.errors import MoolaError, from_system

BAD_INPUT, INTERRUPTED = 2, 130


def parser() -> argparse.ArgumentParser:
    """All commands; each module of this package adds its own."""
    top = argparse.ArgumentParser(prog="moola", description="Did pre-training help or hurt, why, and what to try next.")
    top.add_argument("--version", action="version", version=f"moola {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for module in (data, train, study, diagnose, predict, report, runs, queue, pack, doctor):
        module.add_to(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0, 1 failure, 2 bad input, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        chosen = parser().parse_args(given)
    except SystemExit as end:
        meant = predecessor.translate(given) if end.code == BAD_INPUT else ""
        if meant:
            print(f"How to fix: these flags belong to the predecessor's scripts. Use: {meant}", file=sys.stderr)
        raise
    if getattr(chosen, "mirror", None):
        os.environ["MOOLA_MIRROR"] = str(Path(chosen.mirror).resolve())  # the processes of the runs inherit it
    try:
        return chosen.command(chosen) or 0
    except MoolaError as error:
        print(f"moola: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("moola: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"moola: {from_system(error)}", file=sys.stderr)
        return MoolaError.exit_status
