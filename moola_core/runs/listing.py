"""Every run of a store as it is listed: readable or not, and with those marked lost whose process is gone."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from moola_core.errors import MoolaError
from moola_core.runs.index import Index
from moola_core.runs.liveness import mark_lost
from moola_core.runs.places import PLACES
from moola_core.runs.record import Record, unreadable

if TYPE_CHECKING:
    from moola_core.runs.store import Run

Stamps = tuple[tuple[int, int, int] | None, ...]


def listed(root: Path, run_of: Callable[[str], Run]) -> list[Record]:
    """The records under `root`, newest first. No run keeps another from being listed.

    run_of: the run that has an id, whatever its folder holds. Raises StoreError when the folder of the runs cannot be read.
    """
    return [
        record if record.unreadable else _looked_at(run_of(record.run_id), record) for record in Index(root).records()
    ]


def _looked_at(run: Run, record: Record) -> Record:
    try:
        record = mark_lost(run, record) if record.active else record
    except MoolaError as error:  # the record was damaged or taken away since it was read
        return unreadable(record.run_id, error.what)
    return dataclasses.replace(record, unreadable=why) if (why := _why_unreadable(run)) else record


def _why_unreadable(run: Run) -> str:
    """Why the run's spec cannot be read; empty when it can. Asked again when a file has changed."""
    stamps = tuple(_stamp(f"{run.folder}/{name}") for name in ("spec.json", PLACES))
    known = _known.get(run.folder)
    if known is None or known[0] != stamps:
        _known[run.folder] = known = (stamps, _problem(run))
    return known[1]


def _problem(run: Run) -> str:
    try:
        _ = run.spec
    except MoolaError as error:
        return f"spec.json: {error.what}" if "spec.json" not in error.what else error.what
    return ""


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the time of a Path
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


# By folder; kept here and not in the index, since another version of moola may read what this one cannot.
_known: dict[Path, tuple[Stamps, str]] = {}
