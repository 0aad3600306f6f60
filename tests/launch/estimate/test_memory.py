"""The memory of a run: measured while runs go on, and expected of those like them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from moola_core.launch.estimate.memory import estimate_memory
from moola_core.launch.worker import peak_memory
from moola_core.runs.facts import PeakMemory
from moola_core.runs.store import Run, Store
from moola_core.specs import Finetune, change
from tests.app_samples import make_data, make_run

HELD_MB, WINDOWS = 300, 60


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "artifacts")


@pytest.fixture
def queued(store) -> Run:
    return store.create(Finetune(), queue={"priority": 0, "needs": "cpu", "folder": ""})


def test_what_a_process_and_its_children_hold_at_most_is_kept(queued, monkeypatch):
    monkeypatch.setattr(peak_memory, "LOOK_S", 0.02)
    holding = f"import time\nheld = bytearray({HELD_MB} * 10**6)\nprint(1, flush=True)\ntime.sleep(60)"
    with peak_memory.kept(queued):
        held = np.ones(HELD_MB * 10**6, np.uint8)
        with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline()
            # Not what was held before: the process may have given some of that back since.
            own = psutil.Process().memory_info().rss / 1e6
            time.sleep(0.3)
            child.kill()
        del held
    peak = queued.record.facts.peak_memory
    assert peak.low_mb >= 0.98 * own and own > HELD_MB
    assert peak.high_mb >= 0.98 * own + 0.9 * HELD_MB


def test_only_runs_with_a_process_of_their_own_are_measured(store, queued):
    foreground = store.create(Finetune())
    part = store.create(Finetune(), parent=queued.id, queue={"priority": 0, "needs": "cpu", "folder": ""})
    for run in (foreground, part):
        with peak_memory.kept(run):
            pass
        assert run.record.facts.peak_memory is None


def test_a_run_that_fails_keeps_none(queued):
    with pytest.raises(ZeroDivisionError), peak_memory.kept(queued):
        raise ZeroDivisionError
    assert queued.record.facts.peak_memory is None


def ended(run: Run, peak: PeakMemory | None) -> None:
    """Let the sample be a finished run of this host."""
    facts = replace(run.record.facts, peak_memory=peak, epochs_run=(3,), windows=WINDOWS)
    run.update(facts=facts, host=os.uname().nodename, seconds=30.0)


def test_the_estimate_is_the_range_of_runs_like_it(store, tmp_path):
    data = make_data(tmp_path / "data")
    for low, high in ((900.0, 1400.0), (800.0, 1100.0)):
        run = make_run(store.root, data)
        ended(run, PeakMemory(low, high))
    ended(make_run(store.root, data), None)  # of an earlier version
    expected = estimate_memory(run.spec, WINDOWS, store)
    assert (expected.low, expected.high, expected.runs) == (800e6, 1400e6, 2)
    assert estimate_memory(run.spec, 3 * WINDOWS, store) is None
    other = change(run.spec, {"model.hidden": 2 * run.spec.model.hidden})
    assert estimate_memory(other, WINDOWS, store) is None
