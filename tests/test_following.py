"""`moola runs RUN --follow`: epochs are printed once, as they come; it ends with the run and never ends the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from moola_core.cli import main
from moola_core.runs import Store
from moola_core.runs.liveness import identity
from tests.app_samples import EPOCHS, FOLDS, REPEATS, epoch_events, make_data, make_run


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def running(store, windows):
    run = make_run(store.root, windows, "queued", name="followed")
    run.update(state="running", started=run.record.created, process=identity(), progress={"done": 0, "total": 10})
    return run


def test_every_epoch_is_printed_once_as_it_comes_and_the_end_is_the_runs(store, windows, capsys):
    run, events = running(store, windows), epoch_events()

    def train():
        for i in range(0, len(events), 30):
            run.append_events(events[i : i + 30])
            time.sleep(0.2)
        run.update(state="done", seconds=3.0)

    thread = threading.Thread(target=train)
    thread.start()
    assert main(["runs", run.id, "--follow", "--store", str(store.root)]) == 0
    thread.join()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "running." and lines[-2].startswith("Run followed") and lines[-2].endswith("is done.")
    for split in ("training", "validation"):
        assert sum(f"{split} class loss" in line for line in lines) == FOLDS * REPEATS * EPOCHS
    assert "repeat 1, fold 2, epoch 3: training class loss 0.233, pointer loss 0.007, σ 1.030 and 0.970" in lines
    assert sum("done in 1 s" in line for line in lines) == FOLDS * REPEATS


def test_with_json_each_line_is_an_object_and_a_failed_run_is_a_failure(store, windows, capsys):
    run = make_run(store.root, windows, "failed")
    monitored = {"type": "monitor", "repeat": 0, "fold": 1, "epoch": 5, "split": "validation", "values": {"ece": 0.1}}
    run.append_events([monitored])
    assert main(["runs", run.id, "--follow", "--json", "--store", str(store.root)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["run_id"] for line in lines} == {run.id}
    assert lines[-1] == {"run_id": run.id, "state": "failed", "error": run.record.error}
    assert lines[-2]["values"] == {"ece": 0.1}


def test_the_parts_of_a_study_are_followed_by_name(store, windows, capsys):
    whole, part = make_run(store.root, windows, name="whole"), make_run(store.root, windows, name="an arm")
    part.update(parent=whole.id)
    text = (whole.folder / "run.json").read_text().replace('"finetune"', '"study"')
    (whole.folder / "run.json").write_text(text)
    assert main(["runs", whole.id, "--follow", "--store", str(store.root)]) == 0
    assert "an arm: repeat 1, fold 1, epoch 1: training" in capsys.readouterr().out


def test_an_interrupt_leaves_the_run_running(store, windows):
    run = running(store, windows)
    command = [sys.executable, "-m", "moola_core", "runs", run.id, "--follow", "--store", str(store.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout.readline() == "running.\n"
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and f"Run {run.id} goes on." in errors and "Traceback" not in errors
    assert run.record.state == "running"


def test_one_run_is_shown_and_what_is_wrong_is_said(store, windows, capsys):
    run = running(store, windows)
    run.append_events(epoch_events()[:5])
    assert main(["runs", run.id, "--store", str(store.root)]) == 0
    told = capsys.readouterr().out
    assert "is running." in told and "0 of 10 fits" in told and "Last: repeat 1, fold 1, epoch 2" in told
    assert main(["runs", "--follow", "--store", str(store.root)]) == 2
    assert main(["runs", "20260101-000000-000-0000", "--follow", "--store", str(store.root)]) == 2
    assert "no run is named" in capsys.readouterr().err
