"""A process that does nothing is told from one that is slow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from moola_core.host import standstill
from moola_core.host.standstill import Watch, stopped

BUSY = "print(flush=True)\nwhile True: pass"
STUCK = "import threading; print(flush=True); threading.Event().wait()"


@pytest.fixture
def start():
    """start(program): a process that has begun; all are killed at the end."""
    begun: list[subprocess.Popen] = []

    def begin(program: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        begun.append(process)
        assert process.stdout is not None and process.stdout.readline()
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def looked_at(watch: Watch, clock: list[float], looks: int) -> float:
    for _ in range(looks):
        clock[0] += 1.0
        watch.look()
    return watch.seconds


@pytest.fixture
def clock(monkeypatch):
    """The time of the looks, which the test sets."""
    now = [100.0]
    monkeypatch.setattr(standstill.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("only_stopped", [False, True])
def test_a_process_that_was_stopped_is_counted_until_it_goes_on(start, clock, only_stopped):
    process = start(BUSY)
    watch = Watch(process.pid, only_stopped)
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: stopped(process.pid))
    watch.look()
    used = looked_at(watch, clock, 5)
    assert used == pytest.approx(5.0) and watch.why() == "had been stopped by a signal for 5 s"
    os.kill(process.pid, signal.SIGCONT)
    time.sleep(0.3)
    assert looked_at(watch, clock, 1) == 0.0 and not stopped(process.pid)


def until(ready) -> None:
    end = time.time() + 20
    while not ready():
        assert time.time() < end
        time.sleep(0.01)


def test_a_stuck_process_is_counted_and_one_that_only_waits_for_others_is_not(start, clock):
    process = start(STUCK)
    stuck, waits = Watch(process.pid), Watch(process.pid, only_stopped=True)
    looked_at(stuck, clock, 1)  # what it used to start
    assert looked_at(stuck, clock, 4) >= 4.0 and stuck.why().startswith("had not used the processor for")
    assert looked_at(waits, clock, 4) == 0.0


def test_the_limit_is_passed_after_ten_minutes_of_looking_and_not_by_one_late_look(start, clock):
    process = start(STUCK)
    watch = Watch(process.pid)
    watch.look()
    clock[0] += 24 * 3600  # this process was stopped, or the host slept
    assert not watch.look() and watch.seconds <= standstill.MOST_S
    passed = []
    for _ in range(620):
        clock[0] += 1.0
        passed.append(watch.look())
    assert passed[-1] and 595 <= passed.index(True) <= 602
    watch.reset()
    clock[0] += 1.0
    assert not watch.look()


def test_a_process_that_has_ended_is_nobody_to_wait_for(start, clock):
    process = start(BUSY)
    watch = Watch(process.pid)
    process.kill()
    process.wait()
    assert not stopped(process.pid) and looked_at(watch, clock, 3) == 0.0
