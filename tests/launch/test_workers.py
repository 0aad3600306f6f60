"""A worker that is at work, stopped, stuck, elsewhere or absent is told apart, and shown by the queue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from moola_core.cli import main
from moola_core.errors import SpecError, StoreError
from moola_core.launch import devices, workers
from moola_core.launch.devices import Lock
from moola_core.runs import codec
from moola_core.runs.liveness import identity
from tests.faults.kills import ROOT, wait_for


@pytest.fixture
def worker(tmp_path):
    """A worker of the CPU in a process of its own, at work."""
    command = [sys.executable, "-m", "moola_core", "worker", "--device", "cpu", "--store", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: state(tmp_path) == "present", 60)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def state(root) -> str:
    return workers.of(root, ["cpu"])[0].state


def queue(root, capsys) -> tuple[str, list[dict]]:
    assert main(["queue", "--store", str(root)]) == 0
    text = capsys.readouterr().out
    assert main(["queue", "--store", str(root), "--json"]) == 0
    return text, json.loads(capsys.readouterr().out)["workers"]


def test_a_worker_that_was_stopped_or_killed_is_told_from_one_at_work(worker, tmp_path, capsys):
    text, (one,) = queue(tmp_path, capsys)
    assert "worker of cpu is there" in text and one["state"] == "present" and one["pid"] == worker.pid
    worker.send_signal(signal.SIGSTOP)
    assert wait_for(lambda: state(tmp_path) == "stopped", 10)
    text, _ = queue(tmp_path, capsys)
    assert f"kill -CONT {worker.pid}" in text and workers.of(tmp_path, [])[0].in_trouble
    worker.send_signal(signal.SIGCONT)
    assert wait_for(lambda: state(tmp_path) == "present", 10)
    worker.kill()
    worker.wait()
    assert state(tmp_path) == "absent" and workers.of(tmp_path, []) == []


def test_a_worker_that_gives_no_sign_of_life_is_stuck_unless_the_disk_is_slow(tmp_path, monkeypatch):
    lock = Lock(tmp_path, "cpu")
    assert state(tmp_path) == "absent" and lock.acquire()
    try:
        assert state(tmp_path) == "present"
        os.utime(lock.path, (time.time() - 100,) * 2)
        assert state(tmp_path) == "stuck"
        with monkeypatch.context() as patch:
            patch.setattr(psutil.Process, "status", lambda _: psutil.STATUS_DISK_SLEEP)
            (slow,) = workers.of(tmp_path, ["cpu"])
            assert slow.state == "slow" and slow.in_trouble and "kill" not in slow.sentence
        lock.beat()
        assert state(tmp_path) == "present"
        lock.path.write_text(codec.dumps(identity() | {"host": "another"}))
        assert state(tmp_path) == "elsewhere"
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("cards", "shown", "count"), [(0, None, 0), (2, None, 2), (2, "1", 1), (2, "", 0), (1, "0,1", 1)]
)
def test_a_device_that_is_not_here_is_refused(tmp_path, monkeypatch, cards, shown, count, capsys):
    monkeypatch.setattr(devices, "NODES", tmp_path)
    monkeypatch.setattr(devices, "CARDS", tmp_path / "none")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    for name in ("nvidiactl", "nvidia-uvm", *(f"nvidia{number}" for number in range(cards))):
        (tmp_path / name).write_text("")
    assert [devices.check(f"cuda:{number}") for number in range(count)] == [f"cuda:{number}" for number in range(count)]
    with pytest.raises(SpecError, match="not on this host"):
        devices.check(f"cuda:{count}")
    assert main(["worker", "--device", f"cuda:{count}", "--store", str(tmp_path / "s")]) == 2
    assert "cpu" in capsys.readouterr().err
    (tmp_path / "dxg").write_text("")
    assert devices.check("cuda:7") == "cuda:7"


def test_a_file_system_without_locks_is_a_sentence(tmp_path, monkeypatch):
    def without(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(devices.fcntl, "flock", without)
    with pytest.raises(StoreError, match="keeps no locks"):
        Lock(tmp_path, "cpu").acquire()
