"""How many runs of a study run at a time, in which order, and what that makes of the estimate."""

from __future__ import annotations

import os
from functools import partial
from itertools import permutations

import numpy as np
import psutil
import pytest

from moola_core.launch.estimate import Evidence, concurrency, estimate_study
from moola_core.launch.estimate.ranges import Seconds, total
from moola_core.runs import Store
from moola_core.specs import Finetune, Pretrain, change
from moola_core.studies import study

DATA = {"windows": "w.parquet", "bars": "b.parquet"}
SIZE = concurrency.Size(200, 200_000)


WORTH_S = concurrency.WORTH_S  # before `conftest.py` takes it away


@pytest.fixture(autouse=True)
def several_at_a_time_where_that_is_worth_it(monkeypatch):
    monkeypatch.setattr(concurrency, "WORTH_S", WORTH_S)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    free = psutil.virtual_memory()._replace(available=int(64e9))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    return Store(tmp_path / "artifacts")


def transfer(**changes):
    return study("transfer", "quick", DATA, {"pretrain.sampling.labelled": "see", "repeats": 5} | changes)


def shortest(seconds, before, runs) -> float:
    """The least time of all orders in which the parts may be begun, by trying each."""
    best = np.inf
    for order in permutations(range(len(seconds))):
        if any(order.index(one) > order.index(i) for i in range(len(seconds)) for one in before[i]):
            continue
        free, ended = [0.0] * runs, {}
        for i in order:
            start = max([min(free), *(ended[one] for one in before[i])])
            free[free.index(min(free))] = ended[i] = start + seconds[i]
        best = min(best, max(ended.values()))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_all_parts_take_no_longer_than_one_after_another_and_little_longer_than_the_best_order(seed):
    rng = np.random.default_rng(seed)
    seconds = rng.uniform(1, 10, 6).tolist()
    before = [(), (), (), (0, 1), (2,), (0,)]
    chain = max(seconds[3] + max(seconds[:2]), seconds[4] + seconds[2], seconds[5] + seconds[0])
    assert concurrency.makespan(seconds, before, 1) == pytest.approx(sum(seconds))
    assert concurrency.makespan(seconds, before, 6) == pytest.approx(chain), "as long as the longest line"
    two = concurrency.makespan(seconds, before, 2)
    assert shortest(seconds, before, 2) - 1e-9 <= two <= 1.5 * shortest(seconds, before, 2)
    rank = concurrency.chains(seconds, before)
    assert max(rank) == pytest.approx(chain) and rank[3:] == seconds[3:]
    together = concurrency.all_of([Seconds.about(one, 0.3) for one in seconds], before, 2)
    alone = total([Seconds.about(one, 0.3) for one in seconds])
    assert (
        together.median / alone.median == pytest.approx(two / sum(seconds))
        and concurrency.all_of([], [], 2).median < 1e-3
    )


def test_parts_are_every_run_once_and_wait_for_what_they_start_from():
    spec = transfer()
    parts = concurrency.parts_of(spec, 200_000)
    encoders = [i for i, part in enumerate(parts) if isinstance(part.spec, Pretrain)]
    assert len(encoders) == 6 and len(parts) == 6 + len(spec.arms)
    waits = {arm.name: part.before for arm, part in zip(spec.arms, parts[6:], strict=True)}
    assert waits["frozen"] == waits["full"] and {*waits["full"], *waits["placebo"]} == set(encoders)
    assert waits["from scratch"] == waits["majority class"] == ()
    assert len(concurrency.parts_of(spec, 0)) == len(spec.arms)


def test_several_run_at_a_time_only_where_that_is_worth_it_and_fits(store, monkeypatch):
    def several(size=SIZE, **changes):
        return concurrency.concurrency_of(transfer(**changes), size, Evidence(store))

    assert several() == concurrency.Concurrency(2, 1), "as the fits of a run, where nothing was measured"
    assert several(processes=4) == concurrency.Concurrency(4, 1) and several(processes=9) == concurrency.Concurrency(
        4, 2
    )
    assert several(processes=1).runs == 1
    monkeypatch.setattr(concurrency, "WORTH_S", 1e6)
    assert several().runs == 1, "it is over before a process has started"
    monkeypatch.setattr(concurrency, "WORTH_S", 1.0)
    for device, count in (("cuda", 1), ("auto", 1), ("cpu", 2)):
        monkeypatch.setattr(concurrency, "default_device", lambda: "cuda:0")
        spec = transfer()
        spec = spec.model_copy(
            update={name: change(getattr(spec, name), {"training.device": device}) for name in ("base", "pretrain")}
        )
        assert concurrency.concurrency_of(spec, SIZE, Evidence(store)).runs == count
    monkeypatch.setattr(concurrency, "default_device", lambda: "cpu")
    free = psutil.virtual_memory()._replace(available=int(2.5 * concurrency.RUN_BYTES / concurrency.USABLE))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert several(processes=4).runs == 2
    free = free._replace(available=int(1.5 * concurrency.RUN_BYTES / concurrency.USABLE))
    assert several(processes=4).runs == 1, "each holds the bars"


def test_a_study_takes_less_the_more_of_its_runs_run_at_a_time(store, monkeypatch):
    spec, seconds = transfer(processes=4), {}
    for cores in (1, 2, 4):
        monkeypatch.setattr(os, "cpu_count", partial(int, cores))
        seconds[cores] = estimate_study(spec, SIZE.windows, SIZE.bars, store).seconds
    assert seconds[4] < seconds[2] < seconds[1]
    one = [part for part in concurrency.parts_of(spec, SIZE.bars) if isinstance(part.spec, Finetune)]
    assert all(concurrency.Concurrency(4, 2).of(part.spec).training.processes == 2 for part in one)
