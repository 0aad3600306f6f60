"""The doctor on real small runs, on plans and on figures, through the worker and the command line."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from moola_core.cli import main
from moola_core.diagnostics.doctor import CHECKS, Case, examine
from moola_core.diagnostics.results import Diagnosis
from moola_core.diagnostics.results.doctor import EXAMPLE
from moola_core.errors import RunError, SpecError
from moola_core.launch import worker
from moola_core.launch.worker import doctor
from moola_core.launch.worker.finetune import NO_EXPANSIONS
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.codec import restore
from moola_core.specs import Compare, Diagnose, build, change, parse

SMALL = {"epochs": 4, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1}
FAULTS = {
    "extra_output": 1,
    "shuffled_folds": True,
    "test_fold_selection": True,
    "single_position": True,
    "pcgrad": True,
    "accumulated_gradients": True,
    "standardise": False,
    "jitter_std": 0.03,
}
PRE = {"epochs": 1, "stride_bars": 50, "hidden": 4, "batch_size": 64, "labelled": "see"}


def run_of(store, files, **changes):
    spec = change(preset("quick").finetune(), {"data.windows": str(files["windows"])} | SMALL | changes)
    run = store.create(spec)
    worker.run(run)
    return run


def checks(diagnosis: Diagnosis) -> set[str]:
    return {finding.check for finding in diagnosis.findings}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def faulty(store, demo_files):
    return run_of(store, demo_files, **FAULTS)


@pytest.fixture(scope="module")
def plain(store, demo_files):
    return run_of(store, demo_files, epochs=1, folds=2, batch=500)


@pytest.fixture(scope="module")
def pretrained(store, demo_files):
    files = {"data.bars": str(demo_files["bars"]), "data.windows": str(demo_files["windows"])}
    changes = files | PRE | {"learning_rate": 0.0, "objective.name": "masked"}
    run = store.create(change(preset("quick").pretrain(), changes))
    worker.run(run)
    return run


def test_every_run_ends_with_the_doctors_findings(faulty):
    found = restore(Diagnosis, faulty.result("doctor"))
    planted = {
        "head_too_wide",
        "selection_on_test",
        "overlapping_folds",
        "single_position",
        "feature_without_scale",
        "drowned_by_jitter",
    }
    assert planted <= checks(found) and found.about == faulty.id and found.kind == "finetune"
    assert all(finding.spec is None or parse(finding.spec) for finding in found.findings)
    assert "projection_not_applied" in checks(found) or "projection_not_applied" in {
        row.check for row in found.not_judged
    }


def test_a_mend_makes_its_finding_go(faulty, store):
    found = restore(Diagnosis, faulty.result("doctor"))
    fixes = {finding.check: finding.spec for finding in found.findings}
    for check in ("selection_on_test", "drowned_by_jitter"):
        run = store.create(parse(fixes[check]))
        worker.run(run)
        assert check not in checks(restore(Diagnosis, run.result("doctor")))


def test_a_run_without_faults_has_none_of_the_planted_findings(store, demo_files):
    found = restore(Diagnosis, run_of(store, demo_files).result("doctor"))
    spared = {
        "selection_on_test",
        "head_too_wide",
        "single_position",
        "order_lost",
        "feature_without_scale",
        "projection_not_applied",
    }
    assert not spared & checks(found) and spared - {"projection_not_applied"} <= set(found.passed)


@pytest.mark.parametrize(
    ("changes", "check"), [({"shuffled_bars": True}, "order_lost"), ({"learning_rate": 1e-6}, "too_little_training")]
)
def test_faults_of_data_and_training_are_seen(store, demo_files, changes, check):
    assert check in checks(restore(Diagnosis, run_of(store, demo_files, **changes).result("doctor")))


def test_a_pretraining_run_that_learned_nothing_is_named(pretrained):
    found = restore(Diagnosis, pretrained.result("doctor"))
    assert "learned_nothing" in checks(found) and "target_visible" in found.passed and found.kind == "pretrain"
    judged = {*checks(found), *found.passed}
    assert {"domain_shift", "feature_without_scale"} <= judged


def test_transfer_is_looked_at_with_what_it_started_from(store, demo_files, pretrained):
    changes = {
        "transfer.checkpoint": pretrained.id,
        "transfer.schedule": "full",
        "nothing_unfrozen": True,
        "data.bars": str(demo_files["bars"]),
        "features.state": "streaming",
        "layers": 1,
    }
    run = run_of(store, demo_files, **changes)
    found = restore(Diagnosis, run.result("doctor"))
    by_check = {finding.check: finding for finding in found.findings}
    assert {"nothing_unfrozen", "state_mismatch"} <= set(by_check)
    assert by_check["state_mismatch"].evidence["state_gap"] > 0
    sound = pretrained.result("doctor")
    fault = vars(by_check["nothing_unfrozen"]) | {"check": "target_visible", "title": "The target was visible"}
    pretrained.write_result("doctor", sound | {"findings": [fault]})
    try:
        (own,) = [one for one in doctor.examined(run).findings if one.check == "pretraining_unsound"]
    finally:
        pretrained.write_result("doctor", sound)
    assert own.evidence["findings"] == ["The target was visible"]


def test_a_failure_of_the_doctor_loses_nothing_else(store, demo_files, monkeypatch):
    monkeypatch.setattr(doctor, "examined", lambda run: 1 / 0)
    run = run_of(store, demo_files)
    assert run.record.state == "done" and "doctor" in run.record.warnings[-1] and "why_not" in run.result("doctor")


def without_pointers(files, folder, keep):
    """The demo's windows whose rows that `keep` does not choose have no expansion."""
    table = pd.read_parquet(files["windows"]).astype({"expansion_start": float, "expansion_end": float})
    table.loc[~keep(table), ["expansion_start", "expansion_end"]] = np.nan
    table.to_parquet(folder / "some.parquet")
    return {"windows": folder / "some.parquet"}


