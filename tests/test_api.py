"""The public API: every name is there, loads nothing heavy by itself, and does in a notebook what the command line does."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys

import numpy as np
import pytest

import moola_core as moola
from moola_core.errors import SpecError

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
    if inspect.isfunction(member) and member.__module__ == "moola_core.api":
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
        "moola_core.api",
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
    predicted = moola.predict(run, bars=demo_files["bars"], stride=500)
    assert np.allclose(
        predicted[[name for name in predicted if name.startswith("p_") and name != "p_std"]].sum(axis=1), 1
    )
    assert json.loads(moola.report(run, tmp_path / "report.json").read_text(encoding="utf-8"))["sections"]


def test_a_wrong_setting_is_answered_with_the_nearest_before_anything_starts(demo_files, tmp_path):
    with pytest.raises(SpecError, match="Did you mean"):
        moola.finetune(demo_files["windows"], settings={"epoch": 2}, store=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
