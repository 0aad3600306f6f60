"""Runs of a study over several processes: the numbers, records and ends of one after another."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from moola_core import studies
from moola_core.errors import RunError
from moola_core.host import threads
from moola_core.launch import worker
from moola_core.launch.estimate import concurrency as estimated
from moola_core.launch.local import LocalLauncher
from moola_core.launch.worker import concurrent_runs, study
from moola_core.launch.worker.children import Children
from moola_core.launch.worker.held_out import FoldPretrainings
from moola_core.launch.worker.runs_of_arms import RunsOfArms
from moola_core.models.checkpoint import load_weights
from moola_core.runs import Store, cancelling
from moola_core.runs.liveness import identity
from moola_core.specs import change
from moola_core.training.processes import side_by_side
from tests.launch import unexamined_run

QUICK = {"pretrain.training.epochs": 2, "pretrain.sampling.stride_bars": 60, "pretrain.sampling.labelled": "see"}
SMALL = {"repeats": 2, "folds": 2, "epochs": 3, "hidden": 4} | QUICK
KEPT = ("from scratch", "frozen", "logistic on aggregates")


@pytest.fixture
def spec(demo_files, monkeypatch):
    monkeypatch.setattr(estimated, "WORTH_S", 0.0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(study, "_write_shift", lambda run, pretrain: None)
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    whole = studies.study("transfer", "quick", data, SMALL)
    return whole.model_copy(update={"arms": tuple(arm for arm in whole.arms if arm.name in KEPT)})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def parts_of(spec, store, listen=None) -> RunsOfArms:
    """The parts of a study that runs."""
    run = store.create(spec)
    run.update(
        state="running",
        process=identity(),
        facts=replace(run.record.facts, sizes={"bars": 20_000, "windows": 60}),
    )
    return RunsOfArms(Children(run, listen, worker.execute, "own"), FoldPretrainings(spec, store.root / "cache"))


def in_processes(processes, work, items, _, emit):
    """The items of a work over so many processes, whatever was asked for."""
    return side_by_side(work, items, processes, emit)


def best_weights(run) -> dict[str, np.ndarray]:
    return load_weights(run.folder / "checkpoints" / "best.safetensors")


def equal(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def children_of(run) -> dict:
    made = Store(run.store_root)
    return {what: made.open(child) for what, child in run.record.facts.children.items()}


@pytest.mark.usefixtures("unexamined")
def test_numbers_records_and_events_are_those_of_one_after_another(spec, store, tmp_path, monkeypatch):
    """What is computed of a run beside its fits: in a process of its own in the next test."""
    monkeypatch.setattr(worker, "execute", unexamined_run.execute)
    heard: list[tuple[str, int]] = []
    run, alone = store.create(spec), Store(tmp_path / "alone").create(change(spec, {"base.training.processes": 1}))
    worker.run(run, lambda event, progress: heard.append((event.type, progress["total"])))
    worker.run(alone)
    ours, theirs = children_of(run), children_of(alone)
    assert ours.keys() == theirs.keys() and len(ours) == 5
    for what, child in ours.items():
        record, other = child.record, theirs[what].record
        assert record.state == "done" and record.parent == run.id and record.process["processes"] == 1
        assert record.process["within"] == os.getpid() != record.process["pid"]
        assert "within" not in other.process and record.progress == other.progress
        kinds = [[event["type"] for event in one.events()] for one in (child, theirs[what])]
        assert kinds[0] == kinds[1]
        if record.kind == "pretrain":
            assert equal(best_weights(child), best_weights(theirs[what]))
        else:
            assert child.predictions.equals(theirs[what].predictions)
            assert child.result("evaluation") == theirs[what].result("evaluation")
    assert heard.count(("epoch", 2)) == 2 * 2 * 2 and run.record.progress["done"] == 3
    assert run.result("comparison")["verdicts"] == alone.result("comparison")["verdicts"]
    begun = {what: child.record.started for what, child in ours.items()}
    ended = {what: child.record.ended for what, child in ours.items()}
    encoders = [what for what in ours if what.startswith("encoder")]
    assert begun["arm frozen"] > max(ended[what] for what in encoders)
    assert begun[encoders[1]] < ended[encoders[0]], "the second began before the first had ended"


def test_a_failure_stays_with_its_run_and_an_arm_without_its_encoder_is_not_begun(spec, store, monkeypatch):
    one = partial(in_processes, 1)  # which goes on after what failed in it
    monkeypatch.setattr(concurrent_runs, "side_by_side", one)
    spec = spec.model_copy(update={"arms": spec.arms[:-1]})
    parts = parts_of(spec, store)
    gone = spec.model_copy(update={"pretrain": change(spec.pretrain, {"data.bars": "gone.parquet"})})
    parts.study = parts.pretrainings.study = gone
    told: list[int] = []
    concurrent_runs.run_concurrently(parts, lambda: told.append(1))
    made = parts.made
    states = {what: store.open(run).record.state for what, run in made.run.record.facts.children.items()}
    encoders = [what for what in states if what.startswith("encoder")]
    assert len(encoders) == 2 and {states.pop(what) for what in encoders} == {"failed"}
    assert states == {"arm from scratch": "done"} and len(told) == 3
    done = store.open(made.run.record.facts.children["arm from scratch"])
    assert done.result("doctor")["findings"] is not None and done.result("calibration")["repeats"]
    with pytest.raises(Exception, match=r"gone\.parquet"):
        made.done(parts.before("frozen")[0].make())


def test_without_the_arm_that_all_are_compared_with_nothing_more_begins(spec, store, monkeypatch):
    parts = parts_of(spec, store)
    tasks = concurrent_runs._tasks(parts)
    names = [task.part.what for task in tasks]
    assert names[-3:] == ["arm from scratch", "arm frozen", "arm logistic on aggregates"] and len(names) == 5
    agenda = concurrent_runs._Agenda(parts.made, [tasks[2], tasks[0], tasks[1], tasks[3], tasks[4]], "arm from scratch")
    items = agenda.items()
    first, _encoder = next(items), next(items)
    assert store.open(Path(first).name).record.name == "own: from scratch"
    agenda.end(Path(first).name, RunError("broke."))
    assert agenda.needed is not None and list(items) == []
    monkeypatch.setattr(
        concurrent_runs, "side_by_side", lambda work, items, *_: ((Path(one).name, agenda.needed) for one in items)
    )
    with pytest.raises(RunError, match="broke"):
        concurrent_runs.run_concurrently(parts_of(spec, store), lambda: None)


def test_an_interrupted_study_leaves_no_process_and_its_runs_go_on_to_the_same_numbers(spec, store, tmp_path):
    def interrupt(event, progress) -> None:
        if event.type == "epoch":
            raise KeyboardInterrupt

    parts, before = parts_of(spec, store, interrupt), set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        concurrent_runs.run_concurrently(parts, lambda: None)
    left = set(psutil.Process().children()) - before
    assert all("resource_tracker" in " ".join(one.cmdline()) for one in left)
    begun = [store.open(record.run_id) for record in store.runs() if record.kind != "study"]
    assert begun and {child.record.state for child in begun} == {"cancelled"}
    assert {child.record.error for child in begun} == {"Cancelled."}
    encoder = next(child for child in begun if child.record.kind == "pretrain")
    worker.resume(encoder)
    other = Store(tmp_path / "other").create(encoder.spec)
    worker.run(other)
    assert equal(best_weights(encoder), best_weights(other))


def test_a_part_in_a_process_of_its_own_is_cancelled_with_its_study_alone(spec, store):
    parts = parts_of(spec, store)
    child = parts.before("frozen")[0].make()
    child.update(state="running", process=identity(os.getppid()) | {"within": os.getpid(), "lease": "1:2"})
    with pytest.raises(RunError, match="is part of study"):
        LocalLauncher(store).cancel(child.id)
    assert not cancelling.asked(child)
    cancelling.ask(parts.made.run)
    assert cancelling.asked(child)
    child.update(process=identity() | {"lease": "3:4"})
    assert cancelling.asked(child), "in the study's own process, whose runs have leases of their own"
    child.update(process=identity(os.getppid()))
    assert not cancelling.asked(child), "made of the study, not a part of it"


def test_pretrainings_of_a_study_use_one_thread_however_many_run_at_a_time(spec, store, monkeypatch):
    monkeypatch.setattr(threads, "LARGE_STEP", 0)
    parts, used = parts_of(spec, store), []
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        part = parts.before("frozen")[0].make()
        worker.run(part, lambda *_: used.append(torch.get_num_threads()))
        assert set(used) == {1} and torch.get_num_threads() == 3
        used.clear()
        worker.run(store.create(part.spec), lambda *_: used.append(torch.get_num_threads()))
        assert set(used) == {3}, "one that is asked for alone may use them all"
    finally:
        torch.set_num_threads(before)


STUDY = """
import sys
from moola_core.launch.estimate import concurrency
from moola_core.launch.worker.__main__ import main

