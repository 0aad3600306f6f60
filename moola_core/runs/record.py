"""What happened to a run. Records of older and newer schema versions open: unknown fields are dropped, missing ones defaulted."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1
RUN_ID = re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{4}")
ACTIVE = ("queued", "running")
RESUMABLE = ("failed", "cancelled", "lost")
STATES = (*ACTIVE, "done", *RESUMABLE)


@dataclass(frozen=True)
class Record:
    """A run's record, as in `run.json`.

    state: queued, running, done, failed, cancelled or lost; created, started, ended: ISO 8601 in UTC; progress: `done` and
    `total` replicates and the last `epoch`; process: `pid`, its `started` time and the host's `boot`; data_hashes: windows,
    folds, bars; error: a sentence for the user; warnings: what was lost without ending the run; queue: `priority` and the
    processor that it `needs`, empty for a run in the foreground.
    """

    run_id: str
    kind: str
    schema_version: int = SCHEMA_VERSION
    parent: str | None = None
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    preset: str = ""
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
    counts: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    process: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, Any] = field(default_factory=dict)
    pinned: bool = False
    archived: bool = False

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def waits(self) -> bool:
        """Whether it stands in the queue, or has just been taken from it."""
        return self.state == "queued" and bool(self.queue)


def from_dict(values: Mapping[str, Any]) -> Record:
    """A record of any schema version."""
    known = {item.name for item in dataclasses.fields(Record)}
    kept = {name: value for name, value in values.items() if name in known and value is not None}
    for name in ("tags", "warnings"):
        kept[name] = tuple(kept.get(name, ()))
    return Record(**{"run_id": "", "kind": "finetune", **kept})
