"""What happened to a run. Records of older and newer schema versions open: unknown fields are dropped, missing ones defaulted."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moola_core.runs.facts import Facts

SCHEMA_VERSION = 1
RUN_ID = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{4}")
# One fit of a fine-tuning run as something to start from: RUN/REPEAT-FOLD, as its folder is called.
FIT = re.compile(rf"({RUN_ID.pattern})/(\d{{3}})-(\d{{2}})")
ACTIVE = ("queued", "running")
RESUMABLE = ("failed", "cancelled", "lost")
STATES = (*ACTIVE, "done", *RESUMABLE)


@dataclass(frozen=True)
class Record:
    """A run's record, as in `run.json`.

    Attributes
    ----------
    run_id, kind : str
        The id, sortable by time, and the kind of spec.
    preset, model : str
        The preset that its settings started from, and the model of a cross-validated run; empty where there is none.
    parent : str or None
        The run that this one is part of or is about.
    state : str
        queued, running, done, failed, cancelled or lost.
    created, started, ended : str
        ISO 8601 in UTC; empty until it happens.
    seconds : float or None
        How long the run took.
    progress : dict
        ``done`` and ``total`` fits and the last ``epoch``.
    data_hashes : dict
        Hashes of windows, folds and bars by name.
    facts : Facts
        What the run found out about its data and its fits; called ``counts`` in the file.
    error : str
        What went wrong, as a sentence.
    warnings : tuple of str
        What was lost without ending the run.
    data : dict
        The files of ``windows`` and ``bars``, where they lie now.
    process : dict
        ``pid``, its ``started`` time and the host's ``boot``.
    queue : dict
        ``priority``, the device that it ``needs`` and the ``folder`` where relative paths begin, or the ``cluster`` and its
        ``job``; empty for a run in the foreground.
    unreadable : str
        Why this version of moola cannot read the record or the spec; set when runs are listed, never stored.
    """

    run_id: str
    kind: str
    schema_version: int = SCHEMA_VERSION
    parent: str | None = None
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    preset: str = ""
    model: str = ""
    state: str = "queued"
    created: str = ""
    started: str = ""
    ended: str = ""
    seconds: float | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    host: str = ""
    device: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    dirty: bool = False
    data_hashes: dict[str, str] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    seed: int | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    data: dict[str, str] = field(default_factory=dict)
    process: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, Any] = field(default_factory=dict)
    pinned: bool = False
    archived: bool = False
    unreadable: str = ""

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def waits(self) -> bool:
        """Whether it stands in the queue, or has just been taken from it."""
        return self.state == "queued" and bool(self.queue)


def run_of(reference: str) -> str:
    """The run that a reference names, by its id or as one of its fits; empty for a file."""
    fit = FIT.fullmatch(reference)
    return fit[1] if fit else reference if RUN_ID.fullmatch(reference) else ""


UNREADABLE, UNKNOWN = "unreadable", "unknown"
FACTS, STORED_FACTS = "facts", "counts"
OPTIONAL = {"parent": str, "seconds": float, "seed": int}
TIMES = ("created", "started", "ended")


def from_dict(values: Mapping[str, Any]) -> Record:
    """A record of any schema version. What is not of its field's kind, as in a damaged file, is dropped too."""
    kept = {name: _as(value, kind) for name, kind in _KINDS.items() if (value := values.get(name)) is not None}
    kept = {name: value for name, value in kept.items() if value is not None}
    if isinstance(counts := values.get(STORED_FACTS), Mapping):
        kept[FACTS] = Facts.of(counts)
    for name in TIMES:
        if not _is_time(kept.get(name, "")):
            del kept[name]
    run_id = kept.setdefault("run_id", "")
    if "created" not in kept and RUN_ID.fullmatch(run_id):  # the id begins with it
        kept["created"] = (
            f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T{run_id[9:11]}:{run_id[11:13]}:{run_id[13:15]}+00:00"
        )
        if not _is_time(kept["created"]):
            kept["created"] = "1970-01-01T00:00:00+00:00"
    if kept.get("state", "queued") not in STATES:
        kept |= {"state": "failed", "error": f"Its state is unknown: {kept['state']}."}
    return Record(**{"kind": "finetune", **kept})


def unreadable(run_id: str, why: str) -> Record:
    """The record that stands for one that cannot be read: of unknown kind, and failed, for `why`."""
    record = from_dict({"run_id": run_id, "kind": UNKNOWN, "state": "failed", "error": why})
    return dataclasses.replace(record, unreadable=why)


def stored(record: Record) -> dict[str, Any]:
    """The record as it is written to `run.json`."""
    values = vars(record) | {FACTS: record.facts.stored()}
    return {STORED_FACTS if name == FACTS else name: value for name, value in values.items() if name != UNREADABLE}


def _as(value: Any, kind: type) -> Any:
    if kind is tuple:
        return tuple(str(item) for item in value) if isinstance(value, list | tuple) else None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) else None


def _is_time(text: str) -> bool:
    try:
        return text == "" or datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _kind(item: dataclasses.Field) -> type:
    if item.default is None:
        return OPTIONAL[item.name]
    return type(item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default)


_KINDS = {
    item.name: str
    if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    else _kind(item)
    for item in dataclasses.fields(Record)
    if item.name not in (UNREADABLE, FACTS)
}
