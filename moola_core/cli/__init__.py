"""The command line: thin commands over the same functions that the app and the notebook use."""

from __future__ import annotations

import argparse
import codecs
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from moola_core import __version__, outgoing
from moola_core.cli import (
    data,
    decide,
    diagnose,
    doctor,
    flags,
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
from moola_core.errors import TRACEBACK, UNREADABLE, MoolaError, SpecError, unexpected

BAD_INPUT, INTERRUPTED = 2, 130


def parser() -> argparse.ArgumentParser:
    """All commands; each module of this package adds its own."""
    top = _Parser(prog="moola", description="Did pre-training help or hurt, why, and what to try next.")
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
        flags,
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
            options.note(f"How to fix: these flags belong to the predecessor's scripts. Use: {meant}")
        raise
    if getattr(args, "mirror", None):
        os.environ["MOOLA_MIRROR"] = str(Path(args.mirror).resolve())  # the processes of the runs inherit it
    try:
        return args.command(args) or 0
    except MoolaError as error:
        options.print_error(options.as_flags(error, args), args)
        return error.exit_status
    except KeyboardInterrupt:
        options.print_error(MoolaError("interrupted."), args)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except UNREADABLE as error:
        explained = unexpected(error)
        if not isinstance(error, OSError | MemoryError):
            explained.hint += f" With {TRACEBACK}=1 it is said where."
        options.print_error(explained, args)
        return MoolaError.exit_status


class _Parser(argparse.ArgumentParser):
    """Escapes what was typed in its messages, and with `--json` prints them as an object too."""

    def error(self, message: str) -> NoReturn:
        if "--json" in sys.argv[1:]:
            error = SpecError(message, where=self.prog, hint=f"See `{self.prog} --help`.")
            options.print_result({"error": options.as_object(error)}, True, "")
        super().error(outgoing.for_terminal(message))


def _write_all_text(stream: TextIO) -> None:
    """Let the stream take every character: as UTF-8 where the locale knows ASCII alone, else escaped where it has none."""
    if isinstance(stream, io.TextIOWrapper):
        plain = codecs.lookup(stream.encoding).name == "ascii"
        stream.reconfigure(encoding="utf-8" if plain else stream.encoding, errors="backslashreplace")
