import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moola_core.runs.codec import dumps, loads, plain

leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text()
trees = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(trees)
def test_whatever_is_written_is_strict_json(tree):
    def refuse(constant):
        raise AssertionError(constant)

    text = dumps(tree)
    assert json.loads(text, parse_constant=refuse) == plain(tree)
    assert dumps(loads(text)) == text


@dataclass(frozen=True)
class Point:
    x: float
    grid: np.ndarray


def test_numpy_dataclasses_times_and_paths_at_any_depth():
    value = {
        "a": [Point(np.nan, np.array([[1, 2], [3, 4]]))],
        "b": (np.int64(3), np.bool_(True), np.float32("inf")),
        4: Path("x"),
    }
    assert loads(dumps(value)) == {"a": [{"x": None, "grid": [[1, 2], [3, 4]]}], "b": [3, True, None], "4": "x"}
    assert loads(dumps(datetime(2026, 1, 2, tzinfo=UTC))) == "2026-01-02T00:00:00+00:00"
    assert loads(dumps(np.array(["2026-01-02"], "datetime64[D]"))) == ["2026-01-02"]


@pytest.mark.parametrize("value", [object(), {1.5: 1}, {None: 1}])
def test_what_cannot_be_written_is_named(value):
    with pytest.raises(TypeError):
        dumps(value)
