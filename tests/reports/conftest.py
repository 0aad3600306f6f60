"""Finished runs with everything that a report can show, one of them with texts that would break a careless page."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import pytest

from moola_core import studies
from moola_core.diagnostics import gates as rules
from moola_core.diagnostics.calibration import calibrations
from moola_core.diagnostics.doctor import Case, examine
from moola_core.diagnostics.doctor.reported import load, reported_case
from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.results import Comparison, Decision, Errors, FeatureReport, PlanReport, Slice, Suspect
from moola_core.diagnostics.results.doctor import EXAMPLE
from moola_core.runs import codec
from moola_core.runs.facts import Facts
from moola_core.runs.store import Run, Store
from moola_core.searches import search_spec
from moola_core.specs import Compare, Data, Diagnose, Investigation, Plan
from tests import app_samples as samples
from tests.app_samples import (
    CLASS_ALONE,
    make_attribution,
    make_balance,
    make_comparison,
    make_data,
    make_diagnosis,
    make_features,
    make_predicted,
    make_predictions,
    make_pretraining,
    make_run,
    make_search,
    make_shift,
    make_transfer,
    step_columns,
)
from tests.investigation_samples import make_investigation

HOSTILE = {
    "consolidation": "<script>alert('class')</script>",
    "retracement": "</script><img src=https://evil.example/x onerror=alert(1)>|`[a](javascript:alert(2))`",
}
WINDOW = "<script>alert('window')</script>"
# What the doctor reads of a run in which almost everything went wrong.
FACTS = samples.FACTS | {
    "label_entropy": 0.69,
    "log_loss": 1.05,
    "accuracy": 0.5,
    "majority_accuracy": 0.53,
    "ece": 0.2,
    "ece_null_95": 0.1,
    "ece_p": 0.001,
    "gradient_ratio": 0.01,
}


@pytest.fixture(scope="session")
def windows(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def full_run(tmp_path_factory, windows) -> Run:
    """A fine-tuning run with its own diagnostics, and attribution, features and shift in runs about it."""
    return make_full(tmp_path_factory.mktemp("store"), windows)


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory, windows) -> Run:
    return make_pretraining(tmp_path_factory.mktemp("store"), windows)


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory, windows) -> Run:
    """The same with classes, window ids, name, note and tags that are HTML and Markdown."""
    return make_hostile(tmp_path_factory.mktemp("store"), windows)


def make_full(root: Path, windows: Path) -> Run:
    """A run under `root` with every diagnostic."""
    run = make_run(root, windows, name="Everything")
    with_diagnoses(run, windows)
    run.write_result("doctor", make_diagnosis(run))
    return run


def make_hostile(root: Path, windows: Path) -> Run:
    """The same whose texts are HTML and Markdown."""
    run = make_run(root, windows, "running", name=f"{WINDOW} & co")
    rows = make_predictions(windows).replace({"label": HOSTILE, "predicted": HOSTILE})
    rows = rows.rename(columns={f"p_{name}": f"p_{text}" for name, text in HOSTILE.items()})
    run.write_result("evaluation", evaluate(rows, 105, {0: 0.9, 1: 0.95}))
    run.write_result("calibration", calibrations(rows))
    true, said = HOSTILE.values()
    slices = (Slice("source", true, 20, 0.5, 0.3, 0.7, 0.5, 4.0, 3.0, 5.0),)
    run.write_result("errors", Errors(slices, (Suspect(WINDOW, true, said, 0.9, 0.1),), (), f"None. {WINDOW}"))
    run.write_result("balance", make_balance())
    run.write_result("transfer", make_transfer())
    run.write_table("steps", step_columns())
    found = examine(Case("finetune", FACTS, run.spec, run.id))
    first = dataclasses.replace(
        found.findings[0],
        title=WINDOW,
        summary=f"{true} {WINDOW}",
        evidence={"windows": [WINDOW] * 30, true: {"a": said}},
    )
    run.write_result("doctor", dataclasses.replace(found, findings=(first, *found.findings[1:])))
    run.update(state="done", seconds=12.0, note=f"{WINDOW} noted", tags=(true,), error="", warnings=(f"lost {WINDOW}",))
    with_diagnoses(run, windows)
    return run


@cache
def features_of(windows: Path) -> FeatureReport:
    """Computed once for a file of windows."""
    return make_features(windows)


def with_diagnoses(run: Run, windows: Path) -> None:
    """Runs about `run` and about its windows, whose texts are those of the run's classes."""
    run.update(data_hashes={"windows": "ab" * 32, "folds": "cd" * 32})
    classes = tuple(run.result("evaluation")["classes"])
    text = codec.dumps(features_of(windows))
    for name, other in zip(sorted(HOSTILE), classes, strict=True):
        text = text.replace(codec.dumps(name), codec.dumps(other))
    found = dataclasses.replace(make_attribution(), window_id=tuple(f"{WINDOW}{i}" for i in range(30)))
    specs = {
        "attribution": (Diagnose(name="attribution", run=run.id), found),
        "features": (Diagnose(name="features", data=Data(windows=str(windows))), codec.loads(text)),
        "shift": (Diagnose(name="shift", data=Data(windows=str(windows))), make_shift()),
    }
    for name, (spec, result) in specs.items():
        child = Store(run.store_root).create(spec, parent=spec.run or None)
        child.write_result(name, result)
        child.update(state="done", data_hashes={} if name == "attribution" else {"windows": "ab" * 32})


