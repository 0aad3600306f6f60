"""Flags that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moola_core.errors import SpecError
from moola_core.specs import Reading, build

STORE = "artifacts"
SESSION = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", help="print one JSON object on standard output and nothing else"
    )


def add_store(command: argparse.ArgumentParser) -> None:
    command.add_argument("--store", metavar="DIR", default=STORE, help="the artifacts folder (default: artifacts)")


def add_mirror(command: argparse.ArgumentParser) -> None:
    command.add_argument("--mirror", metavar="DIR", help="copy each completed step there; it opens as a store")


def add_ray(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--ray", metavar="ADDRESS", default="", help="send it to this Ray cluster, such as http://127.0.0.1:8265"
    )


def add_names(command: argparse.ArgumentParser) -> None:
    """What a run is called, and why it is made."""
    command.add_argument("--name", default="", help="what to call the run")
    command.add_argument("--note", default="", help="why it is made")
    command.add_argument("--tag", action="append", default=[], help="a tag; may be given several times")


def add_reading(command: argparse.ArgumentParser) -> None:
    """How the files are to be understood; what is not given comes from the settings saved beside each file."""
    group = command.add_argument_group("reading the files")
    group.add_argument("--tz", help="time zone of naive times, such as America/New_York")
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
    group.add_argument("--max-gap", type=int, help="a longer hole between bars is a gap, in bars")
    group.add_argument("--repair", choices=("refuse", "drop"), help="refuse bad rows (default) or drop and report them")
    group.add_argument("--save", action="store_true", help="save these settings beside the files")


def data(chosen: argparse.Namespace) -> dict[str, Any]:
    """The windows and bars that were asked for and how they are read, as values of a spec's data."""
    found: dict[str, Any] = {}
    for kind in ("windows", "bars"):
        path = getattr(chosen, kind)
        if path:
            found |= {kind: str(Path(path).resolve()), f"{kind}_reading": reading(chosen, path).model_dump()}
    return found


def reading(chosen: argparse.Namespace, path: str) -> Reading:
    """The settings for the file at `path`: what was saved beside it, changed by the flags; saved again with --save."""
    from moola_core.market.settings import load_reading, save_reading

    if chosen.session and not SESSION.fullmatch(chosen.session):
        raise SpecError(f"{chosen.session!r} is no session.", where="--session", mend="Write it as 18:00-17:00.")
    saved = load_reading(path).model_dump()
    changes: dict[str, Any] = {
        "tz": chosen.tz,
        "exchange_tz": chosen.exchange_tz,
        "window_bars": chosen.window_bars,
        "max_gap_bars": chosen.max_gap,
        "repair": chosen.repair,
        "session": tuple(chosen.session.split("-", 1)) if chosen.session else None,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    changes["column_map"] = saved["column_map"] | pairs(chosen.column, "--column")
    changes["class_map"] = saved["class_map"] | pairs(chosen.class_map, "--class")
    found = build(Reading, saved | changes, "settings")
    if chosen.save:
        save_reading(path, found)
    return found


def pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    """`a=b` texts as a dict. Raises SpecError for one without an equals sign."""
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise SpecError(f"{wrong[0]!r} has no equals sign.", where=flag, mend=f"Write {flag} name=value.")
    return dict(text.split("=", 1) for text in texts)


def refuse_changes(chosen: argparse.Namespace, where: str, why: str) -> None:
    """Raise SpecError for settings that would be passed over in silence."""
    given = [f"--set {text}" for text in chosen.changes] + (
        [f"--checkpoint {chosen.checkpoint}"] if chosen.checkpoint else []
    )
    if given:
        raise SpecError(why, where=where, mend=f"Leave out {' '.join(given)}.")


def show(values: Any, as_json: bool, text: str) -> None:
    """Print the JSON object, or the text for a reader."""
    from moola_core.runs.codec import dumps

    print(dumps(values) if as_json else text)


def table(rows: Sequence[Sequence[Any]]) -> str:
    """Rows in aligned columns."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))] if cells else []
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )
