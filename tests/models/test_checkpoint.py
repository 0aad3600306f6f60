from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from moola_core.errors import CheckpointError
from moola_core.models.checkpoint import load_pretrained, put_weights, weights_of
from moola_core.models.encoders import Encoder, make_encoder
from moola_core.specs import Model

MODEL = Model(layers=2, hidden=4)


def predecessors(path: Path, encoder: Encoder) -> Path:
    """A file as the predecessor wrote it: the LSTM's own names, numpy scalars among the numbers."""
    state = {f"encoder.{name.removeprefix('lstm.')}": tensor for name, tensor in encoder.state_dict().items()}
    state |= {"decoder.weight": torch.zeros(3, 8), "log_sigma": torch.zeros(())}
    metrics = {"val_mae": np.float64(0.00998), "n": np.float32(1)}
    torch.save(
        {"epoch": 19, "model_state_dict": state, "metrics": metrics, "config": {"model": {"hidden_size": 4}}}, path
    )
    return path


def test_the_predecessors_encoder_gives_its_output(tmp_path):
    torch.manual_seed(1)
    theirs = torch.nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    source = make_encoder(3, MODEL)
    source.lstm.load_state_dict(theirs.state_dict())
    found = load_pretrained(predecessors(tmp_path / "old.pt", source))
    ours = make_encoder(3, MODEL)
    put_weights(ours, found.weights)
    x = torch.randn(2, 9, 3)
    assert torch.allclose(ours.eval()(x), theirs(x)[0], atol=1e-6)
    assert found.features is None and (found.mean == 0).all() and (found.std == 1).all()


def test_a_file_that_runs_code_is_refused_and_runs_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"model_state_dict": {"encoder.weight_ih_l0": Bomb()}}, tmp_path / "bomb.pt")
    with pytest.raises(CheckpointError, match="could run code"):
        load_pretrained(tmp_path / "bomb.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("none.pt", None, "no such checkpoint"), ("torn.safetensors", b"\xff" * 20, "cannot be read")],
)
def test_files_that_are_no_checkpoints_say_so(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        load_pretrained(tmp_path / name)


def test_a_missing_key_names_what_is_there(tmp_path):
    torch.save({"model_state_dict": {"decoder.weight": torch.zeros(2)}}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"no encoder: .*; it holds 1 tensors: .*decoder\.weight"):
        load_pretrained(tmp_path / "a.pt")


def test_other_features_and_sizes_are_refused_with_the_differences(tmp_path):
    arrays = {f"encoder.{name}": value for name, value in weights_of(make_encoder(2, MODEL)).items()}
    scale = {"scale.mean": np.ones(2, np.float32), "scale.std": np.full(2, 3, np.float32)}
    save_file(arrays | scale, tmp_path / "a.safetensors")
    (tmp_path / "a.json").write_text(json.dumps({"features": ["body_pct", "range_z"]}))
    found = load_pretrained(tmp_path / "a.safetensors")
    assert found.features == ("body_pct", "range_z") and found.mean.tolist() == [1, 1]
    found.check_features(("body_pct", "range_z"))
    with pytest.raises(CheckpointError, match="it has range_z; the run has open_norm"):
        found.check_features(("body_pct", "open_norm"))
    with pytest.raises(CheckpointError, match="another order"):
        found.check_features(("range_z", "body_pct"))
    with pytest.raises(CheckpointError) as refused:
        found.check_model(Model(layers=1, hidden=8))
    assert "layers 2, hidden 4, the run's layers 1, hidden 8" in str(refused.value)
    assert "--set model.layers=2 --set model.hidden=4" in refused.value.hint
    (tmp_path / "a.json").unlink()
    with pytest.raises(CheckpointError, match="reads 2 features, the run has 3"):
        load_pretrained(tmp_path / "a.safetensors").check_features(("a", "b", "c"))