@pytest.mark.parametrize(
    ("keep", "changes"),
    [
        (lambda table: table.index < 0, {}),
        (lambda table: table.index < 0, {"model.tasks": "pointers"}),
        (lambda table: table["label"] == "retracement", {}),
        (lambda table: table.index < 3, {}),
        (lambda table: table.index >= 0, {"model.tasks": "class"}),
        (lambda table: table.index >= 0, {"model.tasks": "pointers"}),
        (lambda table: table.index >= 0, {"epochs": 1, "batch_size": 500, "pcgrad": True}),
        (lambda table: table.index >= 0, {"validation_size": 0.01, "learning_rate": 0.0}),
        (lambda table: table.index >= 0, {"loss.weighting": "fixed", "loss.class_weight": 0.0}),
    ],
    ids=[
        "no pointers",
        "pointers alone without any",
        "one class without pointers",
        "three pointers",
        "class alone",
        "pointers alone",
        "one step",
        "one validation window",
        "class not weighed",
    ],
)
def test_every_kind_of_run_is_looked_at_and_no_check_stumbles(store, demo_files, tmp_path, keep, changes):
    files = without_pointers(demo_files, tmp_path, keep)
    run = run_of(store, files, epochs=changes.pop("epochs", 2), folds=2, **changes)
    nowhere = not keep(pd.read_parquet(demo_files["windows"])).any() and run.spec.model.tasks == "both"
    assert run.record.warnings == ((NO_EXPANSIONS,) if nowhere else ()), "the doctor warns when it could not look"
    found = restore(Diagnosis, run.result("doctor"))
    assert not [row for row in found.not_judged if "could not be computed" in row.why]
    told = [finding.summary for finding in found.findings] + [row.why for row in found.not_judged]
    assert not [text for text in told if "nan" in text.split() or "inf" in text.split()]


