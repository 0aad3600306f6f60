"""Pre-trainings of a study over several processes: the numbers, records and ends of one after another."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import psutil
import pytest

from moola_core import studies
from moola_core.errors import RunError
from moola_core.host import busy
from moola_core.launch import worker
from moola_core.launch.estimate import base
from moola_core.launch.local import LocalLauncher
from moola_core.launch.worker import at_once
from moola_core.launch.worker.children import Children
from moola_core.models.checkpoint import load_weights
from moola_core.runs import Store, cancelling
from moola_core.runs.liveness import identity
from moola_core.specs import Pretrain, change

QUICK = {"pretrain.training.epochs": 2, "pretrain.sampling.stride_bars": 60, "pretrain.sampling.labelled": "see"}
SMALL = {"repeats": 2, "folds": 2, "epochs": 3, "hidden": 4} | QUICK


@pytest.fixture
def study(demo_files, tmp_path, monkeypatch):
    """A study that runs, and two pre-trainings of it that differ in their seed."""
    monkeypatch.setattr(base, "WORTH_S", 0.0)
    monkeypatch.setattr(busy, "stretch", lambda: 1.0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    spec = studies.study("transfer", "quick", data, SMALL)
    run = Store(tmp_path / "artifacts").create(spec)
    run.update(state="running", process=identity(), facts=replace(run.record.facts, sizes={"bars": 20_000}))
    return run, spec.seeds_of(spec.pretraining_of("full"))


def best_weights(run) -> dict[str, np.ndarray]:
    return load_weights(run.folder / "checkpoints" / "best.safetensors")


def one_after_another(store, spec: Pretrain) -> dict[str, np.ndarray]:
    run = store.create(spec)
    worker.run(run)
    return best_weights(run)


def equal(ours, theirs) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_numbers_and_events_are_those_of_one_after_another_and_a_failure_stays_with_its_run(study, monkeypatch):
    run, (first, second) = study
    heard: list[tuple[str, int]] = []
    made = Children(run, lambda event, progress: heard.append((event.type, progress["total"])), worker.execute, "own")
    gone = change(first, {"data.bars": "gone.parquet"})
    at_once.pretrain_at_once(made, [first, gone, second])
    for spec in (first, second):
        child = made.encoder_of(spec)
        record = child.record
        assert record.state == "done" and record.parent == run.id and record.progress["done"] == 2
        assert record.process["within"] == os.getpid() != record.process["pid"]
        assert equal(best_weights(child), one_after_another(made.store, spec))
        assert len([event for event in child.events() if event["type"] == "epoch"]) == 4
    assert heard.count(("epoch", 2)) == 8, "both tell each epoch's two losses"
    failed = made.encoder_of(gone)
    assert failed.record.state == "failed" and made.failed.keys() == {failed.id}
    with pytest.raises(Exception, match=r"gone\.parquet"):
        made.done(failed)
    assert len(made.store.runs("pretrain")) == 5, "three of the study, two of this test"

    given: list[str] = []
    monkeypatch.setattr(at_once, "side_by_side", lambda work, items, *_: [(given.append(item), None) for item in items])
    made.encoder_of(second).update(state="cancelled")
    at_once.pretrain_at_once(Children(run, None, worker.execute, "own"), [first, gone, second])
    assert given == [str(failed.folder), str(made.encoder_of(second).folder)], "what is done is not made again"


def test_an_interrupted_study_leaves_no_process_and_its_pretrainings_go_on_to_the_same_numbers(study):
    run, specs = study

    def interrupt(event, progress) -> None:
        raise KeyboardInterrupt

    made = Children(run, interrupt, worker.execute, "own")
    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        at_once.pretrain_at_once(made, specs)
    assert not set(psutil.Process().children()) - before or all(
        one.name() == "resource_tracker" or "resource_tracker" in " ".join(one.cmdline())
        for one in set(psutil.Process().children()) - before
    )
    begun = [made.store.open(record.run_id) for record in made.store.runs("pretrain")]
    assert begun and {child.record.state for child in begun} == {"cancelled"}
    assert {child.record.error for child in begun} == {"Cancelled."}
    worker.resume(begun[0])
    assert equal(best_weights(begun[0]), one_after_another(made.store, begun[0].spec))


def test_a_part_in_a_process_of_its_own_is_cancelled_with_its_study_alone(study):
    run, (first, _) = study
    made = Children(run, None, worker.execute, "own")
    child = made.encoder_of(first)
    child.update(state="running", process=identity(os.getppid()) | {"within": os.getpid()})
    with pytest.raises(RunError, match="is part of study"):
        LocalLauncher(made.store).cancel(child.id)
    assert not cancelling.asked(child)
    cancelling.ask(run)
    assert cancelling.asked(child)
    child.update(process=identity(os.getppid()))
    assert not cancelling.asked(child), "made of the study, not a part of it"


def test_several_run_at_once_only_where_that_is_worth_it_and_fits(study, monkeypatch):
    _, specs = study
    large = [change(spec, {"training.epochs": 100, "sampling.stride_bars": 1}) for spec in specs * 3]
    monkeypatch.setattr(base, "WORTH_S", 15.0)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert base.pretrainings_at_once(large, 20_000) == 4 and base.pretrainings_at_once(large[:3], 20_000) == 3
    assert base.pretrainings_at_once(large, 20_000, processes=2) == 2
    assert base.pretrainings_at_once(large, 20_000, processes=1) == base.pretrainings_at_once(large[:1], 20_000) == 1
    assert base.pretrainings_at_once(specs, 1_000) == 1, "it is over before a process has started"
    for device in ("cuda", "auto"):
        monkeypatch.setattr(base, "default_device", lambda: "cuda:0")
        assert base.pretrainings_at_once([change(one, {"device": device}) for one in large], 20_000) == 1
    assert base.pretrainings_at_once([change(one, {"device": "cpu"}) for one in large], 20_000) == 4
    monkeypatch.setattr(base, "default_device", lambda: "cpu")
    free = psutil.virtual_memory()._replace(available=int(2.5 * base.PRETRAINING_BYTES / base.USABLE))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert base.pretrainings_at_once(large, 20_000) == 2
    monkeypatch.setattr(busy, "stretch", lambda: base.BUSY)
    assert base.pretrainings_at_once(large, 20_000) == 1, "no core is free for a second one"
