"""Which processor is used, and the refusal of a card that torch cannot use."""

from __future__ import annotations

import pytest
import torch

from moola_core.errors import DeviceError
from moola_core.specs import Pretraining, Training
from moola_core.training import device as room
from moola_core.training.device import resolve_device, seed_torch


@pytest.fixture
def host(monkeypatch):
    """A host with the given card and torch's view of it."""

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(card: str, usable: bool) -> None:
        monkeypatch.setattr(room, "_card", lambda: card)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: card.partition(",")[0])

    return make


def test_auto_is_the_cpu_where_there_is_no_card(host):
    host("", usable=False)
    assert resolve_device(Training()).kind == "cpu"


def test_auto_refuses_a_card_that_torch_cannot_use(host):
    host("RTX 4090, driver 525.60", usable=False)
    with pytest.raises(DeviceError) as error:
        resolve_device(Training(device="auto"))
    for part in ("RTX 4090", "driver 525.60", torch.__version__, "training.device=cpu", "TORCH=system"):
        assert part in str(error.value)


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_cards_that_are_hidden_on_purpose_are_no_reason_to_refuse(host, monkeypatch, hidden):
    host("RTX 4090, driver 525.60", usable=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert resolve_device(Training()).kind == "cpu"
    with pytest.raises(DeviceError):
        resolve_device(Training(device="cuda"))


def test_cpu_is_the_cpu_even_beside_a_card(host):
    host("RTX 4090, driver 525.60", usable=True)
    assert resolve_device(Training(device="cpu")).kind == "cpu"


def test_cuda_without_a_card_is_refused(host):
    host("", usable=False)
    with pytest.raises(DeviceError, match="No NVIDIA card"):
        resolve_device(Training(device="cuda"))


@pytest.mark.parametrize(("asked", "found"), [("auto", "float32"), ("bf16", "bf16"), ("float32", "float32")])
def test_precision_on_a_card(host, asked, found):
    host("RTX 4090, driver 570.1", usable=True)
    used = resolve_device(Training(precision=asked))
    assert (used.kind, used.name, used.precision) == ("cuda", "RTX 4090", found)
    large = resolve_device(Pretraining(precision=asked)).precision  # its steps are large
    assert large == ("bf16" if asked == "auto" else found)


def test_float32_on_a_card_is_not_rounded_inside_its_networks():
    before = torch.backends.cudnn.allow_tf32
    for kind, precision, held in (("cuda", "float32", True), ("cuda", "bf16", False), ("cpu", "float32", False)):
        with room.exact(room.Device(kind, kind, precision)):
            assert torch.backends.cudnn.allow_tf32 == (before and not held)
        assert torch.backends.cudnn.allow_tf32 == before


def test_the_card_is_read_from_nvidia_smi(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA L4, 535.161.08'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert room._card() == "NVIDIA L4, driver 535.161.08"


@pytest.mark.parametrize("usable", [False, True])
def test_the_random_stream_is_that_of_torchs_own_seed(host, usable):
    host("", usable)
    torch.manual_seed(7)
    wanted = torch.rand(5)
    seed_torch(7)
    assert torch.equal(torch.rand(5), wanted)
