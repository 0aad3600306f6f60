"""Whether a running run does anything, in a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from moola_core.cli import main
from moola_core.launch.standing import standing
from moola_core.presets import preset
from moola_core.runs.liveness import identity
from moola_core.runs.store import Store

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def family(tmp_path):
    """A run whose process has one that shares its work: the run, and the two numbers."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    run = Store(tmp_path).create(preset("quick").finetune())
    run.update(state="running", process=identity(parent.pid))
    yield run, parent.pid, child
    os.killpg(parent.pid, signal.SIGKILL)
    parent.communicate()


def held(run, pid: int) -> str:
    """The sentence once the process is stopped, with which it goes on."""
    assert standing(run, run.record) == ""
    os.kill(pid, signal.SIGSTOP)
    until = time.monotonic() + 20
    while not (sentence := standing(run, run.record)) and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(pid, signal.SIGCONT)
    while standing(run, run.record) and time.monotonic() < until:
        time.sleep(0.01)
    assert standing(run, run.record) == ""
    return sentence


def test_a_process_that_shares_the_work_and_was_stopped_is_named(family):
    run, _, child = family
    sentence = held(run, child)
    assert f"shares its work (pid {child}) was stopped by a signal" in sentence and f"kill -CONT {child}" in sentence
    assert "after 10 min" in sentence and "Finished fits are kept" in sentence


def test_a_run_of_a_terminal_is_left_to_its_user_and_one_of_the_queue_is_ended(family):
    run, parent, _ = family
    own = held(run, parent)
    assert f"kill -CONT {parent}" in own and f"kill -KILL {parent}" in own and "10 min" not in own
    run.update(process=run.record.process | {"worker": "cpu"})
    assert "it is ended after 10 min" in held(run, parent)


def test_the_list_of_runs_says_it(family, capsys):
    run, parent, _ = family
    os.kill(parent, signal.SIGSTOP)
    time.sleep(0.1)
    assert main(["runs", "--store", str(run.store_root)]) == 0
    assert f"{run.id}: Its process (pid {parent}) was stopped by a signal" in capsys.readouterr().out


def test_nothing_is_said_of_a_run_that_does_not_run(family):
    run, parent, _ = family
    os.kill(parent, signal.SIGSTOP)
    time.sleep(0.1)
    for state in ("queued", "done", "lost"):
        run.update(state=state)
        assert standing(run, run.record) == ""
