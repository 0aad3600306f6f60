"""The events of a data set: parts stand with what they are part of, and nothing but the records is read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from moola_core import studies
from moola_core.presets import preset
from moola_core.runs import Store, decisions
from moola_core.runs.decisions import Decision
from moola_core.runs.store import Run
from moola_core.runs.timeline import entries
from moola_core.specs import Compare


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def made(store, spec=None, windows="abc", **names):
    run = store.create(spec or preset("quick").finetune(), **names)
    run.update(state="done", data_hashes={"windows": windows} if windows else {})
    return run


def about(record) -> bool:
    return record.data_hashes.get("windows") == "abc"


def ids(found) -> list[str]:
    return [entry.id for entry in found]


def test_runs_and_decisions_stand_in_the_order_of_time(store):
    first = made(store)
    decision = decisions.add(store, Decision("keep it", data={"windows": "abc"}))
    decisions.add(store, Decision("about others", data={"windows": "other"}))
    made(store, windows="other")
    last = made(store)
    last.update(archived=True)
    found = entries(store, about, {"abc"})
    assert ids(found) == [last.id, decision.id, first.id], "archived ones stay in the history"
    assert [entry.kind for entry in found] == ["finetune", "decision", "finetune"]


def test_parts_are_grouped_under_what_they_are_part_of(store):
    study = made(store, studies.study("losses", "quick", {"windows": "w.parquet"}), windows="", name="losses")
    arms = [made(store, parent=study.id) for _ in range(3)]
    inner = made(store, parent=arms[0].id)
    orphan = made(store, parent="20260101-000000-000-0000")
    found = entries(store, about, {"abc"})
    assert ids(found) == [orphan.id, study.id], "the study is about the windows of its parts"
    assert {record.run_id for record in found[1].parts} == {inner.id, *(arm.id for arm in arms)}
    store.delete(study.id)
    assert set(ids(entries(store, about, {"abc"}))) == {orphan.id, *(arm.id for arm in arms)}


def test_a_comparison_belongs_to_the_data_of_its_runs(store):
    one, two, other = made(store), made(store), made(store, windows="other")
    ours = made(store, Compare(runs=(one.id, two.id)), windows="")
    made(store, Compare(runs=(other.id, other.id)), windows="")
    assert ids(entries(store, about, {"abc"}))[0] == ours.id and len(entries(store, about, {"abc"})) == 3


def test_a_circle_of_parents_ends(store):
    one, two = made(store), made(store)
    one.update(parent=two.id)
    two.update(parent=one.id)
    assert len(entries(store, about, {"abc"})) <= 2


def test_what_supersedes_a_decision_is_known(store):
    first = decisions.add(store, Decision("freeze", data={"windows": "abc"}))
    second = decisions.add(store, Decision("train", supersedes=first.id))
    later, earlier = entries(store, about, {"abc"})
    assert earlier.replaced_by == second and later.replaced_by is None


def test_a_thousand_runs_are_listed_in_less_than_a_second_without_their_results(store, monkeypatch):
    spec = (preset("quick").finetune().model_dump_json() + "\n").encode()
    study = store.create(studies.study("losses", "quick", {"windows": "w.parquet"}))
    for i in range(1000):  # as `Store.create` and a worker leave them, without waiting for the disk
        folder = store.runs_folder / f"20260101-{i // 3600:02d}{i // 60 % 60:02d}{i % 60:02d}-000-{i:04x}"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_bytes(spec)
        parent = f', "parent": "{study.id}"' if i % 2 else ""
        (folder / "run.json").write_text(
            f'{{"kind": "finetune", "state": "done", "data_hashes": {{"windows": "abc"}}{parent}}}', encoding="utf-8"
        )
    store.runs()  # what each page asks for anyway

    def refuse(*_):
        raise AssertionError("a result was read")

    monkeypatch.setattr(Run, "result", refuse)
    begin = time.perf_counter()
    found = entries(store, about, {"abc"})
    took = time.perf_counter() - begin
    assert len(found) == 501 and len(found[0].parts) == 500
    assert took < 1.0, f"{took:.2f} s"
    assert Path(store.root / "index.sqlite").is_file()
