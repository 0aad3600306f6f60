"""The history of a data set: the runs that were asked for, each with its parts, and the decisions, in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from moola_core.errors import MoolaError
from moola_core.runs import decisions
from moola_core.runs.decisions import Decision
from moola_core.runs.families import root_of
from moola_core.runs.record import Record
from moola_core.runs.store import Store

DECISION = "decision"


@dataclass(frozen=True)
class Entry:
    """One event.

    Attributes
    ----------
    id, kind, time : str
        Of the run or the decision; the kind of a run, or ``decision``.
    record : Record or None
        Of a run.
    parts : tuple of Record
        The runs that are part of it or about it, such as the arms of a study.
    decision : Decision or None
        Of a decision.
    replaced_by : Decision or None
        The decision that supersedes it.
    """

    id: str
    kind: str
    time: str
    record: Record | None = None
    parts: tuple[Record, ...] = ()
    decision: Decision | None = None
    replaced_by: Decision | None = None


def entries(
    store: Store, belongs: Callable[[Record], bool], contents: Collection[str], files: Collection[str] = ()
) -> list[Entry]:
    """The events of a data set, newest first; archived runs too.

    Parameters
    ----------
    store : Store
        Where the runs and decisions are.
    belongs : callable
        Whether a run is about the data set.
    contents, files : collection of str
        The content hashes by which decisions name its data, and the files that they lie in now.

    Returns
    -------
    list of Entry
        A run that is part of another stands with that one, unless that was deleted. Nothing but the records is read.
    """
    records = {record.run_id: record for record in store.runs(include_archived=True)}
    parts: dict[str, list[Record]] = {}
    for record in records.values():
        root = root_of(record, records)
        if root is not record:
            parts.setdefault(root.run_id, []).append(record)
    roots = [record for record in records.values() if root_of(record, records) is record]
    made = [
        Entry(record.run_id, record.kind, record.created, record, own)
        for record in roots
        if _is_of(store, record, own := tuple(parts.get(record.run_id, ())), belongs, records)
    ]
    every = {one.id: one for one in decisions.listed(store)}
    by = decisions.superseded(every.values())
    made += [
        Entry(one.id, DECISION, one.time, decision=one, replaced_by=every.get(by.get(one.id, "")))
        for one in decisions.listed(store, contents, files)
    ]
    return sorted(made, key=lambda entry: entry.id, reverse=True)  # ids begin with the time


def _is_of(
    store: Store,
    record: Record,
    parts: tuple[Record, ...],
    belongs: Callable[[Record], bool],
    records: dict[str, Record],
) -> bool:
    if belongs(record) or any(belongs(part) for part in parts):
        return True
    if record.kind != "compare" or record.unreadable:
        return False
    try:  # its record names no data: that of the runs which it compares
        compared = store.open(record.run_id).spec.runs
    except MoolaError:
        return False
    return any(run_id in records and belongs(records[run_id]) for run_id in compared)
