"""A shorter version of what benchmarks/faults.py does with more than a hundred kills."""

from __future__ import annotations

import pytest

from moola_core.launch import local, worker
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.specs import change
from tests.faults.kills import Site, answers, fire

SMALL = {"epochs": 3, "repeats": 1, "folds": 3, "hidden": 4, "processes": 2, "monitor_every": 1}


@pytest.mark.timeout(900)
def test_kills_of_trainer_worker_and_submitter_lose_nothing(demo_files, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "IDLE_S", 2.0)
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)
    whole = Store(tmp_path / "whole").create(spec)
    worker.run(whole)
    site = Site(tmp_path, spec, seed=3)
    trainer, device, submitter = site.kill_trainer, site.kill_worker, site.kill_submitter
    fire(site, [trainer, device, submitter, device, trainer, device], pause_s=3.0, keep=1)
    assert site.settle(600) == []
    assert site.lost() == [] and site.torn() == [] and site.orphans(60) == []
    assert sum(site.counts.values()) == 6 and site.beside <= 1
    done = [record for record in site.store.runs() if record.state == "done"]
    assert done and all(answers(site.store.open(r.run_id)).equals(answers(whole)) for r in done)
