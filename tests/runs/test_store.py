import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from moola_core.errors import RunError, StoreError
from moola_core.presets import preset
from moola_core.runs import Run, Store, index, liveness
from moola_core.runs.liveness import identity
from moola_core.runs.record import SCHEMA_VERSION, from_dict

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def make(store, **names):
    return store.create(preset("quick").finetune(), **names)


def test_a_new_run_is_queued_and_opens_by_its_id(store):
    run = make(store, name="first", tags=["a"])
    again = Run.open(run.id, store.root)
    assert again.record.state == "queued" and again.record.name == "first" and again.record.tags == ("a",)
    assert again.spec == preset("quick").finetune() and again.record.preset == "quick"


def test_runs_are_listed_newest_first_and_only_changed_ones_are_read_again(store):
    runs = [make(store, name=str(i)) for i in range(5)]
    assert [record.run_id for record in store.runs()] == sorted((run.id for run in runs), reverse=True)
    runs[2].update(state="done", archived=True)
    assert len(store.runs()) == 4 and len(store.runs(include_archived=True)) == 5
    runs[3].update(state="done", name="changed")
    assert {record.name for record in store.runs()} == {"0", "1", "changed", "4"}


@pytest.mark.parametrize("damage", ["delete", "garbage", "torn", "columns", "emptied"])
def test_the_index_is_rebuilt_from_the_folders(store, damage, monkeypatch):
    ids = sorted((make(store, note="n" * 3000).id for _ in range(4)), reverse=True)
    store.runs()
    path = store.root / "index.sqlite"
    if damage == "delete":
        path.unlink()
    elif damage == "garbage":
        path.write_bytes(b"not a database at all" * 100)
    elif damage == "torn":  # the first page is whole, the records' pages are not
        path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM records" if damage == "emptied" else "DROP TABLE records")
            if damage == "columns":
                connection.execute("CREATE TABLE records (a, b)")
    monkeypatch.setattr(index, "_seen", {})  # as in another process: this one has read the records
    assert [record.run_id for record in store.runs()] == ids
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(run_id) FROM records").fetchone() == (4,)


def test_an_index_that_cannot_be_used_is_done_without(store):
    run = make(store)
    (store.root / "index.sqlite").mkdir()
    assert [record.run_id for record in store.runs()] == [run.id]


def test_folders_that_are_no_runs_are_passed_over(store):
    run = make(store)
    shutil.copytree(run.folder, run.folder.with_name("copy of a run"))
    (run.folder.with_name("20260101-000000-000-aaaa")).mkdir()
    assert [record.run_id for record in store.runs()] == [run.id]


@pytest.mark.parametrize(
    "name",
    ["../etc", "x", "", "20260101-000000-000-zzzz", "20260101-000000-000-aaaa\n", "20260101-000000-000-aaaa/../.."],
)
def test_names_that_are_no_run_ids_are_refused(store, name):
    with pytest.raises(RunError, match="not a run id"):
        store.open(name)


def test_a_link_out_of_the_store_is_no_run(store, tmp_path):
    run = make(store)
    outside = tmp_path / "outside"
    run.folder.replace(outside)
    run.folder.symlink_to(outside)
    assert store.runs() == []
    for act in (store.open, store.delete):
        with pytest.raises(RunError, match="is a link out of the store"):
            act(run.id)
    assert (outside / "run.json").is_file()


def test_what_is_not_of_its_fields_kind_is_dropped(store):
    run = make(store, name="kept")
    path = run.folder / "run.json"
    junk = {
        "tags": True,
        "seconds": "long",
        "created": "yesterday",
        "progress": [],
        "pinned": 1,
        "queue": "no",
        "seed": 1.5,
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | junk))
    (record,) = store.runs()
    assert (record.name, record.tags, record.seconds, record.progress, record.pinned) == ("kept", (), None, {}, False)
    assert record.created[:10].replace("-", "") == run.id[:8]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "dancing", "note": "\ud83d"}))
    assert store.runs()[0].state == "failed" and run.record.state == "failed"


def test_records_of_other_schema_versions_open(store):
    run = make(store)
    path = run.folder / "run.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({"run_id": run.id, "kind": "finetune", "state": "done", "schema_version": 0}))
    assert run.record.state == "done" and run.record.tags == ()
    path.write_text(json.dumps({**values, "schema_version": SCHEMA_VERSION + 1, "invented": 3}))
    assert store.runs()[0].run_id == run.id
    assert from_dict({"run_id": "x", "kind": "study", "progress": None}).progress == {}


