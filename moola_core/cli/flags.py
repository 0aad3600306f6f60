"""flags."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moola_core import outgoing
from moola_core.cli import options
from moola_core.errors import SpecError
from moola_core.runs.flags import COLUMNS, Flag, Labelled


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "flags",
        help="the windows that were flagged or commented on; flag more, or take flags away",
        description="Flags belong to the content of the windows and are those of the Windows page. With a run, the predicted classes "
        "stand next to the labels.",
    )
    command.add_argument("run", nargs="?", default="", metavar="RUN", help="the run whose windows are meant")
    command.add_argument("--windows", metavar="FILE", help="the labelled windows, in the place of a run")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows are cut from")
    command.add_argument(
        "--add", action="append", default=[], metavar="WINDOW", help="flag the window with this id; may be repeated"
    )
    command.add_argument(
        "--comment", type=options.words, metavar="TEXT", help="the comment on the windows that are flagged"
    )
    command.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="WINDOW",
        help="take the flag and the comment away; may be repeated",
    )
    command.add_argument("--out", metavar="FILE", help="write the list as CSV")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_flags)


@dataclass(frozen=True)
class _Shown:
    """The windows that are meant: whose flags, the label of each window, and the predicted class where a run has one."""

    windows: Labelled
    labels: Mapping[str, str]
    predicted: Mapping[str, str]


def run_flags(args: argparse.Namespace) -> int:
    from moola_core.runs import flags

    shown, root = _shown(args), Path(args.store)
    kept = flags.of(root, shown.windows)
    if changes := _changes(args, kept, shown.labels):
        flags.note(root, shown.windows, changes)
        kept = flags.of(root, shown.windows)
    rows = flags.listed(kept, shown.labels, shown.predicted)
    if args.out:
        _write(Path(args.out), rows)
    text = _text(rows) if rows else "No window is flagged. Flag one: --add WINDOW, or f on the Windows page."
    options.print_result({"windows": shown.windows.file, "flags": rows, "out": args.out or ""}, args.json, text)
    return 0


def _shown(args: argparse.Namespace) -> _Shown:
    from moola_core import history
    from moola_core.runs.store import Store
    from moola_core.specs import Data, build

    if bool(args.run) == bool(args.windows):
        raise SpecError(
            "a run or a file of labelled windows is needed, and not both.",
            where="flags",
            hint="Write moola flags RUN, or moola flags --windows FILE.",
        )
    predicted: dict[str, str] = {}
    if args.run:
        run = Store(args.store).open(args.run)
        data = getattr(run.spec, "data", None)
        if run.record.kind == "finetune" and run.record.state == "done":
            predicted = _predicted(run.predictions)
    else:
        data = build(Data, options.data(args))
    if data is None or not data.windows:
        raise SpecError(
            "this run has no labelled windows.", where=args.run, hint="Name a run that was fine-tuned, or --windows."
        )
    windows = history.windows_of(data)
    labels = dict(zip(map(str, windows.window_id), map(str, windows.label), strict=True))
    return _Shown(Labelled(windows.content_hash, data.windows), labels, predicted)


def _predicted(table: Any) -> dict[str, str]:
    """The classes that the repeats predict of each window, each once."""
    classes = table.assign(window_id=table["window_id"].astype(str)).groupby("window_id")["predicted"].unique()
    return {name: ", ".join(map(str, values)) for name, values in classes.items()}


def _changes(args: argparse.Namespace, kept: Mapping[str, Flag], labels: Mapping[str, str]) -> dict[str, Flag]:
    """What the flags are to be; a window that is flagged again keeps its comment unless another is given."""
    if args.comment is not None and not args.add:
        raise SpecError("there is no window to comment on.", where="--comment", hint="Name one with --add WINDOW.")
    _refuse_unknown(args.add, labels, "--add")
    _refuse_unknown(args.remove, [*labels, *kept], "--remove")
    added = {
        name: Flag(True, kept.get(name, Flag()).comment if args.comment is None else args.comment) for name in args.add
    }
    return added | {name: Flag() for name in args.remove}


def _refuse_unknown(names: Iterable[str], known: Iterable[str], flag: str) -> None:
    ids = dict.fromkeys(known)
    for name in names:
        if name not in ids:
            close = difflib.get_close_matches(name, ids, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}?" if close else f"Ids look like {next(iter(ids), 'those in the file')}."
            raise SpecError(f"there is no window {name!r}.", where=flag, hint=hint)


def _text(rows: list[dict[str, Any]]) -> str:
    columns = [name for name in rows[0] if name != "predicted" or any(row[name] for row in rows)]
    cells = [
        ["yes" if row[name] is True else "" if row[name] is False else row[name] for name in columns] for row in rows
    ]
    return options.table([columns, *cells])


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.map(outgoing.for_spreadsheet).to_csv(path, index=False, encoding="utf-8")
