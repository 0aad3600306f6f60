"""Every diagnostic of runs that were really made draws data: the demo's, three classes, constant folds, no pre-training."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from moola_core.launch import worker
from moola_core.presets import preset
from moola_core.reports.export import export
from moola_core.runs.checkpoints import start_from
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Diagnose, Predict, change
from tests.conftest import nothing_examined
from tests.pages.conftest import button, texts, viewers

# Few features: an attribution asks the model about every set of them.
COLUMNS = ("range_z", "body_pct", "price_path")
SMALL = {"epochs": 1, "repeats": 1, "folds": 2, "hidden": 4, "processes": 1, "eval_every_epochs": 1, "columns": COLUMNS}
pytestmark = pytest.mark.usefixtures("few_trees")
SECTIONS = {"Metrics": 4, "Calibration": 3, "Balance": 1, "Transfer": 2, "Attribution": 5, "Errors": 1}


@pytest.fixture(autouse=True)
def quick_attribution(monkeypatch):
    """In this process, and with few draws: tests/diagnostics/test_attribution.py looks at the values."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr("moola_core.diagnostics.network_outputs.SAMPLES", 5)


@pytest.fixture(autouse=True)
def quick_shift(monkeypatch):
    """With few draws: tests/diagnostics/test_shift.py looks at the values."""
    monkeypatch.setattr("moola_core.diagnostics.shift.DRAWS", 50)
    monkeypatch.setattr("moola_core.diagnostics.shift.NULL_DRAWS", 10)


def done(store, spec, parent=None) -> Run:
    run = Store(store).create(spec, parent=parent)
    worker.run(run)
    return run


def finetuned(store, dataset, **changes) -> Run:
    files = {"data.windows": str(dataset), "data.bars": str(dataset.with_name("bars.parquet"))}
    return done(store, change(preset("quick").finetune(), files | SMALL | changes))


def points(at) -> list[int]:
    """How many numbers each chart on the page draws."""
    found = []
    for chart in at.get("plotly_chart"):
        traces = json.loads(chart.proto.spec)["data"]
        found.append(sum(len(trace.get(axis) or ()) for trace in traces for axis in ("x", "y", "z", "close")))
    for viewer in viewers(at):
        data = json.loads(viewer.proto.json)
        found.append(sum(len(one["prices"]) for one in data.get("windows", [data])))
    return found


@pytest.fixture
def data(dataset):
    return Data(windows=str(dataset), bars=str(dataset.with_name("bars.parquet")))


def test_every_diagnostic_of_a_demo_run_draws_data(show, store, dataset, data):
    small = {"epochs": 1, "hidden": 4, "batch_size": 64, "stride_bars": 120, "labelled": "see", "columns": COLUMNS}
    files = {"data.windows": data.windows, "data.bars": data.bars}
    encoder = done(store, change(preset("quick").pretrain(), files | small))
    run = finetuned(store, dataset, **start_from(encoder.id, "full", store))
    for name in ("features", "shift"):
        done(store, Diagnose(name=name, data=data, permutations=99))
    done(store, Diagnose(name="attribution", run=run.id), parent=run.id)
    done(store, Predict(run=run.id, data=Data(bars=data.bars), stride=400), parent=run.id)
    drawn = {section: points(show("results", run=run.id, show=section)) for section in SECTIONS}
    drawn |= {view: points(show("features", view=view)) for view in ("features", "shift")}
    drawn["pre-training"] = points(show("results", run=encoder.id))
    drawn["predict"] = points(show("predict", run=run.id))
    for name, counts in drawn.items():
        assert counts and min(counts) > 0, f"{name} draws {counts}"
    assert all(len(drawn[name]) >= least for name, least in SECTIONS.items())


@pytest.mark.soak
def test_three_classes_without_pretraining(show, store, dataset, tmp_path):
    own = tmp_path / "own" / "three.parquet"
    own.parent.mkdir()
    frame = pd.read_parquet(dataset)
    frame.loc[frame.index % 3 == 0, "label"] = "reversal"
    frame.to_parquet(own)
    run = finetuned(store, own, **{"data.bars": None})
    done(store, Diagnose(name="attribution", run=run.id), parent=run.id)
    done(store, Diagnose(name="features", data=run.spec.data, permutations=99))
    for section in ("Metrics", "Calibration", "Balance", "Attribution", "Errors"):
        assert min(points(show("results", own.parent, run=run.id, show=section))) > 0, section
    assert "started from random weights" in texts(show("results", own.parent, run=run.id, show="Transfer"))
    assert min(points(show("features", own.parent))) > 0 and not show("overview", own.parent, run=run.id).exception