@pytest.mark.parametrize("text", [b'{"run_id": "2026', b"[]", b"", b"\xff\xfe"])
def test_a_torn_record_is_listed_with_its_reason_and_the_others_stay(store, text):
    good, bad = make(store), make(store)
    (bad.folder / "run.json").write_bytes(text)
    with pytest.raises(RunError, match=r"run\.json cannot be read"):
        _ = bad.record
    states = {record.run_id: (record.state, record.error) for record in store.runs()}
    assert states[good.id][0] == "queued"
    assert states[bad.id][0] == "failed" and "cannot be read" in states[bad.id][1]


def test_a_replaced_file_is_whole_or_as_before(store, monkeypatch):
    from moola_core.runs import files

    run = make(store)
    before = (run.folder / "run.json").read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        run.update(state="done")
    assert (run.folder / "run.json").read_text() == before
    assert not list(run.folder.glob(".*tmp"))


def test_events_append_and_a_half_written_line_waits(store):
    run = make(store)
    run.append_events([{"type": "epoch", "values": {"loss": np.float32(0.5), "bad": float("nan")}}])
    run.append_events([{"type": "monitor"}])
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write('{"type": "σ'.encode()[:-1])
    events = run.events()
    assert [event["type"] for event in events] == ["epoch", "monitor"]
    assert events[0]["values"] == {"loss": 0.5, "bad": None} and events[0]["time"]
    assert [event["type"] for event in run.events(after=1)] == ["monitor"]


def test_a_line_that_was_cut_off_spoils_no_other(store):
    run = make(store)
    run.append_events([{"type": "epoch", "repeat": 0, "fold": 0}])
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "ep')
    run.append_events([{"type": "monitor", "repeat": 0, "fold": 1}])
    assert [event["type"] for event in run.events()] == ["epoch", "monitor"]
    run.keep_events(lambda event: event["fold"] == 1)
    assert [event["type"] for event in run.events()] == ["monitor"]
    assert (run.folder / "events.jsonl").read_bytes().count(b"\n") == 1


def test_drafts_of_a_killed_process_are_swept_away(store):
    run = make(store)
    (run.folder / "replicates" / ".000-00.1.tmp").mkdir(parents=True)
    (run.folder / ".run.json.1.tmp").write_text("{")
    run.sweep()
    assert sorted(path.name for path in run.folder.rglob("*")) == ["replicates", "run.json", "spec.json"]


def test_events_that_cannot_be_written_say_so(store):
    run = make(store)
    (run.folder / "events.jsonl").mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        run.append_events([{"type": "epoch"}])


def test_a_fit_that_cannot_be_written_whole_leaves_nothing(store, monkeypatch):
    from moola_core.runs import store as module

    run = make(store)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "flush", full)
    with pytest.raises(StoreError, match="No space left"):
        run.write_replicate(0, 0, {"predictions": {"repeat": [0]}}, {"w": np.ones(2, np.float32)}, {})
    assert run.replicates() == {} and not list((run.folder / "replicates").iterdir())
    with pytest.raises(StoreError, match="No space left"):
        make(store)
    assert [record.run_id for record in store.runs()] == [run.id]


def test_tables_results_and_replicates(store):
    run = make(store)
    run.write_table("predictions", {"repeat": np.zeros(2, int), "window_id": ["a", "b"]})
    assert run.predictions["window_id"].tolist() == ["a", "b"]
    run.write_replicate(0, 3, {"predictions": {"repeat": [0]}}, {"w": np.ones((2, 2), np.float32)}, {"epochs": 4})
    assert list(run.replicates()) == [(0, 3)]
    run.write_result("evaluation", {"a": np.float64(1.5)})
    assert run.result("evaluation") == {"a": 1.5}
    for missing in (lambda: run.table("steps"), lambda: run.result("nothing")):
        with pytest.raises(RunError, match="has no"):
            missing()


def test_a_dead_process_makes_a_run_lost_and_a_live_one_does_not(store):
    alive, dead, reused, elsewhere, unclaimed = (make(store) for _ in range(5))
    queued = store.create(preset("quick").finetune(), queue={"priority": 0})
    alive.update(state="running", process=identity())
    dead.update(state="running", process=identity() | {"pid": 2**22 + 1})
    reused.update(state="running", process=identity() | {"started": 1.0, "ticks": 1})
    elsewhere.update(state="running", process=identity() | {"host": "another", "started": 1.0})
    for run in (unclaimed, queued):  # of an older version; and one that may wait for as long as it takes
        run.update(created="2020-01-01T00:00:00.000+00:00", process={})
    states = {record.run_id: record.state for record in store.runs()}
    assert states == {
        alive.id: "running",
        dead.id: "lost",
        reused.id: "lost",
        elsewhere.id: "running",
        unclaimed.id: "lost",
        queued.id: "queued",
    }
    assert dead.record.error and dead.record.ended


