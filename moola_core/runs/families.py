"""Runs with the runs that are part of them or about them: the arms of a study, the rounds of an investigation, a diagnostic of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from moola_core.runs.record import Record


@dataclass(frozen=True)
class Member:
    """A run of a family; `depth` is 1 for a part of the whole, 2 for a part of such a part."""

    record: Record
    depth: int


@dataclass(frozen=True)
class Family:
    """A run that stands for itself, and its parts: each behind the one that it is part of, the oldest first."""

    whole: Record
    parts: tuple[Member, ...] = ()

    @property
    def records(self) -> tuple[Record, ...]:
        """All of them, the whole first."""
        return (self.whole, *(part.record for part in self.parts))


def root_of(record: Record, records: Mapping[str, Record]) -> Record:
    """The run that it is part of in the end; itself where that was deleted."""
    seen = {record.run_id}
    while record.parent is not None and record.parent in records and record.parent not in seen:
        record = records[record.parent]
        seen.add(record.run_id)
    return record


def families(records: Iterable[Record]) -> list[Family]:
    """The runs by the run that each is part of in the end, in the order of `records`."""
    every = {record.run_id: record for record in records}
    children: dict[str, list[Record]] = {}
    roots = []
    for record in every.values():
        root = root_of(record, every)
        if root is record or root.parent in every:  # where runs name each other in a circle, each stands for itself
            roots.append(record)
        else:
            children.setdefault(str(record.parent), []).append(record)
    return [Family(root, tuple(_parts(root.run_id, children, 1))) for root in roots]


def _parts(run_id: str, children: Mapping[str, list[Record]], depth: int) -> list[Member]:
    parts: list[Member] = []
    for record in sorted(children.get(run_id, ()), key=lambda one: one.run_id):
        parts += [Member(record, depth), *_parts(record.run_id, children, depth + 1)]
    return parts
