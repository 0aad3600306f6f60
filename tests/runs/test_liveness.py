"""Whose run it is: a process in another container or on another host, a clock that is set, a process that slept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from moola_core.cli import main
from moola_core.errors import RunError
from moola_core.launch import groups, local, worker
from moola_core.launch.local import LocalLauncher
from moola_core.launch.worker.heartbeat import lease
from moola_core.presets import preset
from moola_core.runs import liveness
from moola_core.runs.liveness import HEARTBEAT, alive, identity
from moola_core.runs.record import Record
from moola_core.runs.store import Run, Store
from tests.faults.kills import ROOT, wait_for

SPEC = preset("quick").finetune()
# A trainer without training, so that it need not load what trains: it claims the run, beats, and ends well when the file `go` appears in
# the run's folder.
TRAINER = """
import sys, time
from pathlib import Path
from unittest.mock import MagicMock
jobs = "compare diagnose doctor finetune investigate joined predict pretrain search study relay".split()
for name in [*(f"launch.worker.{job}" for job in jobs), "training.device"]:
    sys.modules[f"moola_core.{name}"] = MagicMock()
from moola_core.launch import worker
from moola_core.launch.worker import doctor
from moola_core.runs import liveness
from moola_core.runs.store import Run
from moola_core.launch.worker import heartbeat
heartbeat.BEAT_S = 0.2
def job(run, listen):
    (run.folder / "began").write_text("")
    while not (run.folder / "go").exists():
        time.sleep(0.05)