def test_a_clock_that_is_set_makes_no_live_run_lost(store):
    """The start time of a process is counted back from the wall clock, and moves with it."""
    run = make(store)
    run.update(state="running", process=identity() | {"started": identity()["started"] + 86400})
    assert store.runs()[0].state == "running"


def test_a_run_of_another_host_is_given_up_when_it_is_silent_for_long(store, monkeypatch):
    run = make(store)
    run.update(state="running", process=identity() | {"host": "another"})
    (run.folder / "heartbeat").touch()
    long_ago = time.time() - 3600
    os.utime(run.folder / "run.json", (long_ago, long_ago))
    assert store.runs()[0].state == "running"
    os.utime(run.folder / "heartbeat", (long_ago, long_ago))
    assert store.runs()[0].state == "running"  # the clock may just have been set
    monkeypatch.setattr(liveness, "WATCH_S", 0.1)
    time.sleep(0.2)
    assert store.runs()[0].state == "lost"


def test_a_run_whose_maker_died_before_it_began_is_lost(store):
    code = "import sys; from moola_core.runs import Store; from moola_core.presets import preset; Store(sys.argv[1]).create(preset('quick').finetune())"
    subprocess.run([sys.executable, "-c", code, str(store.root)], check=True, cwd=ROOT)
    assert store.runs()[0].state == "lost"


def test_only_one_process_claims_a_run(store):
    run = make(store)
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda i: run.claim(("queued",), state="running", name=str(i)), range(16)))
    assert sum(record is not None for record in claimed) == 1
    assert run.record.name == next(record.name for record in claimed if record)


def test_changes_from_many_threads_are_all_kept(store):
    run = make(store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: run.update(**({"pinned": True} if i == 7 else {"progress": {"done": i}})), range(40)))
    assert run.record.pinned and run.record.progress


def test_deleting_takes_the_folder_unless_the_run_is_active(store):
    run = make(store)
    with pytest.raises(RunError, match="still running"):
        store.delete(run.id)
    run.update(state="done")
    store.delete(run.id)
    assert not run.folder.exists() and store.runs() == []


def test_an_unwritable_store_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--store"):
        make(Store(tmp_path / "file"))


def test_a_file_where_a_folder_should_be_is_a_sentence(tmp_path):
    from moola_core.runs.files import write_text

    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/run\.json: cannot be written: Not a directory|File exists"):
        write_text(tmp_path / "file" / "run.json", "{}")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("text", ["", '{"metrics": {"f1', "[1, 2]", "\x00\x00", "\xff"])
def test_a_torn_result_says_which_file_and_how_to_mend_it(store, text):
    run = make(store)
    run.write_result("evaluation", {"classes": []})
    (run.folder / "results" / "evaluation.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=rf"run {run.id}: results/evaluation\.json cannot be read.*[Rr]estore"):
        run.result("evaluation")


def test_a_torn_table_says_which_file_and_how_to_mend_it(store):
    run = make(store)
    path = run.write_table("predictions", {"p": [0.1, 0.2]})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match=rf"run {run.id}: predictions\.parquet cannot be read.*[Rr]estore"):
        _ = run.predictions


def test_files_call_the_validation_part_of_a_fold_inner(tmp_path):
    run = Store(tmp_path).create(preset("quick").finetune())
    run.append_events(
        [{"type": "epoch", "epoch": 1, "split": "validation"}, {"type": "epoch", "epoch": 2, "split": "train"}]
    )
    run.keep_events(lambda event: event["split"] == "validation")
    assert '"split": "inner"' in (run.folder / "events.jsonl").read_text(encoding="utf-8")
    assert [event["split"] for event in run.events()] == ["validation"]


def test_runs_that_are_made_at_once_are_sorted_as_they_were_made(tmp_path):
    store = Store(tmp_path)
    made = [store.create(preset("quick").finetune()).id for _ in range(5)]
    assert made == sorted(made) and [record.run_id for record in store.runs()] == made[::-1]