@pytest.mark.parametrize(
    "gone", ["balance", "calibration", "evaluation", "errors", "every result", "steps", "validation"]
)
def test_a_run_that_lacks_a_file_is_still_looked_at(plain, tmp_path, gone):
    shutil.copytree(plain.folder, tmp_path / "runs" / plain.id)
    run = Store(tmp_path).open(plain.id)
    if gone == "steps":
        (run.folder / "steps.parquet").unlink()
    elif gone == "validation":
        folds = run.folds
        run.write_table("folds", {name: folds.loc[folds["role"] != "inner", name].to_numpy() for name in folds})
    else:
        for path in (run.folder / "results").glob("*.json"):
            if gone in (path.stem, "every result"):
                path.unlink()
    found = doctor.examined(run)
    assert "overlapping_folds" in {*checks(found), *found.passed}
    assert not [row for row in found.not_judged if "could not be computed" in row.why]


def unusable(kind, folder, pretrained) -> str:
    """A checkpoint that a two-layer run of four units with the relativity features cannot begin with."""
    if kind == "missing":
        return str(folder / "gone.safetensors")
    path = folder / "notes.pt"
    if kind == "no checkpoint":
        path.write_text("not a checkpoint")
    elif kind == "no encoder":
        torch.save({"decoder.weight": torch.zeros(3, 3)}, path)
    elif kind == "other features":
        weights = torch.nn.LSTM(7, 4, 2, bidirectional=True).state_dict()
        torch.save({f"encoder.{name}": value for name, value in weights.items()}, path)
    elif kind == "a flat weight":
        torch.save({"encoder.weight_ih_l0": torch.zeros(5), "encoder.weight_hh_l0": torch.zeros(5)}, path)
    else:
        return pretrained.id
    return str(path)


@pytest.mark.parametrize(
    "kind", ["missing", "no checkpoint", "no encoder", "other features", "a flat weight", "another size"]
)
def test_a_checkpoint_that_cannot_be_used_is_a_finding_before_the_launch(
    store, demo_files, pretrained, tmp_path, capsys, kind
):
    reference = unusable(kind, tmp_path, pretrained)
    changes = {
        "data.windows": str(demo_files["windows"]),
        "transfer.checkpoint": reference,
        "transfer.schedule": "full",
    }
    spec = change(preset("quick").finetune(), SMALL | changes | {"layers": 2})
    run = store.create(build(Diagnose, {"name": "doctor", "planned": spec.model_dump(mode="json")}))
    worker.run(run)
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    arguments = ["doctor", "--spec", str(tmp_path / "spec.json"), "--store", str(store.root), "--json"]
    assert main(arguments) == 0
    for found in (restore(Diagnosis, run.result("doctor")), restore(Diagnosis, json.loads(capsys.readouterr().out))):
        (finding,) = [one for one in found.findings if one.check == "checkpoint_unfit"]
        assert finding.severity == "critical" and reference.split("/")[-1] in finding.summary
        assert {"head_too_wide", "overlapping_folds"} <= set(found.passed), "the other checks go on"
    if kind == "another size":
        assert parse(finding.spec) == change(spec, {"layers": 1}), "what the checkpoint itself says is put into the run"
        assert not [
            one for one in doctor.planned(parse(finding.spec), store.root).findings if one.severity == "critical"
        ]


def test_a_plan_says_what_is_wrong_with_the_pre_training_and_takes_a_file_by_its_name(
    store, demo_files, pretrained, tmp_path, monkeypatch
):
    files = {"data.windows": str(demo_files["windows"]), "data.bars": str(demo_files["bars"])}
    start = {"transfer.schedule": "full", "transfer.checkpoint": pretrained.id}
    started = change(preset("quick").finetune(), SMALL | files | start)
    (far,) = [one for one in doctor.planned(started, store.root).findings if one.check == "far_settings"]
    assert "pretrain.training.learning_rate" in far.evidence["settings"]
    shutil.copy(pretrained.folder / "checkpoints" / "best.safetensors", tmp_path / "encoder.safetensors")
    monkeypatch.chdir(tmp_path)
    named = doctor.planned(change(started, {"transfer.checkpoint": "encoder.safetensors"}), store.root)
    assert not any("pretrain." in name for one in named.findings for name in one.evidence.get("settings", ()))


