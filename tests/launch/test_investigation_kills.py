"""An investigation that is killed again and again comes to the conclusion that it would have come to (make soak)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from moola_core.investigation.question import QUESTIONS
from moola_core.market.demo import make_demo, write_demo
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Investigation
from tests.launch.test_investigation import report_of, without_time

KILLS, SEED = 20, 25
ASKED = ("data", "learnable", "current", "network", "pretraining", "ceiling")
SMALL = {"folds": 2, "epochs": 4, "hidden": 8, "pretrain.training.epochs": 2, "pretrain.sampling.stride_bars": 40}
CARRY_OUT = "import sys; from moola_core.launch import worker; from moola_core.runs.store import Store; worker.execute(Store(sys.argv[1]).open(sys.argv[2]))"
GONE_S = 30.0


def asked(store: Store, files: dict[str, str]) -> Run:
    settled = {name: {next(iter(one.answers)): 1.0} for name, one in QUESTIONS.items() if name not in ASKED}
    spec = Investigation(preset="quick", data=Data(**files), changes=SMALL, budget_s=3600.0, priors=settled)
    return store.create(spec, "investigation")


def started(run: Run) -> subprocess.Popen:
    command = [sys.executable, "-c", CARRY_OUT, str(run.store_root), run.id]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def alive_in(group: int) -> list[int]:
    """Processes of the group that are not gone."""
    found = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def kill_at_random(run: Run, rng: random.Random, longest_s: float) -> bool:
    """Go on with the run and kill it after a while; whether it was killed before it ended."""
    process = started(run)
    try:
        process.wait(rng.uniform(2.0, longest_s))
        return False
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    until = time.monotonic() + GONE_S
    while alive_in(process.pid):
        assert time.monotonic() < until, "a process that it started goes on"
        time.sleep(0.1)
    return True


def finished(run: Run) -> dict[str, str]:
    """When each part that is done ended."""
    store = Store(run.store_root)
    records = [store.open(one).record for one in run.record.facts.children.values()]
    return {record.run_id: record.ended for record in records if record.state == "done"}


@pytest.mark.soak
def test_twenty_kills_change_nothing(tmp_path: Path):
    write_demo(tmp_path, make_demo("helpful", bars=12_000, windows=40, seed=3))
    files = {name: str(tmp_path / f"{name}.parquet") for name in ("windows", "bars")}
    whole, began = asked(Store(tmp_path / "whole"), files), time.monotonic()
    assert started(whole).wait() == 0
    took = time.monotonic() - began
    kills, rng = 0, random.Random(SEED)
    for number in range(KILLS):
        run, before = asked(Store(tmp_path / f"killed-{number}"), files), {}
        while kills < KILLS and kill_at_random(run, rng, min(took, 20.0)):
            kills += 1
            after = finished(run)
            assert before.items() <= after.items(), "a part that was finished was run again"
            before = after
        if run.record.state != "done":
            assert started(run).wait() == 0
        assert before.items() <= finished(run).items()
        assert without_time(report_of(run)) == without_time(report_of(whole))
        if kills == KILLS:
            break
    assert kills == KILLS