if __name__ == "__main__":
    concurrency.WORTH_S = 0.0
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.timeout(240)
@pytest.mark.soak
@pytest.mark.parametrize("how", ["killed", "cancelled"])
def test_a_study_whose_process_ends_leaves_nothing_behind_and_goes_on(spec, store, tmp_path, how):
    run, script = store.create(spec), tmp_path / "study.py"
    script.write_text(STUDY, encoding="utf-8")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, str(script), str(run.folder)], stdout=log, stderr=log)
    until = time.monotonic() + 120
    while not list(store.runs_folder.glob("*/checkpoints/last.json")) and time.monotonic() < until:
        time.sleep(0.02)
    others = psutil.Process(process.pid).children()
    assert len(others) >= 2, (tmp_path / "log").read_text(encoding="utf-8")
    if how == "killed":
        process.kill()
    else:
        LocalLauncher(store).cancel(run.id)
    process.wait(30)
    assert not psutil.wait_procs(others, timeout=10)[1]
    states = {record.state for record in store.runs()}
    assert states & {"lost"} and not states & {"cancelled"} if how == "killed" else states <= {"cancelled", "done"}
    worker.resume(run)
    ours = children_of(run)
    assert run.record.state == "done" and {child.record.state for child in ours.values()} == {"done"} and len(ours) == 5
    for child in ours.values():
        epochs = [event["epoch"] for event in child.events() if event["type"] == "epoch" and event["fold"] is None]
        assert child.record.kind != "pretrain" or sorted(epochs) == [1, 1, 2, 2]
    encoder = next(child for what, child in ours.items() if what.startswith("encoder"))
    other = Store(tmp_path / "other").create(encoder.spec)
    worker.run(other)
    assert equal(best_weights(encoder), best_weights(other))
