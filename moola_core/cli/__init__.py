"""The command line: thin commands over the same functions that the app and the notebook use."""

from __future__ import annotations

import argparse
import codecs
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from moola_core import __version__
from moola_core.cli import (
    data,
    decide,
    diagnose,
    doctor,
    history,
    investigate,
    options,
    pack,
    plan,
    power,
    predecessor,
    predict,
    preset,
    queue,
    report,
    runs,
    search,
    study,
    train,
    tune,
)
from moola_core.errors import MoolaError, from_system

BAD_INPUT, INTERRUPTED = 2, 130


def parser() -> argparse.ArgumentParser:
    """All commands; each module of this package adds its own."""
    top = argparse.ArgumentParser(prog="moola", description="Did pre-training help or hurt, why, and what to try next.")
    top.add_argument("--version", action="version", version=f"moola {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for module in (
        data,
        train,
        power,
        investigate,
        plan,
        study,
        search,
        diagnose,
        predict,
        report,
        runs,
        decide,
        history,
        preset,
        queue,
        pack,
        doctor,
        tune,
    ):
        module.add_to(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0, 1 failure, 2 bad input, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        _write_all_text(stream)
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        args = parser().parse_args(given)
    except SystemExit as end:
        meant = predecessor.translate(given) if end.code == BAD_INPUT else ""
        if meant:
            print(f"How to fix: these flags belong to the predecessor's scripts. Use: {meant}", file=sys.stderr)
        raise
    if getattr(args, "mirror", None):
        os.environ["MOOLA_MIRROR"] = str(Path(args.mirror).resolve())  # the processes of the runs inherit it
    try:
        return args.command(args) or 0
    except MoolaError as error:
        print(f"moola: {options.as_flags(error, args)}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("moola: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as error:
        print(f"moola: {from_system(error)}", file=sys.stderr)
        return MoolaError.exit_status


def _write_all_text(stream: TextIO) -> None:
    """Let the stream take every character: as UTF-8 where the locale knows ASCII alone, else escaped where it has none."""
    if isinstance(stream, io.TextIOWrapper):
        plain = codecs.lookup(stream.encoding).name == "ascii"
        stream.reconfigure(encoding="utf-8" if plain else stream.encoding, errors="backslashreplace")
