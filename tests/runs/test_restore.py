from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from moola_core.runs.codec import dumps, loads, restore
from moola_core.specs.aliases import RESULT_FIELDS, RESULT_VALUES


@dataclass(frozen=True)
class Inner:
    name: str
    pair: tuple[float, float]


@dataclass(frozen=True)
class Outer:
    parts: tuple[Inner, ...]
    table: np.ndarray
    maybe: Inner | None
    number: float | None
    notes: dict[str, float]


def test_what_was_written_comes_back():
    given = Outer((Inner("a", (1.0, 2.0)),), np.array([[1.0, np.nan]]), None, None, {"x": 1.0})
    found = restore(Outer, loads(dumps(given)))
    assert found.parts == given.parts and found.maybe is None and found.notes == given.notes
    assert np.array_equal(found.table, given.table, equal_nan=True)
    other = restore(Outer, loads(dumps(Outer((), np.array([True]), Inner("b", (3.0, 4.0)), 2.0, {}))))
    assert other.maybe == Inner("b", (3.0, 4.0)) and other.table.dtype == bool and other.number == 2.0


def test_fields_of_other_versions_are_passed_over():
    found = restore(Inner, {"name": "a", "new": 1})
    assert found.name == "a" and found.pair is None


def test_a_field_that_was_renamed_is_read_under_its_old_name():
    @dataclass(frozen=True)
    class Row:
        invalidates: tuple[str, ...]
        diagnostic: str

    assert RESULT_FIELDS["spoils"] == "invalidates"
    assert restore(Row, {"spoils": ["ECE"], "shows": "calibration"}) == Row(("ECE",), "calibration")
    assert restore(Row, {"spoils": ["ECE"], "invalidates": [], "diagnostic": ""}) == Row((), "")


@pytest.mark.parametrize(("old", "new"), RESULT_VALUES["severity"].items())
def test_a_word_that_was_renamed_is_read_as_that_of_now(old, new):
    @dataclass(frozen=True)
    class Row:
        severity: str

    assert restore(Row, {"severity": old}) == restore(Row, {"severity": new}) == Row(new)
