"""Estimates from a store's own runs."""

from __future__ import annotations

import os

import pytest

from moola_core.host import busy
from moola_core.launch.estimate import (
    Evidence,
    estimate,
    estimate_investigation,
    estimate_pretraining,
    estimate_search,
    estimate_study,
)
from moola_core.launch.estimate.finished_runs import held
from moola_core.presets import preset
from moola_core.runs.facts import Facts
from moola_core.runs.store import Store
from moola_core.searches import search_spec
from moola_core.specs import change
from moola_core.studies import study

WINDOWS = 174
DATA = {"windows": "windows.parquet", "bars": "bars.parquet"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def quick(**changes):
    return change(preset("quick").finetune(), {f"data.{name}": path for name, path in DATA.items()} | changes)


def finished(store, spec, seconds, fitting_s=None, parent=None, **counts):
    """A run as it is kept when it is done."""
    run = store.create(spec, parent=parent)
    if spec.kind == "pretrain":
        total, own = spec.training.epochs, {"train": 1000}
    else:
        total = spec.training.folds * spec.training.repeats
        own = {"windows": WINDOWS, "window_bars": 105, "epochs_run": [20] * total}
    if fitting_s is not None:
        own["fitting"] = {"seconds": fitting_s, "fits": total}
    progress = {"done": total, "total": total}
    run.update(
        state="done",
        seconds=seconds,
        ended="2026-11-26T10:00:00+00:00",
        host=os.uname().nodename,
        progress=progress,
        facts=Facts.of(own | counts),
    )
    return run


def test_where_nothing_ran_the_range_is_wide_and_says_so(store):
    guess = estimate(quick(), WINDOWS, store)
    assert "nothing like it ran here yet" in guess.source and guess.high / guess.low > 4
    assert guess.low < guess.seconds < guess.high
    runs = [finished(store, quick(seed=seed), 40.0, 34.0) for seed in range(6)]
    known = estimate(quick(), WINDOWS, store)
    assert runs[-1].id in known.source and "6 runs with these settings" in known.source
    assert known.seconds == pytest.approx(40, rel=0.1) and known.high / known.low <= 2.5


def test_more_fits_take_more_and_the_start_does_not(store):
    for seed in range(6):
        finished(store, quick(seed=seed), 40.0, 34.0)
    twice = estimate(quick(repeats=4), WINDOWS, store)
    assert twice.seconds == pytest.approx(6 + 68, rel=0.15)


def test_runs_of_earlier_versions_that_say_only_how_long_they_took_count_too(store):
    for seed in range(6):
        finished(store, quick(seed=seed), 100.0)
    assert estimate(quick(), WINDOWS, store).seconds == pytest.approx(100, rel=0.15)


def test_runs_of_another_host_and_unreadable_ones_do_not_count(store):
    guess = estimate(quick(), WINDOWS, store)
    finished(store, quick(), 4000.0).update(host="elsewhere")
    broken = finished(store, quick(), 4000.0)
    (broken.folder / "spec.json").write_text('{"kind": "finetune", "invented": 1}', encoding="utf-8")
    assert estimate(quick(), WINDOWS, store) == guess


@pytest.mark.parametrize("estimator", ["extra_trees", "locate_then_classify"])
def test_models_that_are_no_networks_are_corrected_too(store, estimator):
    spec = quick(estimator=estimator)
    guess = estimate(spec, WINDOWS, store)
    for seed in range(5):
        finished(store, change(spec, {"seed": seed}), 5 * guess.seconds, 5 * guess.seconds - 2.8)
    assert estimate(spec, WINDOWS, store).seconds == pytest.approx(5 * guess.seconds, rel=0.25)


def test_pretraining_is_corrected_by_its_own_objective(store):
    spec = change(preset("quick").pretrain(), {"data.bars": "bars.parquet"})
    bars = 1000 * spec.sampling.stride_bars + spec.sampling.window_bars
    guess = estimate_pretraining(spec, bars, store)
    for seed in range(5):
        finished(store, change(spec, {"seed": seed}), 3 * guess.seconds, 3 * guess.seconds - 3)
    assert estimate_pretraining(spec, bars, store).seconds == pytest.approx(3 * guess.seconds, rel=0.2)


def test_fits_that_the_store_holds_take_no_time_in_a_study(store):
    spec = study("losses", "quick", DATA)
    first = estimate_study(spec, WINDOWS, 0, store)
    arm = spec.spec_of(spec.against)
    finished(store, arm, estimate(arm, WINDOWS, store).seconds)
    evidence = Evidence(store)
    assert held(evidence.known, arm) == arm.training.repeats
    assert held(evidence.known, change(arm, {"learning_rate": 0.5})) == 0
    assert held(evidence.known, change(arm, {"data.windows": "other.parquet"})) == 0
    own, whole = (evidence.run(arm, WINDOWS, is_part=True, before=before)[0].median for before in (None, 0))
    assert own < 0.5 * whole
    assert estimate_study(spec, WINDOWS, 0, store).seconds < first.seconds


def test_a_study_takes_about_the_sum_of_its_runs(store):
    for seed in range(6):
        finished(store, quick(seed=seed), 40.0, 34.0, parent="20260101-000000-000-abcd")
    spec = study("losses", "quick", DATA)
    whole = estimate_study(spec, WINDOWS, 0, store)
    networks = [arm for arm in spec.arms if not arm.baseline]
    assert whole.seconds > 30 * len(networks) and whole.low < whole.seconds < whole.high
    assert whole.fits == sum(
        one.training.folds * one.training.repeats for one in (spec.spec_of(arm.name) for arm in spec.arms)
    )
    with_pretraining = study("transfer", "quick", DATA)
    bars = [estimate_study(with_pretraining, WINDOWS, count, store).seconds for count in (20_000, 200_000)]
    assert bars[0] < bars[1]


def test_runs_that_shared_the_host_do_not_make_one_alone_look_slow(store, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    beside = Store(tmp_path / "beside")
    for seed in range(6):
        finished(store, quick(seed=seed), 40.0, 34.0)
        one = finished(beside, quick(seed=seed), 74.0, 68.0)
        one.update(process={"within": 1, "processes": 1})
    alone, other = (estimate(quick(), WINDOWS, one).seconds for one in (store, beside))
    assert other == pytest.approx(alone, rel=0.05)


def test_a_search_ends_with_its_budget(store):
    free = estimate_search(search_spec(quick(), trials=20), WINDOWS, store)
    held_to = estimate_search(search_spec(quick(), trials=20, budget_s=100.0), WINDOWS, store)
    one = estimate(quick(), WINDOWS, store)
    assert free.seconds > 8 * one.seconds
    assert held_to.low <= held_to.seconds <= held_to.high <= max(110.01, one.high)


def test_an_investigation_takes_most_of_its_budget_as_those_before_did(store):
    from moola_core.specs import Data, Investigation

    guess = estimate_investigation(900, store)
    assert guess.low < guess.seconds <= 990 and guess.high <= 990.01 and guess.low > 300
    for _ in range(12):
        run = store.create(Investigation(data=Data(**DATA), budget_s=600))
        run.update(state="done", seconds=300.0, progress={"done": 300, "total": 600})
    assert estimate_investigation(900, store).seconds == pytest.approx(450, rel=0.25)


def test_a_search_takes_what_the_settings_of_its_space_take(store):
    rate = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    size = {"model.hidden": {"low": 8, "high": 256, "log": True}, "model.layers": {"choices": [1, 2, 3]}}
    searches = [search_spec(quick(), space, trials=10) for space in (rate, size)]
    like_first, larger = (estimate_search(spec, WINDOWS, store) for spec in searches)
    one = estimate(quick(), WINDOWS, store)
    assert 5 * one.seconds < like_first.seconds < 12 * one.seconds
    assert larger.seconds > 1.5 * like_first.seconds and larger.high / larger.low > like_first.high / like_first.low
    assert estimate_search(searches[1], WINDOWS, store) == larger  # the same trials every time
    few = search_spec(quick(), {"model.layers": {"choices": [1, 2]}}, trials=50)
    assert estimate_search(few, WINDOWS, store).fits == 3 * one.fits


def test_a_host_that_is_busy_now_takes_longer_and_one_that_was_busy_then_does_not_count_twice(store, monkeypatch):
    for seed in range(6):
        fitting = {"seconds": 68.0, "fits": 10, "stretch": 2.0}
        finished(store, quick(seed=seed), 80.0).update(
            facts=Facts.of({"windows": WINDOWS, "window_bars": 105, "epochs_run": [20] * 10, "fitting": fitting})
        )
    calm = estimate(quick(), WINDOWS, store)
    assert calm.seconds == pytest.approx(40, rel=0.1) and "busy" not in calm.source
    monkeypatch.setattr(busy, "stretch", lambda: 3.0)
    now = estimate(quick(), WINDOWS, store)
    assert now.seconds == pytest.approx(3 * calm.seconds, rel=0.05) and now.high / now.low > calm.high / calm.low
    assert "3.0 times as long now" in now.source
