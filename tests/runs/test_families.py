"""Parts stand under what they are part of, however deep, and no run is left out."""

from __future__ import annotations

import random

import pytest

from moola_core.runs.families import families, root_of
from moola_core.runs.record import Record


def record(number: int, parent: int | None = None) -> Record:
    return Record(f"{number:03d}", "finetune", parent=None if parent is None else f"{parent:03d}")


def test_parts_of_parts_are_in_one_family_in_their_order():
    investigation, study, arm, other, alone = record(1), record(2, 1), record(3, 2), record(4, 2), record(5)
    newest_first = [alone, other, arm, study, investigation]
    first, second = families(newest_first)
    assert first.whole == alone and first.parts == () and second.whole == investigation
    assert [(part.record.run_id, part.depth) for part in second.parts] == [("002", 1), ("003", 2), ("004", 2)]
    assert second.records[0] == investigation


def test_a_part_whose_whole_was_deleted_stands_for_itself():
    orphan = record(2, 1)
    assert [family.whole for family in families([orphan])] == [orphan] and root_of(orphan, {"002": orphan}) is orphan


@pytest.mark.parametrize("seed", range(20))
def test_every_run_is_in_the_families_once_unless_runs_name_each_other_in_a_circle(seed):
    draw = random.Random(seed)
    records = [record(i, draw.choice([None, *range(i)])) for i in range(1, 30)]
    seen = [one.run_id for family in families(reversed(records)) for one in family.records]
    assert sorted(seen) == [one.run_id for one in records]
    circle = [record(1, 2), record(2, 1), record(3, 1)]
    assert {one.run_id for family in families(circle) for one in family.records} == {"001", "002", "003"}
