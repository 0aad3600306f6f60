"""What benchmarks/faults.py does with five hundred kills, with fewer; malformed inputs and full disks are in the files next to this one."""

from __future__ import annotations

import pytest

from moola_core.launch import local, worker
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.specs import Arm, Study, change
from tests.faults.kills import Site, answers, fire

SMALL = {"epochs": 2, "repeats": 1, "folds": 2, "hidden": 4, "processes": 1, "eval_every_epochs": 1}
REDUCED = ("trainer", "clock", "worker", "stopped")
LONG = (
    "trainer",
    "worker",
    "submitter",
    "child",
    "worker",
    "container",
    "trainer",
    "exporter",
    "study",
    "worker",
    "child",
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [REDUCED, pytest.param(LONG, marks=pytest.mark.soak)], ids=["reduced", "long"])
def test_whatever_is_killed_stopped_or_set_nothing_is_lost(demo_files, tmp_path, monkeypatch, few_trees, kills):
    monkeypatch.setattr(local, "IDLE_S", 1.0)
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)
    study = Study(base=spec, arms=(Arm(name="a"), Arm(name="b", changes={"model.dropout": 0.3})), against="a")
    whole = Store(tmp_path / "whole").create(spec)
    worker.run(whole)
    site = Site(tmp_path, spec, seed=3)
    ways = {
        "trainer": site.kill_trainer,
        "worker": site.kill_worker,
        "submitter": site.kill_submitter,
        "exporter": site.kill_exporter,
        "container": site.kill_container,
        "clock": site.set_clock,
        "stopped": lambda: site.stop_and_continue(0.5),
        "child": lambda: site.kill_child(change(spec, {"processes": 2})),
        "study": lambda: site.kill_of_kind("study", study, 5.0),
    }
    fire(site, [ways[name] for name in kills], pause_s=3.0 if kills is LONG else 0.5, keep=1)
    assert site.settle(600) == []
    assert site.lost() == [] and site.torn() == [] and site.broken == [] and site.hung == [] and site.doubled == []
    assert site.orphans(60) == [] and sum(site.counts.values()) == len(kills)
    done = [
        record
        for record in site.store.runs()
        if record.state == "done" and record.kind == "finetune" and record.name == "kept"
    ]
    assert done and all(answers(site.store.open(r.run_id)).equals(answers(whole)) for r in done)
