"""The device's worker with a stand-in for the trainer, so that beginning, watching and ending are tested alone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from moola_core.errors import RunError
from moola_core.host import standstill
from moola_core.launch import devices, groups, local
from moola_core.launch.device_worker import DeviceWorker
from moola_core.launch.devices import Lock, can_do, check, environment
from moola_core.launch.local import LocalLauncher
from moola_core.launch.standing import standing
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.liveness import alive, identity
from moola_core.runs.queue import Queue

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))
SPEC = preset("quick").finetune()
LONG_S = 200


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "ensure_worker", lambda root, device="": None)
    return Store(tmp_path / "artifacts")


@pytest.fixture
def work(store):
    """work(): start a worker of the cpu in a thread; all are stopped at the end, and what they left is ended."""
    begun = []

    def start(idle_s=None, grace_s=0.5):
        worker = DeviceWorker(store, "cpu", idle_s)
        worker.command, worker.grace_s = STAND_IN, grace_s
        thread = threading.Thread(target=worker.serve)
        thread.start()
        begun.append((worker, thread))
        return worker, thread

    yield start
    for worker, thread in begun:
        worker.stop()
        thread.join(LONG_S)
    for record in store.runs():
        if record.process and record.process["pid"] != identity()["pid"]:
            groups.end(record.process, 0)


def submit(store, what="", **named):
    return store.open(LocalLauncher(store).submit(SPEC, note=what, **named))


def until(ready, seconds=LONG_S):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def diary(store):
    path = store.root / "diary"
    return [tuple(line.split(" ", 1)) for line in path.read_text().splitlines()] if path.is_file() else []


def test_runs_begin_one_after_another_in_order_and_an_idle_worker_leaves(store, work):
    low, first, second = submit(store, priority=-1), submit(store), submit(store)
    _, thread = work(idle_s=0.2)
    thread.join(LONG_S)
    assert not thread.is_alive() and not Lock(store.root, "cpu").held() and Queue(store.root).entries() == []
    wanted = [(run.id, what) for run in (first, second, low) for what in ("begins", "ends")]
    assert diary(store) == wanted and {r.state for r in store.runs()} == {"done"}


def test_a_run_begins_in_the_folder_where_it_was_submitted(store, work, tmp_path, monkeypatch):
    """The relative paths of its spec begin there, wherever its worker was started."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    run = submit(store, "tells its folder")
    monkeypatch.chdir(tmp_path)
    work()
    until(lambda: run.record.state == "done")
    assert (run.id, str(tmp_path / "project")) in diary(store)


def test_a_device_has_one_worker(store, work):
    work()
    until(Lock(store.root, "cpu").held)
    with pytest.raises(RunError, match="has a worker already"):
        DeviceWorker(store, "cpu").serve()
    other, other_thread = DeviceWorker(store, "cuda:0"), Lock(store.root, "cuda:0")
    assert not other_thread.held() and other.lock.acquire() and other_thread.held()
    other.lock.release()


def test_a_run_in_a_group_of_its_own_that_is_deaf_is_killed_with_all_its_processes(store, work):
    deaf, after = submit(store, "deaf"), submit(store)
    work()
    until(lambda: any("child" in what for _, what in diary(store)))
    child = int(diary(store)[1][1].split()[1])
    process = deaf.record.process
    assert psutil.Process(process["pid"]).ppid() == identity()["pid"] and len(groups.members(process)) == 2
    LocalLauncher(store).cancel(deaf.id)
    until(lambda: after.record.state == "done")
    assert deaf.record.state == "cancelled" and not alive(process) and groups.members(process) == []
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_run_that_waits_is_cancelled_at_once(store):
    run = submit(store)
    LocalLauncher(store).cancel(run.id)
    assert run.record.state == "cancelled" and Queue(store.root).entries() == []
    with pytest.raises(RunError, match="nothing to cancel"):
        LocalLauncher(store).cancel(run.id)


@pytest.mark.parametrize("what", ["dies before it begins", "leaves a process"])
def test_what_died_without_a_result_is_lost_and_the_next_begins_on_a_free_device(store, work, what):
    dead, after = submit(store, what), submit(store)
    work()
    until(lambda: after.record.state == "done")
    assert dead.record.state == "lost" and "resumed" in dead.record.error
    assert not dead.record.process or groups.members(dead.record.process) == []
    LocalLauncher(store).resume(dead.id)
    assert dead.record.state in ("queued", "running", "lost")
    until(lambda: dead.record.state == "lost")


