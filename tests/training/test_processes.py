"""Processes beside this one end with what started them, and a lost one is an error at once, whatever it was doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from moola_core.errors import DataError, FailedRun
from moola_core.host import standstill
from moola_core.training import processes
from moola_core.training.finetune import fit_all
from moola_core.training.folds import make_folds
from moola_core.training.processes import LATER, process_map, side_by_side
from tests.training import side_work
from tests.training.windows import make_inputs, make_spec

ROOT = Path(__file__).parents[2]
BALLAST = bytes(1 << 20)  # more than a pipe holds: who writes it to a dead process waits for ever
SOON_S = 20

PARENT = """
import sys
from functools import partial
from moola_core.training.processes import side_by_side
from tests.training.side_work import work

if __name__ == "__main__":
    list(side_by_side(partial(work, b""), sys.argv[1:], 2))
"""


def beside() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(_command(child))]


def _command(process: psutil.Process) -> list[str]:
    """The words that started it; none of one that has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def kill_once(there, found: list[psutil.Process]) -> threading.Thread:
    """Kill one of the processes beside this one as soon as `there()`; `found` takes all of them."""

    def watch() -> None:
        until = time.monotonic() + 60
        while not (there() and beside()) and time.monotonic() < until:
            time.sleep(0.002)
        found.extend(beside())
        found[0].kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def works(moment: str, path: str):
    return {
        "import": side_work.SlowToLoad(path),
        "work": partial(side_work.work, BALLAST),
        "answer": partial(side_work.answer_slowly, BALLAST),
    }.get(moment, partial(side_work.work, BALLAST))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("moment", "count"),
    [
        pytest.param(moment, count, marks=() if count == 1 + i % 2 else pytest.mark.soak)
        for i, moment in enumerate(("interpreter start", "import", "work", "answer"))
        for count in (1, 2)
    ],
)
def test_a_process_that_is_killed_is_an_error_at_once_and_ends_the_others(moment, count, tmp_path):
    path, found = tmp_path / "mark", []
    killer = kill_once((lambda: True) if moment == "interpreter start" else path.exists, found)
    began = time.monotonic()
    with pytest.raises(FailedRun, match=r"ended on its own \(pid \d+, killed by signal 9\)"):
        list(side_by_side(works(moment, str(path)), [str(path)] * 3, count))
    assert time.monotonic() - began < SOON_S
    killer.join()
    assert not psutil.wait_procs(found, timeout=5)[1] and not beside()


@pytest.mark.timeout(60)
def test_a_fitting_process_that_is_killed_while_it_starts_ends_the_fits():
    inputs, spec = make_inputs(300, length=60), make_spec(processes=2, device="cpu")
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    assert inputs.x.nbytes > 1 << 17
    killer = kill_once(lambda: True, [])
    with pytest.raises(FailedRun, match="ended on its own"):
        next(fit_all(spec, inputs, folds, lambda event: None))
    killer.join()
    assert not beside()


@pytest.mark.timeout(60)
def test_a_process_that_leaves_by_itself_is_an_error_with_its_exit_status():
    with pytest.raises(FailedRun, match="exit status 7"):
        list(side_by_side(os._exit, [7, 7], 2))


@pytest.mark.parametrize("guarded", [False, True])
def test_a_script_that_starts_runs_wherever_it_is_imported_is_told_how_to_stop_it(tmp_path, guarded):
    script = tmp_path / "script.py"
    call = "print(sum(process_map(abs, [-1, -2, -3], 2)))"
    guard = "if __name__ == '__main__': " if guarded else ""
    script.write_text(f"from moola_core.training.processes import process_map\n{guard}{call}\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert (done.returncode == 0 and done.stdout.strip() == "6") == guarded
    assert ("put what starts runs below" in done.stderr) != guarded


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_when_their_parent_is_killed_or_interrupted(tmp_path, how):
    script, marks = tmp_path / "parent.py", [tmp_path / "one", tmp_path / "two"]
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script), *map(str, marks)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    until = time.monotonic() + 60
    while not all(mark.exists() for mark in marks) and time.monotonic() < until:
        time.sleep(0.02)
    children = psutil.Process(parent.pid).children()
    parent.send_signal(how)
    parent.wait(timeout=20)
    assert len(children) >= 2 and not psutil.wait_procs(children, timeout=15)[1]
    assert parent.returncode != 0


def test_results_come_as_they_are_done_and_events_before_them():
    told: list[object] = []
    for item in side_by_side(side_work.tell, [4, 5, 6], 2, told.append):
        assert [step for which, step in told if which == item] == [0, 1, 2]
        told.append((item, "done"))
    assert len(told) == 12 and not beside()


def test_more_processes_than_cores_or_items_are_not_started(monkeypatch):
    started: list[object] = []
    start = processes._start
    monkeypatch.setattr(processes, "_start", lambda *given: started.append(1) or start(*given))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert sorted(process_map(side_work.square, range(5), 8)) == [0, 1, 4, 9, 16] and len(started) == 2
    assert list(process_map(side_work.square, [3], 8)) == [9] and len(started) == 2


