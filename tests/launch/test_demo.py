"""The demo: its parts in order, what a failed one leaves, and that removing it leaves nothing of it and everything else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moola_core.errors import RunError
from moola_core.launch import demo, local
from moola_core.launch.devices import Lock
from moola_core.market.demo import make_demo, write_demo
from moola_core.runs.store import Store
from tests.app_samples import make_run


@pytest.fixture
def data(tmp_path):
    """A small market in the place of the demo's."""
    write_demo(tmp_path / "data" / demo.FOLDER, make_demo("helpful", bars=20_000, windows=60, seed=3))
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Each run is done as soon as it is submitted."""
    monkeypatch.setattr(local, "start", lambda run: run.update(state="done"))
    return Store(tmp_path / "artifacts")


def test_every_part_is_made_once_in_order_and_its_specs_are_valid(store, data):
    seen = list(demo.fill(store, data))
    assert [one.done for one in seen] == list(range(len(demo.STEPS) + 1)) and seen[-1].complete
    made = sorted(demo.records(store), key=lambda record: record.run_id)
    assert [record.kind for record in made] == [step.key.split(" ")[0] for step in demo.STEPS]
    assert all(record.tags == (demo.TAG,) and record.name.startswith("Demo") for record in made)
    run = made[0].run_id
    assert {record.parent for record in made if record.kind == "predict"} == {run}
    assert [one.done for one in demo.fill(store, data)] == [len(demo.STEPS)], "what is there is not made again"
    assert len(demo.records(store)) == len(demo.STEPS)


def test_it_stops_at_a_part_that_fails_and_says_why(store, data, monkeypatch):
    kinds = iter(["done", "done", "failed"])
    monkeypatch.setattr(local, "start", lambda run: run.update(state=next(kinds), error="no memory"))
    *_, last = demo.fill(store, data)
    assert last.failed == (demo.STEPS[2], "no memory") and last.done == 2 and not last.complete


def test_removing_it_leaves_everything_else_and_it_does_not_come_back(store, data, monkeypatch):
    mine = make_run(store.root, data / demo.FOLDER / "windows.parquet", name="Mine")
    other = data / demo.FOLDER / "notes.txt"
    other.write_text("mine", encoding="utf-8")
    list(demo.fill(store, data))
    study = next(record for record in demo.records(store) if record.kind == "study")
    part = store.create(store.open(mine.id).spec, name="An arm", parent=study.run_id)
    part.update(state="done")
    assert demo.remove(store, data) == len(demo.STEPS) + 1
    assert [record.run_id for record in store.runs(include_archived=True)] == [mine.id]
    assert [path.name for path in (data / demo.FOLDER).iterdir()] == ["notes.txt"] and demo.removed(store)
    other.unlink()
    demo.remove(store, data)
    assert not (data / demo.FOLDER).exists()
    store.delete(mine.id)
    from moola_core.ui import first_start

    monkeypatch.setenv("MOOLA_DEMO", "on")
    assert first_start._prepare.__wrapped__(str(data), str(store.root)) is None and store.runs() == []


def test_two_processes_do_not_make_it_at_once(store, data):
    lock = Lock(store.root, demo.LOCK)
    assert lock.acquire() and demo.filling(store)
    with pytest.raises(RunError, match="another process"):
        next(demo.fill(store, data))
    lock.release()
    assert not demo.filling(store)


def test_progress_counts_what_runs(store, data):
    list(demo.fill(store, data))
    newest = demo.records(store)[0]
    store.delete(newest.run_id)
    assert demo.progress(store) == demo.Progress(len(demo.STEPS) - 1, len(demo.STEPS), next=demo.STEPS[-1])
    assert replace(demo.progress(store), next=None).complete is False
