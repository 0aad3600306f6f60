"""pack, unpack."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moola_core.cli import options


def add_to(commands: Any) -> None:
    pack = commands.add_parser("pack", help="runs and studies, and all that they need, in one file")
    pack.add_argument("runs", nargs="+", metavar="RUN")
    pack.add_argument("--out", required=True, metavar="FILE")
    pack.add_argument("--no-data", action="store_true", help="leave out the files of bars and windows")
    options.add_store(pack)
    options.add_json(pack)
    pack.set_defaults(command=run_pack)

    unpack = commands.add_parser("unpack", help="add the runs of a packed file to the store")
    unpack.add_argument("file", metavar="FILE")
    unpack.add_argument("--data", default="data", metavar="DIR", help="where its data files go (default: data)")
    options.add_store(unpack)
    options.add_json(unpack)
    unpack.set_defaults(command=run_unpack)


def run_pack(args: argparse.Namespace) -> int:
    from moola_core.runs.pack import pack
    from moola_core.runs.store import Store

    made = pack(Store(args.store), args.runs, Path(args.out), not args.no_data)
    text = f"{len(made.runs)} runs, {made.files} files and {made.bytes / 1e6:.1f} MB in {args.out}."
    if made.decisions:
        text += f" With {made.decisions} decision{'s' if made.decisions > 1 else ''} about their windows."
    options.print_result(made, args.json, text)
    for name in made.missing:
        options.note(f"note: {name} is not there, and was left out.")
    return 0


def run_unpack(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store
    from moola_core.runs.unpack import unpack

    made = unpack(Path(args.file), Store(args.store), Path(args.data))
    text = f"{len(made.added)} runs added to {args.store}, {len(made.there)} were already there."
    if made.data:
        text += f" {len(made.data)} data files in {args.data}/unpacked."
    if made.decisions:
        text += f" {len(made.decisions)} decision{'s' if len(made.decisions) > 1 else ''} added."
    options.print_result(made, args.json, "\n".join([text, *(f"Put right: {one}" for one in made.repaired)]))
    return 0
