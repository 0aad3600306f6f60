"""Fits that a store holds are taken over by studies and investigations, and are those that would have been made."""

from __future__ import annotations

import pandas as pd
import pytest

from moola_core.launch import worker
from moola_core.market.demo import make_demo, write_demo
from moola_core.presets import preset
from moola_core.runs.facts import TakenOver
from moola_core.runs.store import Run, Store
from moola_core.specs import Arm, Study, change

pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("market")
    write_demo(folder, make_demo("helpful", bars=12_000, windows=40, seed=3))
    return str(folder / "windows.parquet")


def study(windows: str, repeats: int, **changes) -> Study:
    small = {
        "training.folds": 2,
        "training.epochs": 2,
        "training.processes": 1,
        "model.hidden": 8,
        "training.repeats": repeats,
    }
    base = change(preset("quick").finetune(), {"data.windows": windows, **small, **changes})
    arms = (Arm(name="plain"), Arm(name="simple", changes={"estimator": "logistic"}))
    return Study(name="own", base=base, arms=arms, against="plain")


def carried_out(store: Store, spec) -> Run:
    run = store.create(spec)
    worker.run(run)
    return run


def arms_of(run: Run) -> list[Run]:
    store = Store(run.store_root)
    return [store.open(arm["run_id"]) for arm in run.result("comparison")["arms"]]


def fitted(run: Run) -> int:
    """How many fits were made, rather than taken over."""
    taken = run.record.facts.taken_over
    return len(run.replicates()) - (taken.fits if taken else 0)


@pytest.mark.usefixtures("unexamined")
def test_more_repeats_take_over_the_fits_of_fewer_and_equal_a_study_that_took_none(tmp_path, windows):
    first, alone = Store(tmp_path / "shared"), Store(tmp_path / "alone")
    one = carried_out(first, study(windows, 1))
    two = carried_out(first, study(windows, 2))
    fresh = carried_out(alone, study(windows, 2))
    for once, twice, other in zip(arms_of(one), arms_of(two), arms_of(fresh), strict=True):
        assert twice.record.facts.taken_over == TakenOver(once.id, 2)
        assert fitted(twice) == 2 and fitted(other) == 4
        pd.testing.assert_frame_equal(twice.predictions, other.predictions)
        assert twice.result("evaluation") == other.result("evaluation")
        events = [
            (event["type"], event.get("repeat"), event.get("fold"), event.get("epoch")) for event in twice.events()
        ]
        assert sorted(map(str, events)) == sorted(
            str((event["type"], event.get("repeat"), event.get("fold"), event.get("epoch"))) for event in other.events()
        )
    assert two.result("comparison")["verdicts"] == fresh.result("comparison")["verdicts"]


def test_what_is_taken_over_stays_when_the_run_that_it_came_from_is_deleted(tmp_path, windows):
    store = Store(tmp_path)
    one = carried_out(store, study(windows, 1))
    two = carried_out(store, study(windows, 1))
    names = [arm.id for arm in arms_of(one)]
    for name in names:
        store.delete(name)
    assert all(fitted(arm) == 0 and len(arm.predictions) == 40 for arm in arms_of(two))


@pytest.mark.usefixtures("unexamined")
@pytest.mark.parametrize("changes", [{"training.learning_rate": 1e-4}, {"training.seed": 5}, {"loss.focal_gamma": 1.0}])
def test_fits_of_other_settings_are_made_anew(tmp_path, windows, changes):
    store = Store(tmp_path)
    carried_out(store, study(windows, 1))
    network = arms_of(carried_out(store, study(windows, 1, **changes)))[0]
    assert network.record.facts.taken_over is None


@pytest.mark.usefixtures("unexamined")
def test_a_run_by_itself_is_always_fitted(tmp_path, windows):
    store, spec = Store(tmp_path), study(windows, 1)
    carried_out(store, spec)
    alone = carried_out(store, spec.spec_of("plain"))
    assert fitted(alone) == 2


@pytest.mark.usefixtures("unexamined")
def test_other_windows_are_never_taken_for_the_same(tmp_path, windows):
    store, path = Store(tmp_path / "store"), tmp_path / "changed.parquet"
    frame = pd.read_parquet(windows)
    labels = frame["label"].to_numpy().copy()
    labels[0] = next(label for label in set(labels) if label != labels[0])
    frame.assign(label=labels, grade="A").to_parquet(path)
    carried_out(store, study(windows, 1))
    other = carried_out(store, study(str(path), 1))
    assert all(arm.record.facts.taken_over is None for arm in arms_of(other))
