"""Windows that somebody flagged or commented on while looking at them.

One JSON file a data set under ``flags/`` in the store. It is found by the content of the windows or by the place of their file, so that a
file that is moved keeps its flags, and so does one in which a flagged label was corrected.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moola_core.errors import SpecError, StoreError
from moola_core.runs import codec
from moola_core.runs.files import locked, make_folder, read, reason, write_text

FOLDER = "flags"
MOST_LETTERS = 500
COLUMNS = ("window_id", "label", "predicted", "flagged", "comment", "time")  # of a list of flags


@dataclass(frozen=True)
class Flag:
    """What was noted of one window.

    Attributes
    ----------
    flagged : bool
        Whether it is flagged.
    comment : str
        At most 500 characters; may be empty.
    time : str
        When it was noted last; ISO 8601 in UTC.
    """

    flagged: bool = False
    comment: str = ""
    time: str = ""


@dataclass(frozen=True)
class Labelled:
    """The labelled windows that flags belong to: their content hash, and the file that holds them."""

    content: str
    file: str

    @property
    def place(self) -> str:
        return os.path.realpath(self.file)


def of(root: Path, windows: Labelled) -> dict[str, Flag]:
    """The flags of these windows by window id. Raises StoreError where their file cannot be read."""
    path = _path(root, windows)
    return {} if path is None else _flags(_load(path))


def note(root: Path, windows: Labelled, notes: Mapping[str, Flag]) -> None:
    """Keep notes by window id; one that is neither flagged nor commented on is taken away.

    Raises
    ------
    SpecError
        For a comment that is too long or holds half a character.
    StoreError
        When the store cannot be written, or the file of these flags cannot be read.
    """
    for flag in notes.values():
        _refuse_unwritable(flag.comment)
    folder = root / FOLDER
    make_folder(folder)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    with locked(folder):
        path = _path(root, windows)
        values: dict[str, Any] = _load(path) if path else {"contents": [], "file": "", "windows": {}}
        kept = dict(values["windows"])
        for name, flag in notes.items():
            kept.pop(name, None)
            if flag.flagged or flag.comment:
                kept[name] = {"flagged": flag.flagged, "comment": flag.comment, "time": moment}
        contents = [*dict.fromkeys([*values["contents"], windows.content])]
        path = path or folder / f"{secrets.token_hex(8)}.json"
        stored = {"contents": contents, "file": windows.place, "windows": kept}
        write_text(path, codec.dumps(stored, indent=1) + "\n")


def listed(noted: Mapping[str, Flag], labels: Mapping[str, str], predicted: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row a noted window, with the values that `COLUMNS` names.

    labels: the label of each window by id, in the order of the rows; windows that are not there any more come last. predicted: empty
    for a window that no run has predicted.
    """
    order = [name for name in labels if name in noted] + [name for name in noted if name not in labels]
    return [
        {
            "window_id": name,
            "label": labels.get(name, ""),
            "predicted": predicted.get(name, ""),
            "flagged": noted[name].flagged,
            "comment": noted[name].comment,
            "time": noted[name].time,
        }
        for name in order
    ]


def _path(root: Path, windows: Labelled) -> Path | None:
    """The file of these windows' flags: of the same content, else of the same place; None where there is none."""
    folder = root / FOLDER
    try:
        paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    except OSError as error:
        raise StoreError(f"cannot be read: {reason(error)}.", where=str(folder), hint="Check its rights.") from None
    torn: StoreError | None = None
    placed = None
    for path in paths:
        try:
            values = _load(path)
        except StoreError as error:
            torn = error
            continue
        if windows.content in values["contents"]:
            return path
        if values["file"] == windows.place:
            placed = path
    if placed is None and torn is not None:
        raise torn  # it may be the one, and flags that are there must not seem to be gone
    return placed


def _load(path: Path) -> dict[str, Any]:
    try:
        values = codec.load_object(read(path))
        good = (
            isinstance(values.get("contents"), list)
            and isinstance(values.get("file"), str)
            and isinstance(values.get("windows"), dict)
            and all(isinstance(one, dict) for one in values["windows"].values())
        )
        if not good:
            raise ValueError("it does not hold flags")
    except (OSError, ValueError) as error:
        raise StoreError(
            f"cannot be read: {reason(error)}.", where=str(path), hint="Restore the file from a copy, or delete it."
        ) from None
    return values


def _flags(values: Mapping[str, Any]) -> dict[str, Flag]:
    return {
        name: Flag(bool(one.get("flagged")), str(one.get("comment", "")), str(one.get("time", "")))
        for name, one in values["windows"].items()
    }


def _refuse_unwritable(comment: str) -> None:
    if len(comment) > MOST_LETTERS:
        raise SpecError(
            f"it is {len(comment):,} characters long.", where="comment", hint=f"Give at most {MOST_LETTERS:,}."
        )
    try:
        comment.encode()
    except UnicodeEncodeError:
        raise SpecError("it holds half a character.", where="comment", hint="Type the text again.") from None