worker.JOBS["finetune"], doctor.looks_at = job, lambda run: False
worker.run(Run(Path(sys.argv[1])))
"""
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
needs_namespaces = pytest.mark.skipif(
    subprocess.run([*CONTAINER, "true"], capture_output=True).returncode != 0, reason="namespaces need root"
)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "ensure_worker", lambda root, device="": None)
    return Store(tmp_path / "artifacts")


@pytest.fixture
def start():
    """start(run): a trainer of the run, with `prefix` in a container of its own; ended with the test."""
    begun: list[subprocess.Popen] = []

    def begin(run: Run, *prefix: str) -> subprocess.Popen:
        command = [*prefix, sys.executable, "-c", TRAINER, str(run.folder)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
        begun.append(process)
        assert wait_for(lambda: (run.folder / "began").exists(), 60)
        return process

    yield begin
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait()


def age(run: Run, seconds: float) -> None:
    for name in (HEARTBEAT, "run.json"):
        os.utime(run.folder / name, (time.time() - seconds,) * 2)


@needs_namespaces
def test_a_run_of_another_container_is_never_called_lost_while_it_beats_and_nobody_else_begins_it(store, start, capsys):
    run = store.create(SPEC)
    process = start(run, *CONTAINER)
    here = identity()
    assert run.record.process["host"] == here["host"] and run.record.process["boot"] == here["boot"]
    assert run.record.process["namespace"] != here["namespace"]
    assert [record.state for record in store.runs()] == ["running"]
    for call in (LocalLauncher(store).resume, LocalLauncher(store).cancel, store.delete):
        with pytest.raises(RunError):
            call(run.id)
    with pytest.raises(RunError, match="not queued"):
        worker.run(run)
    assert groups.members(run.record.process) == []  # its number may be anyone's here
    (run.folder / "go").write_text("")
    assert process.wait(30) == 0 and run.record.state == "done"


@needs_namespaces
def test_a_run_whose_container_died_is_lost_at_once_on_its_host_and_goes_on(store, start):
    run = store.create(SPEC)
    process = start(run, *CONTAINER)
    age(run, 700)  # as of one that was stopped: it lives, which the lock shows
    assert [record.state for record in store.runs()] == ["running"]
    assert "in another container" in liveness.unseen(run, run.record)
    process.kill()
    assert wait_for(lambda: store.runs()[0].state == "lost", 10)
    (run.folder / "began").unlink()
    LocalLauncher(store).resume(run.id)
    again = start(run)
    (run.folder / "go").write_text("")
    assert again.wait(30) == 0 and run.record.state == "done"


@pytest.mark.parametrize("where", ["lease", "boot"])
def test_a_lock_says_nothing_of_a_process_on_another_disk_or_host(store, where):
    run = store.create(SPEC)
    with lease(run) as held:
        process = identity() | held | {"namespace": "another"}
        assert liveness.lease_held(run, process) is True
        assert liveness.lease_held(run, process | {where: "another"}) is None
    assert liveness.lease_held(run, process) is False
    assert liveness.lease_held(run, process | {where: "another"}) is None


@needs_namespaces
def test_a_run_whose_container_died_is_doubtful_first_and_lost_later_where_its_lock_cannot_be_seen(
    store, start, capsys, monkeypatch
):
    run = store.create(SPEC)
    start(run, *CONTAINER).kill()
    monkeypatch.setattr(liveness, "lease_held", lambda *_: None)
    age(run, 60)
    assert main(["runs", "--store", str(store.root)]) == 0
    said = capsys.readouterr().out
    assert "running" in said and "cannot be seen from here" in said and "lost after 10 minutes" in said
    age(run, 700)
    monkeypatch.setattr(liveness, "WATCH_S", 0.3)
    assert liveness.settled(run).state == "lost" and "It can be resumed" in run.record.error


def test_a_process_that_slept_while_another_took_its_run_over_ends_itself_and_changes_nothing(store, start):
    run = store.create(SPEC)
    sleeper = start(run)
    os.killpg(sleeper.pid, signal.SIGSTOP)
    theirs = identity() | {"host": "another"}
    run.update(process=theirs, progress={"done": 7, "total": 9})
    (run.folder / "go").write_text("")
    os.killpg(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(30) != 0
    record = run.record
    assert record.state == "running" and record.process == theirs and record.progress["done"] == 7 and not record.error


def test_a_clock_that_is_set_forward_makes_no_run_of_another_host_lost_while_it_beats(store, monkeypatch):
    run = store.create(SPEC)
    run.update(state="running", process=identity() | {"host": "another"})
    monkeypatch.setattr(liveness, "WATCH_S", 0.3)
    (run.folder / HEARTBEAT).touch()
    for _ in range(6):
        age(run, 86_400)
        os.utime(run.folder / HEARTBEAT, ns=(time.time_ns() - 86_400 * 10**9,) * 2)
        assert store.runs()[0].state == "running"
        time.sleep(0.1)
    time.sleep(0.3)
    assert store.runs()[0].state == "lost"


def test_a_clock_that_is_set_back_keeps_no_dead_run_for_ever(store, monkeypatch):
    run = store.create(SPEC)
    run.update(state="running", process=identity() | {"host": "another"})
    (run.folder / HEARTBEAT).touch()
    age(run, -86_400)
    assert store.runs()[0].state == "running"
    monkeypatch.setattr(liveness, "SILENT_S", 0.1)
    time.sleep(0.2)
    assert store.runs()[0].state == "lost"


@pytest.mark.parametrize(("beats", "state"), [(True, "running"), (False, "lost")])
def test_of_two_hosts_of_one_name_one_does_not_take_the_others_run_for_that_of_an_earlier_boot(store, beats, state):
    run = store.create(SPEC)
    run.update(state="running", process=identity() | {"boot": "another"})
    (run.folder / HEARTBEAT).touch()
    if not beats:
        age(run, 120)
    assert store.runs()[0].state == state


@pytest.mark.parametrize("name", ["host", "boot", "namespace", "pid", "ticks"])
def test_every_part_of_an_identity_tells_processes_apart(name):
    mine = identity()
    assert alive(mine)
    other = mine | {name: mine[name] + (1 << 22) if isinstance(mine[name], int) else f"{mine[name]}-other"}
    assert liveness.elsewhere(other) == (name in ("host", "namespace"))
    assert liveness.elsewhere(other) or not alive(other)


def test_a_record_of_an_earlier_version_has_no_namespace_and_is_judged_here():
    mine = identity()
    del mine["namespace"]
    assert alive(mine) and not liveness.elsewhere(mine) and not liveness.elsewhere(Record("", "finetune").process)
