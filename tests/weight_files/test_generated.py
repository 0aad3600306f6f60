from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.errors import CheckpointError
from moola_core.features.catalog import FEATURES
from moola_core.models.checkpoint import load_pretrained, put_weights
from moola_core.models.encoders import make_encoder
from moola_core.specs import Model
from moola_core.weight_files import describe
from tests.weight_files.generated import (
    Expected,
    Wrapped,
    random_file,
    refused_contents,
    spoilt_files,
    trained,
    wrapped_files,
)

CONTENTS = refused_contents()


def check(path, expected: Expected) -> None:
    """The file is read to the output that is expected of it, with no more settings to give than it says itself."""
    described, start = describe(path), load_pretrained(path)
    own = described.settings()
    assert {name: own[name] for name in expected.settings} == expected.settings
    model = Model(layers=start.layers, hidden=start.hidden, normalisation=start.normalisation)
    encoder = make_encoder(described.encoder.inputs, model)
    put_weights(encoder, start.weights)
    with torch.no_grad():
        assert torch.allclose(encoder.eval()(expected.x), expected.output, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(60))
def test_a_generated_file_gives_its_writers_output(tmp_path, seed):
    check(*random_file(np.random.default_rng(seed), tmp_path))


@pytest.mark.soak
def test_1000_generated_files_give_their_writers_output(tmp_path):
    for seed in range(1000, 2000):
        path, expected = random_file(np.random.default_rng(seed), tmp_path)
        check(path, expected)
        path.unlink()


@pytest.mark.parametrize("form", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", CONTENTS)
def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path, capsys, name, form):
    content, words = CONTENTS[name]
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=form)
    with pytest.raises(CheckpointError, match=words):
        load_pretrained(tmp_path / "a.pt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", spoilt_files(b"PK\x03\x04" * 9))
def test_spoilt_files_say_what_they_are(tmp_path, name):
    torch.save({"encoder.weight_ih_l0": torch.zeros(400)}, tmp_path / "whole.pt")
    content, words = spoilt_files((tmp_path / "whole.pt").read_bytes())[name]
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        describe(tmp_path / "a.pt")


@pytest.mark.parametrize("form", [".pt", ".safetensors"])
def test_a_byte_changed_anywhere_is_read_or_refused_and_never_a_crash(tmp_path, form):
    rng = np.random.default_rng(5)
    path, _ = random_file(np.random.default_rng(31), tmp_path)
    content = path.read_bytes()
    for _ in range(60):
        spoilt = bytearray(content[: int(rng.integers(1, len(content)))] if rng.random() < 0.4 else content)
        for place in rng.integers(0, len(spoilt), 12):
            spoilt[place] = int(rng.integers(256))
        (tmp_path / f"spoilt{form}").write_bytes(spoilt)
        try:
            load_pretrained(tmp_path / f"spoilt{form}")
        except CheckpointError as error:
            assert error.hint and "\n" not in error.what


def _network() -> Wrapped:
    torch.manual_seed(8)
    return trained(Wrapped())


@pytest.mark.parametrize("name", wrapped_files(_network()))
def test_a_network_is_read_however_a_program_saves_it(tmp_path, name):
    network = _network()
    wrapped_files(network)[name](tmp_path / "a.pt")
    x = torch.randn(1, 9, 12)
    with torch.no_grad():
        output = network.encoder(x)[0]
    check(tmp_path / "a.pt", Expected(x, output, {"model.layers": 2, "model.hidden": 8, "model.normalisation": "none"}))


def test_a_quantised_network_is_refused_as_one(tmp_path):
    quantised = torch.ao.quantization.quantize_dynamic(_network(), {torch.nn.LSTM}, dtype=torch.qint8)
    torch.save(quantised.state_dict(), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="quantised"):
        describe(tmp_path / "a.pt")


@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
def test_a_tcn_as_this_package_writes_it_is_read_back(tmp_path, normalisation):
    model = Model(encoder="tcn", layers=2, hidden=6, normalisation=normalisation)
    encoder = trained(make_encoder(12, model))
    torch.save({f"network.encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}, tmp_path / "a.pt")
    start = load_pretrained(tmp_path / "a.pt")
    assert (start.kind, start.layers, start.hidden, start.normalisation) == ("tcn", 2, 6, normalisation)
    read = make_encoder(12, model)
    put_weights(read, start.weights)
    x = torch.randn(1, 20, 12)
    with torch.no_grad():
        assert torch.equal(read.eval()(x), encoder(x))


def test_columns_scale_and_length_are_taken_from_what_the_file_says(tmp_path):
    names = [column.name for column in FEATURES[:5]]
    state = {f"encoder.{name}": t for name, t in trained(torch.nn.LSTM(5, 6, bidirectional=True)).state_dict().items()}
    scaler = {"mean": [0.5] * 5, "std": [2.0] * 5}
    config = {"data": {"seq_len": 60, "feature_names": names}}
    torch.save({"state_dict": state, "config": config, "scaler": scaler}, tmp_path / "a.pt")
    described, start = describe(tmp_path / "a.pt"), load_pretrained(tmp_path / "a.pt")
    assert described.settings()["features.columns"] == tuple(names) and described.window_bars == 60
    assert described.settings()["features.standardise"] and (start.mean == 0.5).all() and (start.std == 2).all()
    assert (
        start.features == tuple(names)
        and "windows of 60 bars" in start.notes_for(105)[-1]
        and start.notes_for(60) == ()
    )


def test_random_weights_are_pointed_out_and_trained_ones_are_not(tmp_path):
    for module, expected in ((torch.nn.LSTM(12, 8, 2, bidirectional=True), True), (_network().encoder, False)):
        torch.save(module.state_dict(), tmp_path / "a.pt")
        assert any("never trained" in note for note in describe(tmp_path / "a.pt").notes) == expected
