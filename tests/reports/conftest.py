"""Finished runs with everything that a report can show, one of them with texts that would break a careless page."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import pytest

from moola_core.diagnostics.calibration import calibrations
from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.results import Errors, FeatureReport, Slice, Suspect
from moola_core.runs import codec
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Diagnose
from tests.app_samples import (
    make_attribution,
    make_balance,
    make_data,
    make_features,
    make_predictions,
    make_pretraining,
    make_run,
    make_shift,
    make_transfer,
    step_columns,
)

HOSTILE = {
    "consolidation": "<script>alert('class')</script>",
    "retracement": "</script><img src=https://evil.example/x onerror=alert(1)>|`[a](javascript:alert(2))`",
}
WINDOW = "<script>alert('window')</script>"


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
