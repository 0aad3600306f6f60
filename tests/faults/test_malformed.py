"""Malformed specs and single files; thousands of inputs of every kind are in test_benchmark.py."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moola_core import specs
from moola_core.errors import DataError, SpecError
from moola_core.market.bars import load_bars

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
parts = st.sampled_from(["data", "features", "model", "transfer", "loss", "training", "faults", "base", "arms", "runs"])


@pytest.mark.parametrize("examples", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_any_json_is_a_spec_or_a_sentence(examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from([*specs.KINDS, "", "other"]), st.dictionaries(parts, trees, max_size=3))
    def holds(kind, values):
        try:
            specs.parse({"kind": kind, **values})
        except SpecError as error:
            assert str(error)

    holds()


def test_what_nobody_foresaw_of_a_file_is_a_sentence_that_names_it(tmp_path, monkeypatch):
    path = tmp_path / "b.csv"
    path.write_text("time,open,high,low,close\n" + "".join(f"2024-01-02T10:0{i}Z,1,1,1,1\n" for i in range(5)))
    monkeypatch.setattr("moola_core.market.sources.read", lambda *_: {}["gone"])
    with pytest.raises(KeyError):
        load_bars(path)
    monkeypatch.delenv("MOOLA_TRACEBACK")
    with pytest.raises(DataError, match="cannot be understood") as caught:
        load_bars(path)
    assert caught.value.where == str(path) and caught.value.hint


@pytest.mark.parametrize("order", [["day-first"], {}, 7])
def test_a_date_order_that_is_no_text_is_refused(order):
    with pytest.raises(SpecError, match="date_order"):
        specs.build(specs.ReadOptions, {"date_order": order})


@pytest.mark.parametrize("session", [["", "17:00"], ["24:00", "17:00"], ["1800", "17:00"]])
def test_a_session_that_is_no_time_of_day_is_refused(session):
    with pytest.raises(SpecError, match="session"):
        specs.build(specs.ReadOptions, {"session": session})


def test_a_column_of_lists_names_no_contract(tmp_path):
    table = pd.DataFrame({"time": pd.date_range("2024-01-02 10:00", periods=5, freq="min", tz="UTC")})
    for name in ("open", "high", "low", "close"):
        table[name] = 1.0
    table["extra"] = [[1, 2]] * 5
    table.to_parquet(tmp_path / "b.parquet")
    assert len(load_bars(tmp_path / "b.parquet")) == 5