def test_a_run_that_is_resumed_while_its_process_still_ends_begins_again(store, work):
    run = submit(store, "ends slowly")
    work()
    until(lambda: run.record.state == "cancelled")
    LocalLauncher(store).resume(run.id)
    until(lambda: run.record.state not in ("queued", "running"))
    assert run.record.state == "done"
    until(lambda: Queue(store.root).entries() == [])


def test_what_was_killed_with_its_worker_is_lost(store, work):
    """As when the machine's memory was full; whoever looks at the runs next says so."""
    run = submit(store, "waits")
    worker, thread = work()
    until(lambda: run.record.state == "running")
    worker.stop()
    thread.join(LONG_S)
    assert store.runs()[0].state == "running"
    os.killpg(run.record.process["pid"], signal.SIGKILL)
    until(lambda: store.runs()[0].state == "lost")


def test_a_new_worker_watches_the_run_of_the_one_before_and_begins_no_other_meanwhile(store, work):
    going, after = submit(store, "waits"), submit(store)
    first, thread = work()
    until(lambda: going.record.state == "running")
    first.stop()
    thread.join(LONG_S)
    assert alive(going.record.process) and not Lock(store.root, "cpu").held()
    work()
    until(Lock(store.root, "cpu").held)
    time.sleep(0.6)
    assert (going.record.state, after.record.state) == ("running", "queued")
    (going.folder / "go").touch()
    until(lambda: after.record.state == "done")
    assert going.record.state == "done"


def test_a_run_that_was_taken_by_a_dead_worker_and_never_began_is_begun(store, work):
    run, other = submit(store), submit(store)
    assert Queue(store.root).take("cpu", can_do("cpu")) == run.id
    assert Queue(store.root).take("cuda:7", ("auto",)) == other.id
    work()
    until(lambda: run.record.state == "done" and other.record.state == "done")


def test_a_run_whose_process_is_stopped_is_ended_after_a_while_and_the_next_begins(store, work, monkeypatch):
    monkeypatch.setattr(standstill, "LIMIT_S", 0.6)
    held, following = submit(store, "waits"), submit(store)
    work()
    until(lambda: held.record.state == "running")
    os.kill(held.record.process["pid"], signal.SIGSTOP)
    until(lambda: following.record.state == "done")
    assert held.record.state == "lost" and not groups.members(held.record.process)
    assert "had been stopped by a signal for" in held.record.error and "can be resumed" in held.record.error


def test_a_run_whose_process_is_stopped_and_continued_goes_on(store, work):
    run = submit(store, "waits")
    work()
    until(lambda: run.record.state == "running")
    process = run.record.process
    os.kill(process["pid"], signal.SIGSTOP)
    until(lambda: standing(run, run.record) != "")
    assert f"kill -CONT {process['pid']}" in standing(run, run.record) and "after 10 min" in standing(run, run.record)
    os.kill(process["pid"], signal.SIGCONT)
    until(lambda: standing(run, run.record) == "")
    (run.folder / "go").touch()
    until(lambda: run.record.state == "done")


def test_a_deleted_run_does_not_stop_the_others(store, work):
    gone, after = submit(store), submit(store)
    gone.update(state="failed")
    store.delete(gone.id)
    work()
    until(lambda: after.record.state == "done" and Queue(store.root).entries() == [])


def test_a_paused_queue_waits(store, work):
    run = submit(store)
    Queue(store.root).pause()
    work()
    until(Lock(store.root, "cpu").held)
    time.sleep(0.6)
    assert run.record.state == "queued"
    Queue(store.root).pause(False)
    until(lambda: run.record.state == "done")


def test_names_of_devices(monkeypatch):
    monkeypatch.setattr(devices, "cards", lambda: 4)
    assert check("cuda:3") == "cuda:3" and check("") in ("cpu", "cuda:0")
    with pytest.raises(Exception, match="no device"):
        check("gpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert environment("cuda:1") == {"CUDA_VISIBLE_DEVICES": "6"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert environment("cuda:1") == {"CUDA_VISIBLE_DEVICES": "1"}
