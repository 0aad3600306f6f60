from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from moola_core.cli import main
from moola_core.diagnostics.results import RESULTS, Balance, CalibrationReport, Errors, FeatureReport, Pointing, Shift
from moola_core.errors import SpecError
from moola_core.launch import worker
from moola_core.launch.worker import diagnose
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.codec import restore
from moola_core.sections import registry
from moola_core.specs import Diagnose, build, change
from moola_core.specs.diagnose import Diagnostic

SMALL = {"epochs": 5, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1}


def finished(store, files, **changes):
    spec = change(preset("quick").finetune(), {"data.windows": str(files["windows"])} | SMALL | changes)
    run = store.create(spec)
    worker.run(run)
    return run


@pytest.fixture(scope="module")
def run(demo_files, tmp_path_factory):
    return finished(Store(tmp_path_factory.mktemp("store")), demo_files)


def test_every_diagnostic_has_a_name_a_result_and_a_way_to_compute_it():
    computed = {*diagnose.RUN_DIAGNOSTICS, *diagnose.DATA_DIAGNOSTICS, "attribution", "doctor"}
    assert computed == set(get_args(Diagnostic)), "give the names of specs/diagnose.py and launch/worker/diagnose.py"
    assert computed <= set(RESULTS), "add its result to RESULTS in diagnostics/results/__init__.py"
    sections = Path(registry.__file__).parent.glob("*.py")
    read = {name for path in sections for name in re.findall(r'diagnostic\(context, "(\w+)"', path.read_text("utf-8"))}
    assert read and read <= computed, "a section reads a diagnostic that cannot be asked for"


def test_every_diagnostic_is_kept_beside_a_run_and_comes_back(run):
    kinds = {"calibration": CalibrationReport, "pointing": Pointing, "balance": Balance, "errors": Errors}
    for name, kind in kinds.items():
        found = restore(kind, run.result(name))
        assert isinstance(found, kind)
    assert restore(CalibrationReport, run.result("calibration")).repeats[0].windows == 60
    kept = restore(Balance, run.result("balance"))
    assert kept.cosines.sum() == kept.measured > 0
    assert kept.sigma_ratio == pytest.approx(run.record.facts.sigma_ratios[0], rel=0.1)
    assert kept.tasks[0].loss_end < 1.5 and kept.shared_parameters > 0


@pytest.mark.parametrize("name", ["calibration", "pointing", "balance", "errors"])
def test_a_diagnostic_can_be_asked_for_again(capsys, run, name):
    status = main(["diagnose", name, "--run", run.id, "--store", str(run.store_root), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert status == 0 and {key: found[key] for key in found if key != "run_id"} == run.result(name)
    assert Store(run.store_root).open(found["run_id"]).record.parent == run.id
    assert main(["diagnose", name, "--run", run.id, "--store", str(run.store_root)]) == 0
    assert capsys.readouterr().out.strip()


def test_features_need_no_run(capsys, demo_files, tmp_path):
    files = ["--windows", str(demo_files["windows"]), "--bars", str(demo_files["bars"])]
    status = main(["diagnose", "features", *files, "--set", "permutations=200", "--store", str(tmp_path), "--json"])
    found = restore(FeatureReport, json.loads(capsys.readouterr().out))
    assert status == 0 and found.windows == 60 and len(found.table) == 36 and len(found.expectations) == 2
    assert found.course_mean.shape == (2, 12, 105)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"tasks": "class"}, "only one task was trained"), ({"tasks": "pointers"}, "only one task was trained")],
)
def test_what_cannot_be_computed_is_a_sentence_and_the_run_is_done(demo_files, tmp_path, changes, words):
    run = finished(Store(tmp_path), demo_files, **changes)
    assert run.record.state == "done" and words in run.result("balance")["why_not"]
    if changes["tasks"] == "pointers":
        assert "no class probabilities" in run.result("calibration")["why_not"]
        assert run.result("errors")["second_look_note"]