def test_the_doctor_refuses_a_spec_that_trains_nothing(tmp_path, capsys):
    (tmp_path / "spec.json").write_text('{"kind": "compare", "runs": ["a", "b"]}')
    assert main(["doctor", "--spec", str(tmp_path / "spec.json"), "--store", str(tmp_path)]) == 2
    assert "compare spec cannot be checked" in capsys.readouterr().err


def test_a_plan_is_judged_on_spec_and_data_alone(store, demo_files, tmp_path, capsys):
    spec = change(preset("october").finetune(), {"data.windows": str(demo_files["windows"])})
    run = store.create(build(Diagnose, {"name": "doctor", "planned": spec.model_dump(mode="json")}))
    worker.run(run)
    found = restore(Diagnosis, run.result("doctor"))
    assert {"head_too_wide", "selection_on_test", "drowned_by_jitter", "stopped_too_early"} <= checks(found)
    assert any("once the run is done" in row.why for row in found.not_judged)
    path = tmp_path / "plan.json"
    path.write_text(spec.model_dump_json())
    assert main(["doctor", "--spec", str(path), "--store", str(tmp_path), "--json"]) == 0
    assert {row["check"] for row in json.loads(capsys.readouterr().out)["findings"]} == checks(found)


def test_what_is_unusual_in_the_data_is_found_before_anything_is_trained(store, demo_files, tmp_path):
    files = {"data.windows": str(demo_files["windows"]), "data.bars": str(demo_files["bars"])}
    sound = change(preset("quick").finetune(), files)
    healthy = doctor.planned(sound, store.root)
    assert not [one for one in healthy.findings if one.check.startswith("unusual_")]
    measured = {one.name for one in healthy.vitals}
    assert {"unlike_bars", "class_by_group", "span_movement", "neighbours_class", "trained_share"} <= measured
    assert not measured & {"predicted_again", "kept_epoch", "gradient_size"}, "nothing has been trained"
    why = {row.check: row.why for row in healthy.not_judged}
    assert why["unusual_network"] == "Quantities of the network are known once the run is done."

    frame = pd.read_parquet(demo_files["windows"])
    frame["label"] = frame["grade"]
    frame.to_parquet(tmp_path / "graded.parquet")
    graded = doctor.planned(change(sound, {"data.windows": str(tmp_path / "graded.parquet")}), store.root)
    (found,) = [one for one in graded.findings if one.check == "unusual_labels"]
    assert "class_by_group" in found.evidence["signs"] and found.evidence["windows"]


@pytest.fixture(scope="module")
def logistic(store, demo_files):
    return run_of(store, demo_files, estimator="logistic")


def test_a_baseline_is_checked_by_what_it_predicts(logistic):
    seen = doctor.examined(logistic)
    of_networks = {check.id for check in CHECKS.values() if check.networks_only and "finetune" in check.kinds}
    not_judged = {row.check: row.why for row in seen.not_judged}
    assert of_networks and of_networks <= set(not_judged)
    assert {not_judged[name] for name in of_networks} == {
        "It is judged of networks only, and the model logistic is none."
    }
    assert "as simple as" in not_judged["simple_model"]
    assert {"overlapping_folds", "constant_folds", "miscalibrated"} <= {*seen.passed, *checks(seen)}
    assert [row["check"] for row in logistic.result("doctor")["findings"]] == [one.check for one in seen.findings]


