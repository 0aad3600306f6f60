"""preset."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import options
from moola_core.errors import SpecError


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "preset",
        help="keep a finished run's settings as a preset of your own, or list the presets",
        description="Without a run and a name it lists the presets. Your own lie in presets/ in the data folder (MOOLA_DATA, or data), "
        "and work wherever a preset does.",
    )
    command.add_argument("run", nargs="?", default="", metavar="RUN", help="a cross-validated run that is done")
    command.add_argument(
        "name", nargs="?", type=options.words, default="", metavar="NAME", help="what to call the preset"
    )
    command.add_argument("--summary", type=options.words, default="", help="a sentence that says what it is for")
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_preset)


def run_preset(args: argparse.Namespace) -> int:
    from moola_core.adoption import adopt
    from moola_core.runs.store import Store

    if not args.run and not args.summary:
        return _list(args)
    if not args.run or not args.name:
        raise SpecError("a run and a name are needed.", where="preset", hint="Use: moola preset RUN NAME")
    path = adopt(Store(args.store).open(args.run), args.name, args.summary)
    options.print_result(
        {"name": args.name, "file": str(path)}, args.json, f"Kept as {path}. Use it: --preset {args.name}"
    )
    return 0


def _list(args: argparse.Namespace) -> int:
    from moola_core.presets import available, own_presets

    own, bad = own_presets()
    rows = [("preset", "whose", "what it is for")]
    rows += [(name, "yours" if name in own else "moola", one.summary) for name, one in available().items()]
    problems = {name: str(error) for name, error in bad.items()}
    presets = {name: {"own": name in own, "summary": one.summary} for name, one in available().items()}
    text = "\n".join([options.table(rows), *problems.values()])
    options.print_result({"presets": presets, "unusable": problems}, args.json, text)
    return 0