def test_an_unexpected_error_loses_only_its_diagnostic(demo_files, tmp_path, monkeypatch):
    monkeypatch.setitem(diagnose.RUN_DIAGNOSTICS, "calibration", lambda run, windows: 1 / 0)
    run = finished(Store(tmp_path), demo_files)
    assert run.record.state == "done" and "calibration could not be computed" in run.record.warnings[0]
    assert "why_not" in run.result("calibration") and "cosines" in run.result("balance")


def test_wrong_requests_say_what_is_missing(capsys, demo_files, tmp_path):
    with pytest.raises(SpecError, match="needs run"):
        build(Diagnose, {"name": "balance"})
    assert main(["diagnose", "feature", "--store", str(tmp_path)]) == 2
    assert "Did you mean features" in capsys.readouterr().err
    assert main(["diagnose", "features", "--store", str(tmp_path)]) == 2
    assert "data.windows" in capsys.readouterr().err


def test_shift_compares_with_bars_that_share_none_with_labelled_windows(capsys, demo_files, tmp_path, monkeypatch):
    monkeypatch.setattr("moola_core.diagnostics.shift.NULL_DRAWS", 10)
    monkeypatch.setattr("moola_core.diagnostics.shift.DRAWS", 50)
    files = ["--windows", str(demo_files["windows"]), "--bars", str(demo_files["bars"]), "--store", str(tmp_path)]
    assert main(["diagnose", "shift", *files, "--json"]) == 0
    found = restore(Shift, json.loads(capsys.readouterr().out))
    assert found.counts["labelled"] == 60 and found.counts["left_out"] > 20 and len(found.left_out) == 12
    assert (found.domain is None) == (found.counts["bars"] < 20)
    assert main(["diagnose", "shift", "--windows", str(demo_files["windows"]), "--store", str(tmp_path)]) == 0
    assert "Against the grades left out" in capsys.readouterr().out


def test_power_says_what_a_study_would_find_before_any_of_its_fits(capsys, demo_files, tmp_path):
    files = ["--windows", str(demo_files["windows"]), "--preset", "quick", "--store", str(tmp_path)]
    assert main(["power", *files, "--study", "patience", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["labels"], found["folds"], found["repeats"], found["pretrainings"], found["arms"]) == (60, 5, 5, 0, 3)
    assert 0.05 < found["smallest_with_twice_the_labels"] < found["smallest"] < 1 and found["seconds"] > 0
    assert 0 < found["seconds_low"] < found["seconds"] < found["seconds_high"]
    assert found["baseline"]["low"] <= found["baseline"]["value"] <= found["ceiling"]["high"] <= 1


@pytest.mark.soak
def test_power_of_other_sizes_is_said_in_words(capsys, demo_files, tmp_path):
    files = ["--windows", str(demo_files["windows"]), "--preset", "quick", "--store", str(tmp_path)]
    more = [
        "--bars",
        str(demo_files["bars"]),
        "--labels",
        "600",
        "--folds",
        "4",
        "--repeats",
        "3",
        "--pretrainings",
        "2",
    ]
    assert main(["power", *files, *more]) == 0
    said = capsys.readouterr().out
    assert "Study transfer." in said and "600 labels, 4 folds, 3 repeats and 2 pre-trainings" in said
    assert "one of 3 arms, Holm" in said and "Room to help: logistic regression" in said and "above 0.60" in said
    assert {record.kind for record in Store(tmp_path).runs()} == {"diagnose"}, "nothing was trained"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--labels", "0"], "Give a number above 0"),
        (["--folds", "1"], "folds"),
        (["--study", "nothing"], "unknown study"),
    ],
)
def test_a_design_that_cannot_be_is_refused(capsys, demo_files, tmp_path, flags, words):
    assert main(["power", "--windows", str(demo_files["windows"]), "--store", str(tmp_path), *flags]) == 2
    assert words in capsys.readouterr().err and Store(tmp_path).runs() == []
