"""Flags that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from moola_core import arguments, outgoing
from moola_core.errors import MoolaError, SpecError
from moola_core.specs import ReadOptions, build
from moola_core.specs.data import DATE_ORDERS

STORE = "artifacts"
SESSION = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


# Settings of `ReadOptions` with a flag of their own. A flag of one file never changes what is read of another.
OF_EACH_FILE = ("tz", "date_order", "separator", "decimal", "header", "column_names")
OF_BARS = ("stamp", "scale", "contract", "roll")
OF_LABELS = ("ends", "lengths", "annotator", "twice", "bar_labels")
FLAGS = {"date_order": "dates", "column_names": "columns", "bar_labels": "bar-labels"}
TYPED: dict[str, dict[str, Any]] = {
    "date_order": {"choices": tuple(DATE_ORDERS)},
    "header": {"choices": ("none", "first")},
    "column_names": {"metavar": "NAMES"},
    "scale": {"type": float},
}


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output and nothing else"
    )


def add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", metavar="DIR", default=STORE, help="the artifacts folder (default: artifacts)")


def add_settings(command: argparse.ArgumentParser, what: str) -> None:
    """`--set`, whose values `pairs` reads; what: the help."""
    command.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE", help=what)


def add_mirror(command: argparse.ArgumentParser) -> None:
    command.add_argument("--mirror", metavar="DIR", help="copy each completed step there; it opens as a store")


def add_ray(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ray", metavar="ADDRESS", default="", help="send it to this Ray cluster, such as http://127.0.0.1:8265"
    )


def add_names(command: argparse.ArgumentParser) -> None:
    """What a run is called, and why it is made."""
    command.add_argument("--name", type=words, default="", help="what to call the run")
    command.add_argument("--note", type=words, default="", help="why the run is made")
    command.add_argument("--tag", type=words, action="append", default=[], help="a tag; may be given several times")


def add_reading(command: argparse.ArgumentParser) -> None:
    """How the files are to be understood; what is not given comes from the settings saved next to each file."""
    group = command.add_argument_group("reading the files")
    for name in (*OF_EACH_FILE, *OF_BARS, *OF_LABELS):
        field, flag = ReadOptions.model_fields[name], FLAGS.get(name, name)
        choices = next((get_args(part) for part in get_args(field.annotation) if get_origin(part) is Literal), None)
        typed = {"choices": choices} | TYPED.get(name, {})
        group.add_argument(f"--{flag}", dest=name, help=field.description, **typed)
        if name in OF_EACH_FILE:
            of_bars = "that of the bars, where they are the second of two files"
            group.add_argument(f"--bars-{flag}", dest=f"bars_{name}", help=of_bars, **typed)
    group.add_argument("--adjust", action="store_true", help="shift the prices before each roll by the jump at it")
    group.add_argument(
        "--column", action="append", default=[], metavar="OURS=THEIRS", help="a column under another name"
    )
    group.add_argument(
        "--class",
        action="append",
        default=[],
        dest="class_map",
        metavar="THEIRS=OURS",
        help="a class under another name",
    )
    group.add_argument("--exchange-tz", help="time zone in which times are shown")
    group.add_argument("--session", metavar="OPEN-CLOSE", help="session times of the exchange, such as 18:00-17:00")
    group.add_argument("--window-bars", type=int, help="window length in bars")
    group.add_argument("--max-gap", type=int, help="longer holes between bars are gaps, in bars")
    group.add_argument(
        "--repair",
        choices=("refuse", "drop", "drop-many"),
        help="refuse bad rows (default), or drop and report them: up to 5%% of the rows, or any number",
    )
    group.add_argument("--save", action="store_true", help="save these settings next to the files")


def add_answers(command: argparse.ArgumentParser) -> None:
    """What a table of somebody's predictions may not show itself."""
    group = command.add_argument_group("reading the predictions")
    group.add_argument("--map", action="append", default=[], metavar="OURS=THEIRS", help="a column under another name")
    group.add_argument("--logits", action="store_true", help="turn scores into probabilities by the softmax")
    group.add_argument(
        "--folds",
        choices=("out-of-fold", "in-sample"),
        default="",
        help="where the file has no folds: whether the models had not trained on the windows, or had",
    )
    group.add_argument(
        "--pointers", choices=("bars", "fractions", "times"), default="", help="the unit of predicted starts and ends"
    )
    group.add_argument("--in-order", action="store_true", help="the rows are in the order of the windows")