@pytest.fixture(scope="session")
def study_run(tmp_path_factory, windows) -> Run:
    """A transfer study: two of its networks' runs are in the store, the others were deleted since."""
    return make_study(tmp_path_factory.mktemp("store"), windows)


@pytest.fixture(scope="session")
def hostile_study(tmp_path_factory, windows) -> Run:
    """The same with an arm, window ids, classes and a question that are HTML and Markdown."""
    return make_study(tmp_path_factory.mktemp("store"), windows, hostile=True)


@pytest.fixture(scope="session")
def predict_run(tmp_path_factory, windows) -> Run:
    """Predictions over bars of a run's models."""
    return make_predicted(make_run(tmp_path_factory.mktemp("store"), windows), windows.with_name("bars.parquet"))


@pytest.fixture(scope="session")
def figures_run(tmp_path_factory) -> Run:
    """The doctor asked about the figures of the run that failed."""
    figures = load(EXAMPLE)
    run = Store(tmp_path_factory.mktemp("store")).create(Diagnose(name="doctor", figures=figures))
    run.write_result("doctor", examine(reported_case(figures)))
    run.update(state="done")
    return run


@pytest.fixture(scope="session")
def plan_run(study_run, windows) -> Run:
    """A plan whose first study is `study_run`; the next was skipped, the last one failed."""
    run = Store(study_run.store_root).create(Plan(data=Data(windows=str(windows))), name="plan")
    when = "2026-01-31T12:00:00.000+00:00"
    decisions = (
        Decision(
            "transfer", "ran", "Does it help?", "full helps: +0.140.", "full", study_run.id, "rule of the plan", when
        ),
        Decision("losses", "skipped", "It needs bars.", "", "", "", "rule of the plan", when),
        Decision("labels", "failed", "the bars are gone.", "", "", "", "rule of the plan", when),
    )
    run.write_result("plan", PlanReport(decisions, rules.gates(CLASS_ALONE, "undecided"), rules.contradictions()))
    run.update(state="done")
    return run


@pytest.fixture(scope="session")
def investigation_run(study_run, windows) -> Run:
    """An investigation whose questions rest on `study_run` and on one of its arms."""
    run = Store(study_run.store_root).create(Investigation(data=Data(windows=str(windows))), name="investigation")
    arm = study_run.result("comparison")["arms"][0]["run_id"]
    run.write_result("investigation", make_investigation(study_run.id, arm))
    run.update(state="done")
    return run


@pytest.fixture(scope="session")
def search_run(tmp_path_factory, windows) -> Run:
    """A finished search, its trials' run in the store."""
    root = tmp_path_factory.mktemp("store")
    trial = make_run(root, windows, name="search: trial 1")
    run = Store(root).create(search_spec(trial.spec, {"model.dropout": {"low": 0.1, "high": 0.9}}), name="search")
    run.write_result("search", make_search(trial.id))
    run.update(state="done", data_hashes={"windows": "ab" * 32}, facts=Facts(spent_s=31.0))
    return run


def make_study(root: Path, windows: Path, hostile: bool = False) -> Run:
    """A transfer study under `root`, done."""
    store, found = Store(root), make_comparison()
    arms = [make_run(root, windows, name=arm.name).id for arm in found.arms[:2]]
    named = [dataclasses.replace(arm, run_id=run_id) for arm, run_id in zip(found.arms, arms, strict=False)]
    found = dataclasses.replace(found, arms=(*named, *found.arms[2:]))
    files = {"windows": str(windows), "bars": str(windows.with_name("bars.parquet"))}
    spec = studies.study("transfer", "quick", files)
    if hostile:
        texts = {"full": HOSTILE["retracement"], "demo_0000": WINDOW, **HOSTILE}
        text = codec.dumps(found)
        for name, other in texts.items():
            text = text.replace(json.dumps(name), json.dumps(other))
        found = codec.restore(Comparison, json.loads(text))
        spec = spec.model_copy(update={"question": f"Is {WINDOW} so?"})
    run = store.create(spec, name="transfer")
    run.write_result("comparison", found)
    run.update(state="done", seconds=12.0)
    return run


def make_chosen(study: Run) -> Run:
    """The two runs that the study's store holds, beside each other."""
    ids = [arm["run_id"] for arm in study.result("comparison")["arms"][:2]]
    run = Store(study.store_root).create(Compare(runs=tuple(ids)))
    run.write_result("comparison", study.result("comparison"))
    run.update(state="done")
    return run
