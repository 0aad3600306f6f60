"""What benchmarks/faults.py does with more than a hundred kills, with fewer."""

from __future__ import annotations

import pytest

from moola_core.launch import local, worker
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.specs import change
from tests.faults.kills import Site, answers, fire

SMALL = {"epochs": 3, "repeats": 1, "folds": 2, "hidden": 4, "processes": 1, "eval_every_epochs": 1}
SHORT = ("trainer",)
LONG = ("trainer", "worker", "submitter", "worker", "trainer", "worker")


@pytest.mark.timeout(900)
@pytest.mark.soak  # in short: a killed process in tests/training, a killed study in tests/launch
@pytest.mark.parametrize("kills", [SHORT, LONG], ids=["short", "long"])
def test_kills_of_trainer_worker_and_submitter_lose_nothing(demo_files, tmp_path, monkeypatch, few_trees, kills):
    monkeypatch.setattr(local, "IDLE_S", 2.0)
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)
    if kills is LONG:
        spec = change(spec, {"processes": 2, "folds": 3})
    whole = Store(tmp_path / "whole").create(spec)
    worker.run(whole)
    site = Site(tmp_path, spec, seed=3)
    fire(site, [getattr(site, f"kill_{name}") for name in kills], pause_s=3.0 if kills is LONG else 1.0, keep=1)
    assert site.settle(600) == []
    assert site.lost() == [] and site.torn() == [] and site.orphans(60) == []
    assert sum(site.counts.values()) == len(kills) and site.doubled == []
    done = [record for record in site.store.runs() if record.state == "done"]
    assert done and all(answers(site.store.open(r.run_id)).equals(answers(whole)) for r in done)
