"""A disk that is really full, where this process may mount one; a data file that goes away; a store that cannot be written."""

from __future__ import annotations

import os
import subprocess

import pytest

from moola_core.cli import main
from moola_core.errors import DataError, StoreError
from moola_core.launch import worker
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.specs import change

SMALL = {"epochs": 2, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1, "monitor_every": 1}


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place, leave: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    (place / "ballast").write_bytes(b"x" * (free - leave))


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
    assert main(["queue", "--store", str(tmp_path / "file" / "store")]) == 1
    assert "cannot be made" in capsys.readouterr().err
