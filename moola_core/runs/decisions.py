"""Decisions about a data set: what was decided, why, by whom, and on which runs it rests. Nothing is ever changed or deleted.

One JSON file a decision under ``decisions/`` in the store. A decision is taken back or changed by a later one that supersedes or amends
it, so that the history stays as it was.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moola_core.errors import SpecError, StoreError
from moola_core.runs import codec
from moola_core.runs.files import locked, make_folder, read, reason, write_text
from moola_core.runs.places import folder_of
from moola_core.runs.record import RUN_ID
from moola_core.runs.store import Store

FOLDER = "decisions"
MOST_LETTERS = 10_000


@dataclass(frozen=True)
class Decision:
    """What was decided about a data set.

    Attributes
    ----------
    text, reason : str
        What was decided, and why; the reason may be empty.
    data : dict
        Content hashes of ``windows`` and ``bars`` as records of runs have them in `data_hashes`, so that a file that moved keeps its
        decisions.
    files : dict
        The files of these names, where they lay when it was decided.
    runs : tuple of str
        Ids of the runs that it rests on.
    who : str
        Who decided: a person, or the part of moola that did.
    supersedes, amends : str
        The id of an earlier decision that this one takes the place of, or adds to; empty for a new one.
    id, time : str
        Given when it is added; ISO 8601 in UTC.
    unreadable : str
        Why its file cannot be read; set when decisions are listed, never stored.
    """

    text: str
    reason: str = ""
    data: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    who: str = ""
    supersedes: str = ""
    amends: str = ""
    id: str = ""
    time: str = ""
    unreadable: str = ""


def add(store: Store, decision: Decision) -> Decision:
    """Keep a decision.

    Parameters
    ----------
    store : Store
        Where it is kept; the runs that it rests on are in it.
    decision : Decision
        Without `id` and `time`, which are given here. One that supersedes or amends another is about the same data, which it need not
        name again.

    Returns
    -------
    Decision
        As it was written.

    Raises
    ------
    SpecError
        When it says nothing, names no data, or supersedes or amends what it cannot.
    RunError
        When a run that it rests on is not there.
    StoreError
        When the store cannot be written.
    """
    for name in ("text", "reason", "who"):
        _refuse_unwritable(name, getattr(decision, name))
    if not decision.text.strip():
        raise SpecError("a decision needs a text.", where="decision", hint="Say in a sentence what was decided.")
    for run_id in decision.runs:
        folder_of(store.root, run_id)
    folder = store.root / FOLDER
    make_folder(folder)
    with locked(folder):  # two who supersede one decision at once: the second is told
        decision = _following(decision, store)
        if not decision.data:
            raise SpecError(
                "a decision is about data, and none is named.",
                where="decision",
                hint="Name the labelled windows (--windows FILE), or a run on them (--run RUN).",
            )
        time.sleep(0.001)  # ids are sorted by time, which they name to the millisecond
        moment = datetime.now(UTC)
        decision = dataclasses.replace(
            decision,
            id=f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03d}-{secrets.token_hex(2)}",
            time=moment.isoformat(timespec="milliseconds"),
        )
        write_text(folder / f"{decision.id}.json", codec.dumps(_stored(decision), indent=1) + "\n")
    return decision


def listed(store: Store, contents: Collection[str] | None = None, files: Collection[str] = ()) -> list[Decision]:
    """The decisions, newest first; those whose file cannot be read say why.

    contents, files: only decisions about data of these content hashes, or about one of these files, whatever is in it now; and unreadable
    ones, of which nobody knows what they are about. Raises StoreError when the folder cannot be read.
    """
    folder = store.root / FOLDER
    try:
        paths = sorted(folder.glob("*.json"), reverse=True) if folder.is_dir() else []
    except OSError as error:
        raise StoreError(f"cannot be read: {reason(error)}.", where=str(folder), hint="Check its rights.") from None
    every = [_read(path) for path in paths if RUN_ID.fullmatch(path.stem)]
    if contents is None:
        return every
    places = {os.path.realpath(file) for file in files}
    return [
        one
        for one in every
        if one.unreadable or set(one.data.values()) & set(contents) or (places and _place(one) in places)
    ]


def packed(store: Store, contents: Collection[str]) -> list[dict[str, Any]]:
    """The decisions about data of these content hashes as plain values, to be carried to another store."""
    return [_stored(one) for one in listed(store, contents) if not one.unreadable]


def unpack(store: Store, values: Any) -> list[str]:
    """Add decisions that were packed and are not there yet, all or none; their ids. What is no decision is passed over."""
    folder, wanted = store.root / FOLDER, dict[str, Decision]()
    for one in values if isinstance(values, list) else ():
        name = str(one.get("id", "")) if isinstance(one, dict) else ""
        if not RUN_ID.fullmatch(name) or os.path.lexists(folder / f"{name}.json"):
            continue
        try:
            wanted[name] = _restored(one, name)
        except ValueError:
            continue
    try:
        for name, decision in wanted.items():
            write_text(folder / f"{name}.json", codec.dumps(_stored(decision), indent=1) + "\n")
    except StoreError:
        for name in wanted:
            (folder / f"{name}.json").unlink(missing_ok=True)
        raise
    return list(wanted)


def superseded(decisions: Iterable[Decision]) -> dict[str, str]:
    """By id of each decision that no longer holds, the id of the one in its place; an amendment falls with what it amends."""
    known = {one.id: one for one in decisions}
    by = {one.supersedes: one.id for one in known.values() if one.supersedes}
    for one in known.values():
        at, passed = one, {one.id}
        while at.amends in known and at.amends not in passed:
            at = known[at.amends]
            passed.add(at.id)
            if at.id in by:
                by.setdefault(one.id, by[at.id])
    return by


def data_of_runs(store: Store, run_ids: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The content hashes and the files of windows and bars that these runs have; of runs on different windows, SpecError."""
    contents: dict[str, str] = {}
    files: dict[str, str] = {}
    for run_id in run_ids:
        record = store.open(run_id).record
        own = {name: record.data_hashes[name] for name in ("windows", "bars") if name in record.data_hashes}
        if contents.get("windows", own.get("windows")) != own.get("windows", contents.get("windows")):
            raise SpecError(
                "the runs were made on different windows.",
                where=f"run {run_id}",
                hint="Rest a decision on runs of one data set.",
            )
        contents, files = contents | own, record.data | files
    return contents, files


