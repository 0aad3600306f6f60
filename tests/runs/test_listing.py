"""What a user sees of a store in which something cannot be read: every run, those that can be read and those that cannot."""

from __future__ import annotations

import json
import os
import sqlite3
import time

import pytest

from moola_core.cli import main
from moola_core.errors import RunError, SpecError
from moola_core.launch import worker
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.queue import Queue

CODES = ("FULL", "IOERR", "READONLY", "BUSY", "LOCKED", "CANTOPEN", "NOMEM", "CORRUPT", "NOTADB", "ERROR", "")
DAMAGES = {
    "garbage": b"\xff\xfe\x00PK",
    "cut off": b'{"kind": "finetune", "da',
    "a list": b"[]",
    "endless": b"[" * 200_000,
    "empty": b"",
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def make(store, **names):
    return store.create(preset("quick").finetune(), **names)


def reasons(store) -> dict[str, str]:
    return {record.run_id: record.unreadable for record in store.runs()}


class Broken(sqlite3.Connection):
    """A connection that can be opened, and of which no statement succeeds."""

    code = ""

    def execute(self, *_):
        error = sqlite3.OperationalError(f"it is {self.code}")
        if self.code:
            error.sqlite_errorcode = getattr(sqlite3, f"SQLITE_{self.code}") | 1 << 8  # an extended code
        raise error


@pytest.mark.parametrize("code", CODES)
def test_whatever_is_wrong_with_the_index_all_runs_are_listed(store, monkeypatch, code):
    names = {make(store, name=str(i)).id: str(i) for i in range(3)}
    monkeypatch.setattr(Broken, "code", code)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(path, factory=Broken, **more))
    assert {record.run_id: record.name for record in store.runs()} == names


@pytest.mark.parametrize("text", ["", "[1]", "garbage", b"\xff\x00", 7])
def test_what_nobody_wrote_into_the_index_is_read_again_from_the_folders(store, text):
    run = make(store, name="kept")
    store.runs()
    with sqlite3.connect(store.root / "index.sqlite") as connection:
        connection.execute("UPDATE records SET record = ?", (text,))
    assert [(record.run_id, record.name) for record in store.runs()] == [(run.id, "kept")]


def test_an_index_that_another_process_holds_is_not_waited_for_long(store):
    make(store, name="before")
    store.runs()
    holder = sqlite3.connect(store.root / "index.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    make(store, name="after")
    started = time.monotonic()
    assert {record.name for record in store.runs()} == {"before", "after"} and time.monotonic() - started < 5
    holder.close()


@pytest.mark.parametrize("name", ["run.json", "spec.json"])
@pytest.mark.parametrize("damage", [*DAMAGES, "folder", "pipe", "missing"])
def test_a_run_that_cannot_be_read_says_why_and_can_be_deleted(store, name, damage):
    good, bad = make(store), make(store)
    bad.update(state="done")
    path = bad.folder / name
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "pipe":
        os.mkfifo(path)
    elif damage in DAMAGES:
        path.write_bytes(DAMAGES[damage])
    for _ in range(2):  # the second time from the index
        found = reasons(store)
        assert found[good.id] == "" and f"{name} cannot be read: " in found[bad.id]
        assert str(store.root) not in found[bad.id]
    with pytest.raises(RunError, match=f"{name} cannot be read: .*delete the run"):
        _ = store.open(bad.id).record if name == "run.json" else store.open(bad.id).spec
    store.delete(bad.id)
    assert reasons(store) == {good.id: ""}


@pytest.mark.parametrize("change", [{"kind": "invented"}, {"invented": 1}, {"training": {"invented": 1}}, {"data": 5}])
def test_a_spec_of_another_version_is_unreadable_until_a_version_reads_it(store, change):
    run = make(store, name="of the future")
    path = run.folder / "spec.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | change))
    assert reasons(store)[run.id].startswith("spec.json: ")
    assert store.runs()[0].name == "of the future" and store.runs("finetune")[0].state == "queued"
    assert "unreadable" not in json.loads((run.folder / "run.json").read_text())
    path.write_text(before)
    assert reasons(store) == {run.id: ""}


def test_moola_runs_lists_what_cannot_be_read_below_the_table(store, capsys):
    good, bad = make(store, name="sound"), make(store)
    (bad.folder / "spec.json").write_text('{"kind": "invented"}')
    assert main(["runs", "--store", str(store.root)]) == 0
    out = capsys.readouterr().out
    assert f"{bad.id}: spec.json: unknown kind 'invented'" in out and f"{good.id}  finetune  queued" in out
    assert main(["runs", "--store", str(store.root), "--json"]) == 0
    found = {record["run_id"]: record["unreadable"] for record in json.loads(capsys.readouterr().out)}
    assert found[good.id] == "" and "invented" in found[bad.id]


def test_a_queued_run_whose_spec_is_of_another_version_fails_with_its_sentence(store):
    run = make(store)
    (run.folder / "spec.json").write_text('{"kind": "invented"}')
    with pytest.raises(SpecError, match="unknown kind"):
        worker.run(run)
    assert run.record.state == "failed" and "unknown kind 'invented'" in run.record.error


def test_the_queue_is_shown_from_the_folders_where_its_file_cannot_be_used(store):
    ids = [store.create(preset("quick").finetune(), queue={"priority": n, "needs": "cpu"}).id for n in (0, 5, 0)]
    make(store)  # not in the queue
    expected = [ids[1], ids[0], ids[2]]
    assert [entry.run_id for entry in Queue(store.root).shown()[0]] == expected and not Queue(store.root).path.exists()
    for run_id in ids:
        Queue(store.root).add(store.open(run_id).record)
    Queue(store.root).pause()
    assert Queue(store.root).shown() == (Queue(store.root).entries(), True)
    Queue(store.root).path.write_bytes(b"not a database" * 500)
    entries, paused = Queue(store.root).shown()
    assert [entry.run_id for entry in entries] == expected and not paused