EXPANSIONS = {
    "none": lambda frame: frame.index >= 0,
    "some": lambda frame: frame.index % 2 == 0,
    "not of one class": lambda frame: frame["label"] == "retracement",
    "three classes, some": lambda frame: frame.index % 4 == 0,
}
MODELS = ("network", "locate_then_classify", "logistic")
EVERY_PAGE = ("overview", "windows", "features", "launch", "runs", "doctor", "compare", "predict", "report")


@pytest.mark.parametrize(
    ("without", "model"),
    [
        pytest.param(name, model, marks=[] if (name, model) == ("none", "logistic") else pytest.mark.soak)
        for name in EXPANSIONS
        for model in MODELS
    ],
)
def test_labels_without_expansions_go_everywhere(show, store, dataset, tmp_path, without, model):
    """Every diagnostic, report and page, where windows of `without` have no pointer."""
    own = tmp_path / "own" / "labels.parquet"
    own.parent.mkdir()
    frame = pd.read_parquet(dataset)
    frame = frame[frame["grade"] != "D"].reset_index(drop=True)
    if without.startswith("three"):
        frame.loc[frame.index % 3 == 0, "label"] = "reversal"
    frame.loc[EXPANSIONS[without](frame), ["expansion_start", "expansion_end"]] = None
    frame.to_parquet(own)
    spans = {"spans.general": False, "spans.penalty": 4.0, "spans.scatter_bars": 1.0, "spans.misplaced_frac": 0.05}
    other = {} if model == "network" else {"estimator": model, **spans}
    run = finetuned(store, own, **{"data.bars": None, **other})
    assert run.record.state == "done", run.record.error
    asked = [Diagnose(name="attribution", run=run.id), Diagnose(name="doctor", run=run.id)]
    asked.append(Diagnose(name="features", data=run.spec.data, permutations=99))
    asked.append(Predict(run=run.id, data=Data(windows=str(own))))
    for spec in asked:
        child = done(store, spec, parent=run.id)
        assert child.record.state == "done", f"{spec.kind} {getattr(spec, 'name', '')}: {child.record.error}"
    for ending in ("html", "json", "md"):
        export(run, ending, tmp_path / f"report.{ending}")
    for section in SECTIONS:
        assert not show("results", own.parent, run=run.id, show=section).error, section
    for page in EVERY_PAGE:
        at = show(page, own.parent, run=run.id)
        assert page == "compare" or not at.error, page  # studies of pre-training need bars


def test_constant_folds_and_one_task_go_on(show, store, dataset):
    constant = finetuned(store, dataset, learning_rate=0.0)
    for section in ("Metrics", "Calibration", "Balance", "Errors"):
        assert not show("results", run=constant.id, show=section).exception
    pointers = finetuned(store, dataset, tasks="pointers")
    pages = {
        name: show("results", run=pointers.id, show=name) for name in ("Metrics", "Calibration", "Balance", "Errors")
    }
    assert all(not page.exception for page in pages.values())
    assert "No calibration" in texts(pages["Calibration"])
    assert not show("predict", run=pointers.id).exception


@pytest.mark.parametrize("name", [pytest.param("logistic", marks=pytest.mark.soak), "locate_then_classify"])
def test_attribution_of_a_model_that_is_no_network_draws_data_and_names_no_course(show, store, dataset, tmp_path, name):
    own = tmp_path / "own" / "few.parquet"
    own.parent.mkdir()
    frame = pd.read_parquet(dataset)
    frame[frame["grade"] != "D"].groupby("label").head(10).to_parquet(own)
    spans = {"spans.general": False, "spans.penalty": 4.0, "spans.scatter_bars": 1.0, "spans.misplaced_frac": 0.05}
    run = finetuned(store, own, **{"data.bars": None, "estimator": name, **spans})
    child = done(store, Diagnose(name="attribution", run=run.id), parent=run.id)
    assert child.record.state == "done", child.record.error
    at = show("results", own.parent, run=run.id, show="Attribution")
    counts, text = points(at), texts(at)
    assert len(counts) >= 3 and min(counts) > 0 and "is computed for networks alone" in text
    assert ("reads prices" in text) == (name == "locate_then_classify")
    assert "consol_proxy" not in text and "network's" not in text