def data(args: argparse.Namespace) -> dict[str, Any]:
    """The windows and bars that were asked for and how they are read, as values of a spec's data."""
    values: dict[str, Any] = {}
    for kind, how in readings(args, args.windows, args.bars).items():
        values |= {kind: str(Path(getattr(args, kind)).resolve()), f"{kind}_reading": how.model_dump()}
    return values


def readings(args: argparse.Namespace, windows: str | None, bars: str | None) -> dict[str, ReadOptions]:
    """The settings for each file that is given: what was saved next to it, with the flags' changes; --save saves them.

    A flag that says what is in one file never overrides what was saved for the other.
    """
    from moola_core.market.settings import fingerprint, load_reading, save_reading

    if args.session and not SESSION.fullmatch(args.session):
        raise SpecError(f"{args.session!r} is not a session.", where="--session", hint="Write it as 18:00-17:00.")
    paths = {kind: path for kind, path in (("windows", windows), ("bars", bars)) if path}
    saved = {kind: load_reading(path).model_dump() for kind, path in paths.items()}
    own: dict[str, dict[str, Any]] = {kind: _own(args, kind, len(paths)) for kind in paths}
    for kind, value in _zones(args, paths, saved).items():
        own[kind]["tz"] = value
    shared: dict[str, Any] = {
        "exchange_tz": args.exchange_tz,
        "window_bars": args.window_bars,
        "max_gap_bars": args.max_gap,
        "repair": args.repair,
        "session": tuple(args.session.split("-", 1)) if args.session else None,
    }
    shared = {name: value for name, value in shared.items() if value is not None}
    merged = {}
    for kind, path in paths.items():
        changes = shared | own[kind]
        changes["column_map"] = saved[kind]["column_map"] | _columns_of(args, path, paths)
        changes["class_map"] = saved[kind]["class_map"] | pairs(args.class_map, "--class")
        merged[kind] = build(ReadOptions, saved[kind] | changes, "settings")
    if args.save and windows and bars and Path(bars).is_file():
        merged["windows"] = merged["windows"].model_copy(update={"paired_bars": fingerprint(bars)})
    if args.save:
        for kind, path in paths.items():
            save_reading(path, merged[kind])
    return merged


def _own(args: argparse.Namespace, kind: str, count: int) -> dict[str, Any]:
    """The settings of one kind of file that the flags give, but for the time zone."""
    given = {name: getattr(args, name) for name in (OF_BARS if kind == "bars" else OF_LABELS)}
    for name in OF_EACH_FILE[1:]:
        own, of_bars = getattr(args, name), getattr(args, f"bars_{name}")
        given[name] = own if kind == "windows" else of_bars if count > 1 else of_bars or own
    if kind == "bars" and args.adjust:
        given["adjust"] = True
    return {name: value for name, value in given.items() if value is not None}


