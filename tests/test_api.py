"""The public API: every name is there, loads nothing heavy by itself, and does in a notebook what the command line does."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import moola_core as moola
from moola_core.errors import MoolaError, SpecError

SMALL = {"epochs": 1, "repeats": 1, "folds": 2, "hidden": 4, "processes": 1}
pytestmark = pytest.mark.usefixtures("few_trees")


def test_importing_the_package_loads_nothing_heavy():
    code = "import moola_core, sys; print(sorted({'torch', 'pandas', 'sklearn', 'streamlit', 'plotly'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in moola.__all__ if name != "__version__"])
def test_every_public_name_is_there_and_every_function_says_what_it_takes_and_gives(name):
    member = getattr(moola, name)
    assert name in dir(moola)
    if inspect.isfunction(member) and member.__module__ in (
        "moola_core.api",
        "moola_core.history",
        "moola_core.adoption",
    ):
        text = inspect.getdoc(member) or ""
        assert "Parameters\n----------" in text and "Returns\n-------" in text
        for parameter in inspect.signature(member).parameters:
            assert parameter in text, f"{name} does not describe {parameter}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fine_tune'"):
        _ = moola.fine_tune


@pytest.mark.parametrize(
    "module",
    [
        "moola_core",
        "moola_core.features.public",
        "moola_core.registry",
        "moola_core.metrics.metric",
        "moola_core.metrics.pointers",
        "moola_core.metrics.ranking",
        "moola_core.cli.predecessor",
    ],
)
def test_the_examples_of_the_documentation_run(module):
    __import__(module)
    failed, tried = doctest.testmod(sys.modules[module])
    assert failed == 0 and tried > 0


def test_a_notebook_trains_evaluates_diagnoses_predicts_and_reports(demo_files, tmp_path):
    run = moola.finetune(demo_files["windows"], preset="quick", settings=SMALL, store=tmp_path / "runs")
    assert moola.evaluate(run).metrics["f1_macro"].mean == run.result("evaluation")["metrics"]["f1_macro"]["mean"]
    again = moola.finetune(
        demo_files["windows"], preset="quick", settings=SMALL | {"dropout": 0.0}, store=tmp_path / "runs"
    )
    assert {arm.run_id for arm in moola.compare(run, again).arms} == {run.id, again.id}
    assert moola.diagnose("calibration", run).repeats[0].windows == len(run.predictions)
    assert moola.examine(run).about == run.id
    predicted = moola.predict(run, bars=demo_files["bars"], stride=500, out=tmp_path / "tasks.json")
    tasks = json.loads((tmp_path / "tasks.json").read_text(encoding="utf-8"))
    named = [task["predictions"][0]["result"][0]["value"]["choices"] for task in tasks]
    assert named == [[name] for name in predicted["predicted"]]
    assert np.allclose(
        predicted[[name for name in predicted if name.startswith("p_") and name != "p_std"]].sum(axis=1), 1
    )
    assert json.loads(moola.report(run, tmp_path / "report.json").read_text(encoding="utf-8"))["sections"]


def test_a_wrong_setting_is_answered_with_the_nearest_before_anything_starts(demo_files, tmp_path):
    with pytest.raises(SpecError, match="Did you mean"):
        moola.finetune(demo_files["windows"], settings={"epoch": 2}, store=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


WRONG = {
    "a frame as windows": lambda made: moola.finetune(pd.DataFrame({"a": [1]})),
    "an array as bars": lambda made: moola.pretrain(np.zeros(3)),
    "no settings": lambda made: moola.finetune("w.parquet", settings=["epochs"]),
    "an id as run": lambda made: moola.evaluate("20260101-000000-000-abcd"),
    "two ids": lambda made: moola.compare("a", "b"),
    "no run": lambda made: moola.examine(None),
    "a word as run": lambda made: moola.predict("run", windows="w.parquet"),
    "a report of nothing": lambda made: moola.report("run", "a.html"),
    "an unknown diagnostic": lambda made: moola.diagnose("weather", windows="w.parquet"),
    "an array as bars of features": lambda made: moola.bar_features(np.zeros((10, 4))),
    "a length in words": lambda made: moola.bar_features(made.bars, "long"),
    "half a length": lambda made: moola.bar_features(made.bars, 10.5),
    "bars as windows": lambda made: moola.window_features(made.bars),
    "unknown columns": lambda made: moola.window_features(made.windows, ("weather",)),
    "no columns": lambda made: moola.window_features(made.windows, ()),
    "numbers as columns": lambda made: moola.window_features(made.windows, (1, 2)),
    "windows as bars": lambda made: moola.window_features(made.windows, bars=made.windows),
    "an unknown answer": lambda made: moola.import_predictions({"a": [1]}, "w.parquet", colour="red"),
    "an unknown answer of a file": lambda made: moola.convert("b.csv", "b.parquet", answers={"zone": "UTC"}),
    "no answers": lambda made: moola.convert("b.csv", "b.parquet", answers=["UTC"]),
    "no file to convert": lambda made: moola.convert("b.csv", "b.parquet"),
    "a list as predictions": lambda made: moola.import_predictions([1, 2], "w.parquet"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused_in_a_sentence(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MoolaError) as refused:
        WRONG[name](moola.make_demo(bars=3_000, windows=20, seed=1))
    assert str(refused.value) and not (tmp_path / "artifacts" / "runs").exists()


def test_one_column_may_be_given_by_its_name_alone():
    windows = moola.make_demo(bars=3_000, windows=20, seed=1).windows
    assert np.array_equal(moola.window_features(windows, "price_path"), moola.window_features(windows, ("price_path",)))