def test_what_a_baseline_s_fix_changes_is_what_it_reads(logistic):
    gains = {part: {"value": -1.5, "low": -1.9, "high": -1.1} for part in ("center", "length")}
    facts = {"tasks": "both", "pointers": 60, "pointer_gains": gains}
    check = [CHECKS["pointers_no_better"]]
    (finding,) = examine(Case("finetune", facts, logistic.spec, logistic.id), check).findings
    assert parse(finding.spec).estimator == "locate_then_classify" and "searches each window" in finding.advice
    searching = change(logistic.spec, {"estimator": "locate_then_classify"})
    (finding,) = examine(Case("finetune", facts, searching), check).findings
    assert finding.spec is None and "epochs" not in finding.advice
    planted = change(searching, {"faults.shuffled_pointers": True})
    (finding,) = examine(Case("finetune", facts, planted), check).findings
    assert parse(finding.spec).faults.shuffled_pointers is False


def test_the_baselines_of_a_study_are_not_checked_one_by_one(logistic):
    assert doctor.looks_at(logistic)
    arm = Store(logistic.store_root).create(logistic.spec, parent=logistic.id)
    assert not doctor.looks_at(arm)
    with pytest.raises(RunError, match="not a run that the doctor can check"):
        doctor.examined(arm)


def test_the_command_prints_findings_of_a_run_and_what_was_not_judged(faulty, capsys):
    arguments = ["doctor", faulty.id, "--store", str(faulty.store_root)]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    keys = {"check", "severity", "summary", "evidence", "advice", "spec"}
    assert found["findings"] and all(keys <= set(row) for row in found["findings"])
    assert all({"check", "why"} <= set(row) for row in found["not_judged"])
    assert main(arguments) == 0
    assert "--launch head_too_wide" in capsys.readouterr().out


def test_the_command_launches_a_fix(faulty, capsys, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    arguments = ["doctor", faulty.id, "--store", str(faulty.store_root), "--launch"]
    assert main([*arguments, "head_too_wide", "--json"]) == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    spec = Store(faulty.store_root).open(run_id).spec
    assert spec.faults.extra_output == 0 and spec.faults.shuffled_folds and len(started) == 1
    assert main([*arguments, "head_to_wide"]) == 2
    assert "head_too_wide" in capsys.readouterr().err


def test_figures_of_a_file_and_of_the_example(capsys, tmp_path, demo_files):
    assert main(["doctor", "--example", "--json"]) == 0
    example = json.loads(capsys.readouterr().out)
    assert main(["doctor", str(EXAMPLE), "--windows", str(demo_files["windows"]), "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert [row["check"] for row in example["findings"]] == [row["check"] for row in given["findings"]]
    assert all(row["spec"]["data"]["windows"] for row in given["findings"])
    (tmp_path / "wrong.json").write_text('{"acuracy": 1}')
    assert main(["doctor", str(tmp_path / "wrong.json")]) == 2
    assert "Did you mean accuracy" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--host", "--example"], ["gone.json"], ["20200101-000000-000-abcd"]])
def test_wrong_requests_end_with_a_sentence(arguments, capsys, tmp_path):
    assert main(["doctor", *arguments, "--store", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("moola: ")


def test_the_spec_asks_for_one_thing():
    with pytest.raises(SpecError, match="needs run"):
        build(Diagnose, {"name": "doctor"})


def test_arms_of_unequal_size_are_named_in_a_comparison(store, demo_files):
    small, large = run_of(store, demo_files, epochs=1), run_of(store, demo_files, epochs=1, hidden=8, dropout=0.1)
    longer = run_of(store, demo_files, epochs=2, weight_decay=0.1)

    def looked_at(*runs):
        run = store.create(build(Compare, {"runs": [one.id for one in runs]}))
        worker.run(run)
        return {finding.check: finding for finding in restore(Diagnosis, run.result("doctor")).findings}

    assert "arms_differ" not in looked_at(small, large), "size is what is compared"
    found = looked_at(small, longer)["arms_differ"]
    assert found.severity == "error" and "epochs" in found.summary and "underpowered" in looked_at(small, large)