def _place(decision: Decision) -> str:
    """Where its file of windows lies, with links followed; empty where it names none."""
    named = decision.files.get("windows", "")
    return os.path.realpath(named) if named else ""


def _following(decision: Decision, store: Store) -> Decision:
    """The decision with the data of the one that it supersedes or amends. Raises SpecError where it cannot follow that one."""
    earlier = decision.supersedes or decision.amends
    if not earlier:
        return decision
    if decision.supersedes and decision.amends:
        raise SpecError(
            "a decision supersedes another one or amends it, not both.", where="decision", hint="Choose one of them."
        )
    known = {one.id: one for one in listed(store) if not one.unreadable}
    if earlier not in known:
        raise SpecError(
            f"there is no decision {earlier!r} to supersede or amend.",
            where="decision",
            hint="`moola decide --list` lists those that there are.",
        )
    later = superseded(known.values()).get(earlier)
    if later:
        raise SpecError(
            f"decision {earlier} is superseded already.", where="decision", hint=f"Supersede or amend {later}."
        )
    own, theirs = decision.data.get("windows"), known[earlier].data.get("windows")
    same_file = bool(_place(decision)) and _place(decision) == _place(known[earlier])
    if own and theirs and own != theirs and not same_file:  # the same file with other labels goes on
        raise SpecError(
            f"decision {earlier} is about other data.", where="decision", hint="Add a new decision about this data."
        )
    return dataclasses.replace(
        decision, data=known[earlier].data | decision.data, files=known[earlier].files | decision.files
    )


def _stored(decision: Decision) -> dict[str, Any]:
    """The decision as it is written."""
    return {name: value for name, value in vars(decision).items() if name != "unreadable"}


def _refuse_unwritable(name: str, text: str) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise SpecError("it holds half a character.", where=name, hint="Type the text again.") from None
    if length > MOST_LETTERS:
        raise SpecError(
            f"it is {length:,} bytes long.",
            where=name,
            hint=f"Give at most {MOST_LETTERS:,}; put the rest into a file.",
        )


def _read(path: Path) -> Decision:
    """The decision in the file, or what stands for one that cannot be read."""
    try:
        values = codec.load_object(read(path))
        return _restored(values, path.stem)
    except (OSError, ValueError) as error:
        return Decision("", id=path.stem, time=_time_of(path.stem), unreadable=f"{path.name}: {reason(error)}")


def _restored(values: Mapping[str, Any], name: str) -> Decision:
    """Raises ValueError for values that no decision has, half characters included, which JSON can hold and no screen can show."""
    codec.dumps(values).encode()
    kept: dict[str, Any] = {"id": name}
    for one in dataclasses.fields(Decision):
        if one.name not in values or one.name in ("id", "unreadable"):
            continue
        value = values[one.name]
        good = (
            isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
            if one.name in ("data", "files")
            else isinstance(value, list) and all(isinstance(text, str) for text in value)
            if one.name == "runs"
            else isinstance(value, str)
        )
        if not good:
            raise ValueError(f"{one.name} is not what a decision holds")
        kept[one.name] = tuple(value) if one.name == "runs" else value
    if not kept.get("text", "").strip():
        raise ValueError("it has no text")
    return Decision(**kept | {"time": _checked_time(kept.get("time", ""), name)})


def _checked_time(text: str, name: str) -> str:
    try:
        return text if datetime.fromisoformat(text).tzinfo else _time_of(name)
    except ValueError:
        return _time_of(name)


def _time_of(name: str) -> str:
    """When it was decided, from its id."""
    try:
        return datetime.strptime(name[:19], "%Y%m%d-%H%M%S-%f").replace(tzinfo=UTC).isoformat(timespec="milliseconds")
    except ValueError:
        return "1970-01-01T00:00:00.000+00:00"
