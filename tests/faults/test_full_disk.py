"""A disk that is really full, where this process may mount one; a data file that goes away; a store that cannot be written."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from moola_core.cli import main
from moola_core.errors import DataError, StoreError
from moola_core.launch import worker
from moola_core.launch.standing import standing
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.queue import Queue
from moola_core.sections.registry import build
from moola_core.specs import change
from tests.app_samples import make_run
from tests.faults.disks import fill, slow, spoil
from tests.faults.kills import answers

SMALL = {"epochs": 2, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1, "eval_every_epochs": 1}
pytestmark = pytest.mark.usefixtures("few_trees")


def test_a_full_disk_fails_the_run_with_its_sentence_and_the_store_opens(small_disk, demo_files):
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)
    store = Store(small_disk / "artifacts")
    run = store.create(spec)

    def full(event, progress):
        if event.type == "replicate_started" and not (small_disk / "ballast").exists():
            fill(small_disk, leave=0)

    with pytest.raises(StoreError, match="No space left on device"):
        worker.run(run, full)
    assert run.record.state == "failed" and "No space left on device" in run.record.error
    assert [record.state for record in Store(store.root).runs()] == ["failed"]
    (small_disk / "ballast").unlink()
    worker.resume(run)
    assert run.record.state == "done" and len(run.predictions) == 60


def test_a_data_file_that_went_away_is_named(demo_files, tmp_path):
    gone = tmp_path / "w.parquet"
    run = Store(tmp_path / "artifacts").create(change(preset("quick").finetune(), {"data.windows": str(gone)}))
    with pytest.raises(DataError, match=r"w\.parquet: no such file"):
        worker.run(run)
    assert run.record.state == "failed" and "no such file" in run.record.error


def test_a_store_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    spec = tmp_path / "spec.json"
    spec.write_text(preset("quick").finetune().model_dump_json())
    assert main(["submit", str(spec), "--store", str(tmp_path / "file" / "store")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert main(["queue", "--pause", "--store", str(tmp_path / "file" / "store")]) == 1
    assert "cannot be made" in capsys.readouterr().err


def in_a_store(capsys, *arguments: object) -> tuple[int, str]:
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return status, said.out + said.err


def read_and_delete(store, capsys) -> None:
    """What must work whatever the disk is like, on a store with a run that is done and one that waits."""
    waits, done = store.runs()
    assert in_a_store(capsys, "runs", "--store", store.root)[1].count("\n") == 3
    assert waits.run_id in in_a_store(capsys, "queue", "--store", store.root)[1]
    assert [section.name for section in build(store.open(done.run_id), ["targets"]).sections] == ["targets"]
    store.delete(done.run_id)
    assert [record.run_id for record in store.runs()] == [waits.run_id]


def a_done_and_a_waiting_run(store, windows) -> None:
    make_run(store.root, windows, name="deep in the night")
    spec = change(preset("quick").finetune(), {"data.windows": str(windows)})
    Queue(store.root).add(store.create(spec, queue={"priority": 2, "needs": "cpu"}).record)


def test_a_disk_that_is_really_full_can_be_read_and_runs_on_it_deleted(small_disk, demo_files, capsys, tmp_path):
    store = Store(small_disk / "artifacts")
    a_done_and_a_waiting_run(store, demo_files["windows"])
    fill(small_disk, leave=0)
    with pytest.raises(StoreError, match="No space left on device"):
        store.create(preset("quick").finetune())
    done, out = store.runs()[1].run_id, tmp_path / "r.json"
    made = in_a_store(capsys, "report", done, "--format", "json", "--out", out, "--store", store.root)
    assert made[0] == 0 and "deep in the night" in out.read_text()
    read_and_delete(store, capsys)


@pytest.mark.parametrize(
    ("number", "indexed"), [(errno.ENOSPC, True), (errno.ENOSPC, False), (errno.EDQUOT, True), (errno.EDQUOT, False)]
)
def test_a_full_disk_can_be_read_and_runs_on_it_deleted(demo_files, capsys, tmp_path, monkeypatch, number, indexed):
    store = Store(tmp_path / "artifacts")
    a_done_and_a_waiting_run(store, demo_files["windows"])
    if indexed:
        store.runs()
    spoil(monkeypatch, store.root, number)
    with pytest.raises(StoreError, match=f"{os.strerror(number)}. Free some space there"):
        store.create(preset("quick").finetune())
    with pytest.raises(StoreError, match=r"the queue cannot be used: .* Check the disk's space and rights"):
        Queue(store.root).pause(True)
    read_and_delete(store, capsys)


def test_a_store_that_may_only_be_read_is_read_and_deleting_says_why_not(demo_files, capsys, tmp_path, monkeypatch):
    store = Store(tmp_path / "artifacts")
    a_done_and_a_waiting_run(store, demo_files["windows"])
    spoil(monkeypatch, store.root, errno.EROFS)
    with pytest.raises(StoreError, match="cannot be deleted: Read-only file system"):
        read_and_delete(store, capsys)
    assert len(store.runs()) == 2


def test_where_not_even_a_folder_can_be_renamed_a_run_is_deleted_file_by_file(tmp_path, monkeypatch):
    store = Store(tmp_path)
    run = store.create(preset("quick").finetune())
    run.update(state="done")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    monkeypatch.setattr(os, "replace", full)
    store.delete(run.id)
    assert not run.folder.exists() and store.runs() == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=["full", "quota"])
def test_a_full_disk_is_a_sentence_wherever_a_command_meets_it(tmp_path, capsys, monkeypatch, demo_files, number):
    monkeypatch.chdir(tmp_path)
    spoil(monkeypatch, tmp_path, number)
    status, said = in_a_store(capsys, "demo", "--out", "demo", "--bars", 6400, "--windows", 20)
    assert status == 1 and os.strerror(number) in said, said
    status, said = in_a_store(capsys, "features", demo_files["bars"], "--out", "f.npy")
    assert status == 1 and os.strerror(number) in said
    out = f"{tmp_path}/store"
    status, said = in_a_store(capsys, "finetune", "--windows", demo_files["windows"], "--store", out)
    assert status == 1 and os.strerror(number) in said and "Free some space there" in said


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("delay_s", [0.01, pytest.param(2.0, marks=pytest.mark.soak)])
def test_a_store_whose_writes_take_their_time_makes_no_run_lost(demo_files, tmp_path, monkeypatch, delay_s):
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL | {"folds": 2})
    whole = Store(tmp_path / "whole").create(spec)
    worker.run(whole)
    count = slow(monkeypatch, tmp_path / "slow", delay_s)
    run = Store(tmp_path / "slow").create(spec)
    seen: set[tuple[str, str]] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            record = Store(run.store_root).runs()[0]
            seen.add((record.state, standing(run, record)))
            run.update(note=str(len(seen)))  # it waits for the lock that the run's own process takes
            time.sleep(0.05)

    visitor = threading.Thread(target=look)
    visitor.start()
    try:
        worker.run(run)
    finally:
        over.set()
        visitor.join()
    assert count() > 20 and seen <= {("queued", ""), ("running", ""), ("done", "")} and ("running", "") in seen, seen
    assert run.record.state == "done" and answers(run).equals(answers(whole))