@pytest.mark.parametrize(
    ("item", "kind", "words"),
    [("data", DataError, "Name it"), ("value", ValueError, "odd"), ("odd", RuntimeError, "1 and 2")],
)
def test_an_error_of_the_work_is_raised_here_with_its_traceback_unless_it_is_for_the_user(item, kind, words):
    with pytest.raises(kind, match=words) as caught:
        list(side_by_side(side_work.fail, [item, item], 2))
    notes = "".join(getattr(caught.value, "__notes__", []))
    assert ("side_work.py" in notes) == (item != "data") and not beside()


def test_closing_the_iterator_ends_the_processes():
    found = side_by_side(side_work.tell, list(range(50)), 2, lambda event: None)
    next(found)
    children = beside()
    found.close()
    assert children and not psutil.wait_procs(children, timeout=5)[1]


def test_without_a_temporary_folder_the_work_is_shared_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert sorted(process_map(abs, [-1, 2, -3], 2)) == [1, 2, 3]


def stop_once(ready, how_long_s: float | None = None) -> tuple[threading.Thread, list[psutil.Process]]:
    """Stop a process beside this one as soon as it works, for so long or until somebody ends it."""
    held: list[psutil.Process] = []

    def watch() -> None:
        until = time.monotonic() + 60
        while not (ready() and beside()) and time.monotonic() < until:
            time.sleep(0.002)
        held.extend(beside()[:1])
        held[0].suspend()
        if how_long_s is not None:
            time.sleep(how_long_s)
            held[0].resume()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread, held


@pytest.mark.timeout(60)
@pytest.mark.parametrize("moment", ["interpreter start", "work"])
def test_a_process_that_is_stopped_for_too_long_is_ended_with_the_reason(moment, tmp_path, monkeypatch):
    monkeypatch.setattr(standstill, "LIMIT_S", 1.5)
    path = tmp_path / "mark"
    stopper, held = stop_once((lambda: True) if moment == "interpreter start" else path.exists)
    with pytest.raises(FailedRun, match=r"was ended: it had been stopped by a signal for \d s") as caught:
        list(side_by_side(works(moment, str(path)), [str(path)], 1))
    stopper.join()
    assert "resume the run" in caught.value.hint
    assert not psutil.wait_procs(held, timeout=5)[1] and not beside()


@pytest.mark.timeout(60)
def test_a_process_that_is_stuck_is_ended_and_one_that_works_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(standstill, "LIMIT_S", 1.2)
    monkeypatch.setattr(standstill, "MOVED_S", 0.02)  # which it has on a busy host too
    assert list(side_by_side(side_work.count_for, [2.0], 1)) == [2.0]
    with pytest.raises(FailedRun, match="it had not used the processor for"):
        list(side_by_side(partial(side_work.work, b""), [str(tmp_path / "mark")], 1))
    assert not beside()


@pytest.mark.timeout(60)
def test_results_that_are_kept_slowly_make_no_process_stuck(monkeypatch):
    monkeypatch.setattr(standstill, "LIMIT_S", 1.6)
    monkeypatch.setattr(standstill, "LOOK_S", 0.2)
    for _ in side_by_side(side_work.tell, range(5), 2, lambda event: None):
        time.sleep(0.6)  # as a store does whose writes take seconds


@pytest.mark.timeout(120)
def test_fits_whose_process_was_stopped_and_continued_are_those_of_undisturbed_ones(monkeypatch):
    inputs, spec = make_inputs(60, length=30), make_spec(processes=1, device="cpu")
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    undisturbed = {(fit.repeat, fit.fold): fit for fit in fit_all(spec, inputs, folds, lambda event: None)}
    shared = make_spec(processes=2, device="cpu")
    works_now = threading.Event()
    stopper, held = stop_once(works_now.is_set, how_long_s=1.2)
    for fit in fit_all(shared, inputs, folds, lambda event: works_now.set()):
        np.testing.assert_array_equal(fit.probabilities, undisturbed.pop((fit.repeat, fit.fold)).probabilities)
    stopper.join()
    assert held and not undisturbed


@pytest.mark.timeout(60)
def test_what_waits_for_others_is_begun_once_they_are_done_and_a_process_without_work_waits():
    done: list[float] = []

    def items():
        yield from (-1.0, -2.0)
        while len(done) < 2:
            yield LATER
        yield -3.0

    for value in side_by_side(abs, items(), 3):
        done.append(value)
    assert sorted(done[:2]) == [1.0, 2.0] and done[2:] == [3.0] and not beside()


@pytest.mark.timeout(60)
def test_a_process_that_shares_a_work_starts_no_more_than_its_part():
    used = dict(process_map(side_work.processes_within, [1, 2], 2))
    assert len(used[1]) == 1 and len(used[2]) == 2 and os.getpid() not in used[1] | used[2]
    assert processes.share() == 0 and processes.within(5) == 5 and not beside()
