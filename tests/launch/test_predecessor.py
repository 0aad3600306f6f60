"""The predecessor's checkpoint as the README's line gives it: what the file itself says is taken from it."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from moola_core.cli import main
from moola_core.errors import CheckpointError
from moola_core.launch.worker import ahead, diagnose
from moola_core.market.demo import make_demo, write_demo
from moola_core.models.encoders import make_encoder
from moola_core.presets import PRESETS
from moola_core.runs.checkpoints import refuse_contradiction, start_from, with_settings
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Model, Pretrain, change
from moola_core.studies import study
from tests.models.test_checkpoint import predecessors
from tests.weight_files.generated import refused_contents, trained

QUICK = [f"--set={text}" for text in ("epochs=1", "repeats=1", "folds=2", "processes=1")]
README = ["--set", "schedule=frozen", "--set", "layers=2", "--set", "hidden=4"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("small"), make_demo("helpful", 6_000, 20, 3))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(3)
    return predecessors(tmp_path_factory.mktemp("old") / "old.pt", make_encoder(12, Model(layers=2, hidden=4)))


@pytest.fixture
def finetune(capsys, tmp_path, files, checkpoint, monkeypatch):
    """`moola finetune` from the checkpoint: exit status, what was printed, and the runs of the store."""
    monkeypatch.setattr(diagnose, "RUN_DIAGNOSTICS", {})

    def run(*words):
        command = ["finetune", "--windows", files["windows"], "--store", tmp_path, "--checkpoint", checkpoint, *QUICK]
        status = main([str(word) for word in (*command, *words, "--json")])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else {}, err, Store(tmp_path).runs()

    return run


@pytest.mark.parametrize("preset", PRESETS)
def test_the_readmes_line_works_as_written_with_every_preset(finetune, checkpoint, preset, tmp_path):
    status, found, err, _ = finetune(*README, "--preset", preset)
    assert status == 0, err
    run = Store(tmp_path).open(found["run_id"])
    assert run.spec.features.columns == ("relativity",) and not run.spec.features.standardise
    kept = load_file(run.replicates()[(0, 0)] / "weights.safetensors")
    theirs = torch.load(checkpoint, weights_only=False)["model_state_dict"]
    for name, tensor in theirs.items():
        if name.startswith("encoder."):
            assert np.array_equal(kept[name.replace("encoder.", "encoder.lstm.")], tensor.numpy())
    assert (kept["scale.mean"] == 0).all() and (kept["scale.std"] == 1).all()


def test_the_settings_that_the_file_gives_need_not_be_said(finetune, files, tmp_path):
    status, found, err, _ = finetune("--preset", "quick", "--bars", files["bars"])
    spec = Store(tmp_path).open(found["run_id"]).spec if status == 0 else None
    assert spec is not None, err
    assert (spec.model.layers, spec.model.hidden, spec.model.normalisation) == (2, 4, "none")
    assert spec.features.state == "streaming"  # the predecessor computed its features once over all bars


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("hidden=8", "model.hidden is 8 in the settings and 4 in the checkpoint"),
        ("layers=1", "model.layers is 1 in the settings and 2 in the checkpoint"),
        ("normalisation=batch", "model.normalisation is batch in the settings and none in the checkpoint"),
        ("standardise=true", "features.standardise is true in the settings and false in the checkpoint"),
        ('columns=["open_norm"]', "features.columns is open_norm in the settings and relativity in the checkpoint"),
    ],
)
def test_a_setting_that_contradicts_the_file_is_refused_naming_both_and_makes_no_run(finetune, setting, words):
    status, _, err, runs = finetune("--set", setting)
    assert (
        status == 2
        and words in err
        and "or give --set" in err
        and "old.pt" in err
        and err.count("\n") == 1
        and runs == []
    )


@pytest.mark.parametrize("content", [b"junk", b"PK\x03\x04 torn", b""])
def test_a_file_that_is_no_checkpoint_makes_no_run(capsys, files, tmp_path, content):
    (tmp_path / "bad.pt").write_bytes(content)
    words = ["--windows", files["windows"], "--checkpoint", tmp_path / "bad.pt", "--store", tmp_path / "s"]
    assert main(["finetune", *map(str, words)]) == 2
    assert "bad.pt" in capsys.readouterr().err and Store(tmp_path / "s").runs() == []


@pytest.mark.parametrize("content", ["gru", "one direction", "not a number", "two encoders", "acts", "missing bias"])
def test_an_encoder_that_cannot_be_used_makes_no_run(capsys, files, tmp_path, content):
    made, reason = refused_contents()[content]
    torch.save(made, tmp_path / "bad.pt")
    words = ["--windows", files["windows"], "--checkpoint", tmp_path / "bad.pt", "--store", tmp_path / "s", *QUICK]
    assert main(["finetune", *map(str, words)]) == 2
    assert re.search(reason, capsys.readouterr().err) and Store(tmp_path / "s").runs() == []


def test_of_two_encoders_the_one_that_is_named_is_taken(finetune, tmp_path):
    state = {
        f"teacher.encoder.{name}": tensor
        for name, tensor in trained(torch.nn.LSTM(12, 4, bidirectional=True)).state_dict().items()
    }
    state |= {
        f"student.encoder.{name}": tensor
        for name, tensor in trained(torch.nn.LSTM(12, 5, bidirectional=True)).state_dict().items()
    }
    torch.save(state, tmp_path / "two.pt")
    status, _, err, _ = finetune("--checkpoint", tmp_path / "two.pt", "--set", "schedule=frozen")
    assert status == 2 and "--set transfer.encoder_name=student.encoder" in err
    changes = "--set", "schedule=frozen", "--set", "encoder_name=student.encoder"
    status, found, err, _ = finetune("--checkpoint", tmp_path / "two.pt", *changes)
    assert status == 0, err
    run = Store(tmp_path).open(found["run_id"])
    kept = load_file(run.replicates()[(0, 0)] / "weights.safetensors")
    assert np.array_equal(kept["encoder.lstm.weight_ih_l0"], state["student.encoder.weight_ih_l0"].detach().numpy())


def test_columns_that_a_file_does_not_show_are_asked_for(finetune, tmp_path):
    encoder = trained(torch.nn.LSTM(4, 4, bidirectional=True))
    torch.save({f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}, tmp_path / "four.pt")
    status, _, err, runs = finetune("--checkpoint", tmp_path / "four.pt", "--set", "schedule=full")
    assert status == 2 and "which columns" in err and "--set features.columns=price_path" in err and runs == []
    status, _, err, _ = finetune(
        "--checkpoint", tmp_path / "four.pt", "--set", "schedule=full", "--set", 'columns=["price_path"]'
    )
    assert status == 0, err


def test_a_class_that_a_file_names_is_not_imported(finetune, tmp_path):
    spec = Pretrain().model_dump(mode="json")
    spec["model"]["encoder"] = "antigravity:Encoder"
    description = {"kind": "pretrain", "features": ["a"] * 12, "spec": spec}
    save_file(
        {"encoder.w": np.ones((2, 12), np.float32) + np.eye(2, 12, dtype=np.float32)},
        tmp_path / "c.safetensors",
        {"description": json.dumps(description)},
    )
    status, _, err, runs = finetune("--checkpoint", tmp_path / "c.safetensors", "--set", "schedule=full")
    assert status == 2 and "no module is imported" in err and runs == [] and "antigravity" not in sys.modules


def test_check_describes_a_checkpoint(capsys, checkpoint):
    assert main(["check", str(checkpoint), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["kind"], shown["ok"], shown["layers"], shown["hidden"], shown["inputs"]) == (
        "checkpoint",
        True,
        2,
        4,
        12,
    )
    assert shown["settings"]["model.normalisation"] == "none" and shown["name"] == "model_state_dict.encoder"
    assert main(["check", str(checkpoint)]) == 0
    assert "--checkpoint" in capsys.readouterr().out


def test_a_run_from_scratch_of_any_size_contradicts_nothing(checkpoint, tmp_path):
    shared = start_from(str(checkpoint), "frozen", tmp_path)
    spec = change(Finetune(), shared | {"model.hidden": 8})
    with pytest.raises(CheckpointError, match=r"model\.hidden is 8"):
        refuse_contradiction(spec, tmp_path)
    refuse_contradiction(change(spec, {"transfer.schedule": "none"}), tmp_path)


@pytest.mark.parametrize(
    ("made", "words"),
    [((12, 8, 5), "no run may have: layers=5"), ((12, 2, 1), "hidden=2"), ((64, 8, 1), "there are 16 features")],
)
def test_an_encoder_of_a_size_that_no_run_may_have_makes_no_run(finetune, tmp_path, made, words):
    torch.save(trained(torch.nn.LSTM(*made, bidirectional=True)).state_dict(), tmp_path / "a.pt")
    status, _, err, runs = finetune("--checkpoint", tmp_path / "a.pt", "--set", "schedule=full")
    assert status == 2 and words in err and "a.pt" in err and runs == []


@pytest.mark.parametrize("given", [{}, {"dropout": "0.1"}, {"layers": "2", "hidden": "4"}])
def test_a_study_takes_its_settings_from_the_file_too(checkpoint, files, tmp_path, given):
    changes = with_settings(str(checkpoint), tmp_path, given)
    data = {kind: str(files[kind]) for kind in ("windows", "bars")}
    made = study("transfer", "quick", data, changes, str(checkpoint))
    ahead.refuse(made, tmp_path)
    assert (made.base.model.layers, made.base.model.hidden, made.base.features.columns) == (2, 4, ("relativity",))
    assert with_settings("", tmp_path, given) == given
    wrong = with_settings(str(checkpoint), tmp_path, {"hidden": "8"})
    with pytest.raises(CheckpointError, match=r"--set model\.hidden=4"):
        ahead.refuse(study("transfer", "quick", data, wrong, str(checkpoint)), tmp_path)
