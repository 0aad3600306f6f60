from __future__ import annotations

import dataclasses

import pytest

from moola_core.runs.store import Store
from moola_core.specs import Data, Diagnose
from tests.app_samples import make_attribution, make_features, make_run, make_shift
from tests.pages.conftest import button, texts


@pytest.mark.parametrize(
    ("section", "charts", "words"),
    [
        ("Calibration", 3, "Recalibrated on other folds"),
        ("Balance", 1, "The pointer task gets almost no gradient"),
        ("Errors", 1, "Most confident errors"),
        ("Transfer", 2, "easier to read"),
    ],
)
def test_every_diagnostic_of_a_run_draws_data(show, store, dataset, section, charts, words):
    run = make_run(store, dataset)
    at = show("results", run=run.id, show=section)
    assert len(at.get("plotly_chart")) == charts and words in texts(at)


def test_constant_folds_and_what_could_not_be_computed_are_said(show, store, dataset):
    run = make_run(store, dataset, constant=True)
    assert "only one task was trained" in texts(show("results", run=run.id, show="Balance"))
    assert len(show("results", run=run.id, show="Calibration").get("plotly_chart")) == 3
    assert "says nothing about it" in texts(show("results", run=run.id, show="Errors"))


def test_a_run_of_before_says_how_to_get_the_diagnostic(show, store, dataset):
    run = make_run(store, dataset)
    (run.folder / "results" / "calibration.json").unlink()
    assert f"moola diagnose calibration --run {run.id}" in texts(
        show("results", run=run.id, show="Calibration")
    ).replace("\\", "")


def test_a_confident_error_opens_its_window(show, store, dataset):
    run = make_run(store, dataset)
    at = show("results", run=run.id, show="Errors")
    item = next(item for item in at.button if ", predicted " in item.label)
    item.click().run()
    assert at.title[0].value == "Windows" and at.session_state["window"] == item.label.replace("\\", "").split(":")[0]


def test_features_are_computed_at_a_click_and_then_shown(show, store, dataset, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    at = show("features")
    button(at, "Compute it").click().run()
    (record,) = Store(store).runs()
    assert record.kind == "diagnose" and len(started) == 1 and "permutation tests" in texts(at)
    run = Store(store).open(record.run_id)
    run.write_result("features", make_features(dataset))
    run.update(state="done")
    at = show("features")
    assert len(at.get("plotly_chart")) == 4 and "significant after correction for 9 tests" in texts(at)
    assert any("constant" in str(table.value.to_numpy()) for table in at.dataframe)


def test_features_that_failed_say_why(show, store, dataset):
    run = Store(store).create(Diagnose(data=Data(windows=str(dataset))))
    run.update(state="failed", error="windows.parquet: only one class.")
    assert "only one class" in texts(show("features")).replace("\\", "")
    assert "No labelled windows" in texts(show("features", data=False))


def test_shift_is_shown_with_its_foreign_windows(show, store, dataset):
    run = Store(store).create(Diagnose(name="shift", data=Data(windows=str(dataset))))
    run.write_result("shift", make_shift())
    run.update(state="done")
    at = show("features", view="shift")
    assert len(at.get("plotly_chart")) == 2 and "Pre-training sees other bars" in texts(at)
    item = next(item for item in at.button if ": probability " in item.label)
    item.click().run()
    assert at.title[0].value == "Windows"


def test_shift_without_bars_says_so(show, store, dataset):
    run = Store(store).create(Diagnose(name="shift", data=Data(windows=str(dataset))))
    run.write_result("shift", dataclasses.replace(make_shift(), domain=None, bars=()))
    run.update(state="done")
    assert "too few bars away" in texts(show("features", view="shift"))


def test_attribution_is_computed_at_a_click_and_then_shown(show, store, dataset, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    run = make_run(store, dataset)
    at = show("results", run=run.id, show="Attribution")
    button(at, "Compute it").click().run()
    record = next(record for record in Store(store).runs() if record.kind == "diagnose")
    assert record.parent == run.id and len(started) == 1
    child = Store(store).open(record.run_id)
    child.write_result("attribution", make_attribution())
    child.update(state="done")
    at = show("results", run=run.id, show="Attribution")
    assert len(at.get("plotly_chart")) == 5 and "consol_proxy was expected high" in texts(at).replace("\\", "")
    next(group for group in at.button_group if group.label == "Output").set_value(1).run()
    assert "was expected high" not in texts(at), "it is about the class"
    run.write_result("evaluation", run.result("evaluation") | {"classes": ["range", "trend"]})
    assert "was expected high" not in texts(show("results", run=run.id, show="Attribution")), "of other classes"
    child.update(state="failed", error="a file is gone.")
    assert "a file is gone" in texts(show("results", run=run.id, show="Attribution")).replace("\\", "")