def _zones(args: argparse.Namespace, paths: dict[str, str], saved: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The time zone for each kind of file that the flags change.

    --tz is for the one file that is read or, of two, for the windows where their times carry no zone, else for the bars. It is for the
    other one where a different zone was saved next to that file (noted).
    """
    value, of_bars = args.tz, args.bars_tz
    given = {"bars": of_bars} if of_bars and "bars" in paths else {}
    if not value:
        return given
    open_kinds = [kind for kind in paths if kind not in given]
    if len(paths) < 2 or given:
        return given | dict.fromkeys(open_kinds, value)
    other = [kind for kind in open_kinds if saved[kind]["tz"] not in (None, value)]
    if len(other) == 2:
        listed = " and ".join(f"{saved[kind]['tz']} for {paths[kind]}" for kind in other)
        raise SpecError(
            f"{value} is neither of what was saved: {listed}.",
            where="--tz",
            hint="Leave the flag out, or give both: --tz for the windows and --bars-tz for the bars.",
        )
    for kind in other:
        note(
            f"note: {paths[kind]} keeps {saved[kind]['tz']}, which was saved next to it; "
            f"--tz {value} is for the other file. "
            f"To change it: moola check {paths[kind]} --tz {value} --save"
        )
    if other:
        return {kind: value for kind in open_kinds if kind not in other}
    from moola_core.market.labels import are_naive

    return {"windows" if are_naive(paths["windows"]) else "bars": value}


def _columns_of(args: argparse.Namespace, path: str, paths: dict[str, str]) -> dict[str, str]:
    """The mapped columns that are meant for the file: of two files, those that it has or that neither has."""
    from moola_core.market.library import columns_of

    mapped = pairs(args.column, "--column")
    if len(paths) < 2 or not mapped:
        return mapped
    elsewhere = {name for other in paths.values() if other != path for name in columns_of(other)}
    here = set(columns_of(path))
    return {ours: theirs for ours, theirs in mapped.items() if theirs in here or theirs not in elsewhere}


def as_flags(error: MoolaError, args: argparse.Namespace) -> MoolaError:
    """The error, its questions with the flags that answer them in this command: the bars may be the second of two files."""
    from moola_core.market.questions import OpenQuestions

    windows, bars = getattr(args, "windows", None) or getattr(args, "file", None), getattr(args, "bars", None)
    if not isinstance(error, OpenQuestions) or not windows or not bars:
        return error
    if Path(error.where).resolve() != Path(bars).resolve():
        return error
    asked = [replace(q, flag=f"--bars-{q.flag[2:]}") if q.id in OF_EACH_FILE else q for q in error.questions]
    return OpenQuestions(asked, where=error.where, reader=error.reader, confidence=error.confidence)


def pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    """`a=b` texts as a dict. Raises SpecError for one without an equals sign."""
    return arguments.pairs(map(words, texts), flag)


def words(argument: str) -> str:
    """The argument as it was typed, in UTF-8: where the locale knows ASCII alone, Python keeps its bytes as half characters."""
    if any("\udc80" <= letter <= "\udcff" for letter in argument):
        return os.fsencode(argument).decode("utf-8", "replace")
    return argument


def refuse_changes(args: argparse.Namespace, where: str, why: str) -> None:
    """Raise SpecError for settings that would be passed over in silence."""
    given = [f"--set {text}" for text in args.changes] + (
        [f"--checkpoint {args.checkpoint}"] if args.checkpoint else []
    )
    if given:
        raise SpecError(why, where=where, hint=f"Leave out {' '.join(given)}.")


def print_result(values: Any, as_json: bool, text: str) -> None:
    """Print the JSON object, or the text for a reader."""
    from moola_core.runs.codec import dumps

    print(outgoing.json_for_terminal(dumps(values)) if as_json else outgoing.for_terminal(text))


def note(text: str) -> None:
    """Print a line on standard error, whatever its words come from."""
    print(outgoing.for_terminal(text), file=sys.stderr)


def print_error(error: MoolaError, args: argparse.Namespace) -> None:
    """Print the error, and with `--json` an object with the key ``error`` next to what was read before it."""
    note(f"moola: {error}")
    if getattr(args, "json", False):
        print_result({**getattr(args, "read_so_far", {}), "error": as_object(error)}, True, "")


def as_object(error: MoolaError) -> dict[str, Any]:
    """What `--json` prints of an error."""
    parts = {"what": error.what, "where": error.where, "hint": error.hint}
    return {"kind": type(error).__name__, **parts, "exit_status": error.exit_status}


def table(rows: Sequence[Sequence[Any]]) -> str:
    """Rows in aligned columns."""
    cells = [[outgoing.for_terminal(str(cell), one_line=True) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))] if cells else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
