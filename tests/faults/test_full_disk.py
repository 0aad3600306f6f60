"""A disk that is really full, where this process may mount one; a data file that goes away; a store that cannot be written."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from moola_core.cli import main
from moola_core.errors import DataError, StoreError
from moola_core.launch import worker
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.queue import Queue
from moola_core.sections.registry import build
from moola_core.specs import change
from tests.app_samples import make_run
from tests.faults.disks import fill, spoil
from tests.faults.kills import answers
from tests.faults.writes import full_at, writes_of

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


@pytest.mark.parametrize("indexed", [True, False])
def test_a_full_disk_can_be_read_and_runs_on_it_deleted(demo_files, capsys, tmp_path, monkeypatch, indexed):
    store = Store(tmp_path / "artifacts")
    a_done_and_a_waiting_run(store, demo_files["windows"])
    if indexed:
        store.runs()
    spoil(monkeypatch, store.root, errno.ENOSPC)
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


def test_a_full_disk_is_a_sentence_wherever_a_command_meets_it(tmp_path, capsys, monkeypatch, demo_files):
    monkeypatch.chdir(tmp_path)
    spoil(monkeypatch, tmp_path, errno.ENOSPC)
    status, said = in_a_store(capsys, "demo", "--out", "demo", "--bars", 6400, "--windows", 20)
    assert status == 1 and "No space left on device" in said, said
    status, said = in_a_store(capsys, "features", demo_files["bars"], "--out", "f.npy")
    assert status == 1 and "No space left on device" in said


@pytest.mark.parametrize("draws", [4, pytest.param(60, marks=pytest.mark.soak)])
def test_a_disk_that_is_full_at_any_write_loses_nothing(demo_files, tmp_path, draws):
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)
    whole = Store(tmp_path / "whole").create(spec)
    worker.run(whole)
    every = writes_of(tmp_path / "counted", spec)
    assert every > 20
    at = sorted({int(number) for number in np.random.default_rng(5).choice(every, size=draws)})
    counts, wrong = full_at(tmp_path / "full", spec, at, answers(whole))
    assert not wrong and counts["runs"] == len(at) and counts["sentences"] > 0, wrong