@pytest.mark.parametrize("model", ["locate_then_classify", pytest.param("logistic", marks=pytest.mark.soak)])
def test_a_model_that_is_no_network_opens_on_every_page(show, store, dataset, data, model):
    files = {"data.windows": data.windows, "data.bars": data.bars}
    small = {"estimator": model, "repeats": 1, "folds": 2, "columns": ("price_path",)}
    run = done(store, change(preset("recommended").finetune(), files | small))
    done(store, Predict(run=run.id, data=Data(bars=data.bars), stride=400), parent=run.id)
    spans = model == "locate_then_classify"
    for section, least in {"Metrics": 8 if spans else 7, "Calibration": 3, "Errors": 1}.items():
        counts = points(show("results", run=run.id, show=section))
        assert len(counts) >= least and min(counts) > 0, f"{section} draws {counts}"
    for section in ("Balance", "Transfer"):
        assert f"The model {model} is no network" in texts(show("results", run=run.id, show=section)).replace("\\", "")
    assert points(show("windows", run=run.id)) and points(show("predict", run=run.id))
    assert "no epochs and no curves" in texts(show("runs", run=run.id, section="Curves"))
    log = show("runs", run=run.id, section="Log").code[0].value
    assert log.count("done, seconds") == 2 and log.count("started, train") == 2
    doctor = show("doctor", run=run.id)
    assert "could not be judged" in str([item.label for item in doctor.expander])
    for page in ("overview", "features", "launch", "compare", "report"):
        assert not show(page, run=run.id).exception


def test_two_runs_are_joined_on_the_compare_page_and_shown_as_one(show, store, dataset, data, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    small = {"data.windows": data.windows, "repeats": 1, "folds": 2}
    base = preset("recommended").finetune()
    with nothing_examined():
        runs = [done(store, change(base, small | {"estimator": name})) for name in ("logistic", "majority")]
        other = done(store, change(base, small | {"estimator": "majority", "seed": 3}))
    at = show("compare")
    assert button(at, "Join them").disabled
    for key, run in (("join_class_run", runs[0]), ("join_pointer_run", other)):
        at.selectbox(key=key).set_value(run.id).run()
    button(at, "Join them").click().run()
    assert "their folds differ" in texts(at) and len(Store(store).runs()) == 3
    at.selectbox(key="join_pointer_run").set_value(runs[1].id).run()
    button(at, "Join them").click().run()
    record = next(record for record in Store(store).runs() if record.model == "joined")
    assert record.state == "queued" and not at.exception
    joined = Store(store).open(record.run_id)
    worker.run(joined)
    for section in ("Metrics", "Pointers", "Calibration", "Errors"):
        assert min(points(show("results", run=joined.id, show=section))) > 0
    for section in ("Balance", "Transfer"):
        assert "joins two others" in texts(show("results", run=joined.id, show=section))
    assert runs[1].id in texts(show("results", run=joined.id, show="Attribution")).replace("\\", "")
    predicted = done(store, Predict(run=joined.id, data=Data(bars=data.bars), stride=400), parent=joined.id)
    assert predicted.result("predicted")["windows"] > 0 and points(show("predict", run=joined.id))


def test_a_run_from_the_fits_of_another_is_started_on_the_page_and_shown(show, store, dataset, monkeypatch):
    with nothing_examined():
        source = finetuned(store, dataset, **{"data.bars": None, "model.tasks": "class", "loss.pcgrad": False})
    started: list[Run] = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    at = show("launch", preset="quick", checkpoint=source.id)
    assert f"--checkpoint {source.id}" in at.code[0].value and "more_checkpoints" not in at.code[0].value
    button(at, "Start the run").click().run()
    (record,) = [one for one in Store(store).runs("finetune") if one.run_id != source.id]
    run = Store(store).open(record.run_id)
    assert run.spec.transfer.encoders == (f"{source.id}/000-00", f"{source.id}/000-01")
    assert (run.spec.training.folds, run.spec.model.hidden, run.spec.model.tasks) == (2, 4, "both")
    assert len(started) == 1
    finished = done(store, change(run.spec, {"epochs": 1, "processes": 1}))
    shown = show("results", run=finished.id, show="Transfer")
    assert not shown.exception and min(points(shown)) > 0
    assert "Each fit started from a fit of another fine-tuning run" in texts(shown)
