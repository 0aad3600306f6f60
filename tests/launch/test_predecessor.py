"""The predecessor's checkpoint as the README's line gives it: what the file itself says is taken from it."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from moola_core.cli import main
from moola_core.errors import CheckpointError
from moola_core.launch.worker import diagnose
from moola_core.market.demo import make_demo, write_demo
from moola_core.models.encoders import make_encoder
from moola_core.presets import PRESETS
from moola_core.runs import weight_files
from moola_core.runs.checkpoints import refuse_contradiction, settings_of, start_from, state_of
from moola_core.runs.store import Store
from moola_core.specs import Finetune, Model, change
from tests.models.test_checkpoint import predecessors

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
    assert spec.features.state == "continuous"  # the predecessor computed its features once over all bars


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("hidden=8", "model.hidden is 8 in the settings and 4 in the checkpoint"),
        ("layers=1", "model.layers is 1 in the settings and 2 in the checkpoint"),
        ("normalisation=batch", "model.normalisation is batch in the settings and none in the checkpoint"),
        ("standardise=true", "features.standardise is True in the settings and False in the checkpoint"),
        ('columns=["open_norm"]', "features.columns is open_norm in the settings and open_norm, close_norm"),
    ],
)
def test_a_setting_that_contradicts_the_file_is_refused_naming_both_and_makes_no_run(finetune, setting, words):
    status, _, err, runs = finetune("--set", setting)
    assert status == 2 and words in err and "old.pt" in err and err.count("\n") == 1 and runs == []


@pytest.mark.parametrize("content", [b"junk", b"PK\x03\x04 torn", b""])
def test_a_file_that_is_no_checkpoint_makes_no_run(capsys, files, tmp_path, content):
    (tmp_path / "bad.pt").write_bytes(content)
    words = ["--windows", files["windows"], "--checkpoint", tmp_path / "bad.pt", "--store", tmp_path / "s"]
    assert main(["finetune", *map(str, words)]) == 2
    assert "bad.pt" in capsys.readouterr().err and Store(tmp_path / "s").runs() == []


@pytest.mark.parametrize("form", ["zip", "legacy", "bare", "safetensors"])
@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
def test_the_size_of_an_encoder_is_read_from_any_file_without_torch(tmp_path, form, normalisation):
    model = Model(layers=3, hidden=5, normalisation=normalisation)
    state = {f"encoder.{name}": tensor for name, tensor in make_encoder(12, model).state_dict().items()}
    path = tmp_path / ("a.safetensors" if form == "safetensors" else "a.pt")
    if form == "safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        content = state if form == "bare" else {"model_state_dict": state, "metrics": {"loss": np.float64(0.1)}}
        torch.save(content, path, _use_new_zipfile_serialization=form != "legacy")
    assert weight_files.shapes(path) == {name: tuple(tensor.shape) for name, tensor in state.items()}
    found = settings_of(str(path), tmp_path)
    assert {name: found[f"model.{name}"] for name in ("layers", "hidden", "normalisation")} == model.model_dump(
        include={"layers", "hidden", "normalisation"}
    )


def test_the_size_is_read_without_running_code_of_the_file(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    state = {"encoder.weight_ih_l0": torch.zeros(16, 12), "encoder.weight_hh_l0": torch.zeros(16, 4), "other": Bomb()}
    torch.save({"model_state_dict": state}, tmp_path / "bomb.pt")
    assert settings_of(str(tmp_path / "bomb.pt"), tmp_path)["model.hidden"] == 4
    assert not (tmp_path / "ran").exists()


def test_spoilt_files_say_nothing_and_raise_nothing(checkpoint, tmp_path):
    content, rng = checkpoint.read_bytes(), np.random.default_rng(4)
    path = tmp_path / "spoilt.pt"
    for _ in range(60):
        spoilt = bytearray(content[: int(rng.integers(1, len(content)))] if rng.random() < 0.5 else content)
        for place in rng.integers(0, len(spoilt), 20):
            spoilt[place] = int(rng.integers(256))
        path.write_bytes(spoilt)
        assert isinstance(settings_of(str(path), tmp_path), dict) and isinstance(state_of(str(path), tmp_path), str)


def test_a_run_from_scratch_of_any_size_contradicts_nothing(checkpoint, tmp_path):
    shared = start_from(str(checkpoint), "frozen", tmp_path)
    spec = change(Finetune(), shared | {"model.hidden": 8})
    with pytest.raises(CheckpointError, match=r"model\.hidden is 8"):
        refuse_contradiction(spec, tmp_path)
    refuse_contradiction(change(spec, {"transfer.schedule": "none"}), tmp_path)
