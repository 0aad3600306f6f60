"""Which engine is chosen, and that the reason is said."""

from __future__ import annotations

import pytest

from moola_core.training.device import Device
from moola_core.training.engine import choose_engine
from moola_core.training.finetune import fit_all
from tests.training.test_replicas import folds_of, some_inputs
from tests.training.windows import make_spec

CPU, CARD = Device("cpu", "cpu", "float32"), Device("cuda", "H200", "bf16")


@pytest.mark.parametrize(
    ("settings", "device", "fits", "name", "why"),
    [
        ({}, CPU, 50, "sequential", "On a CPU"),
        ({}, CARD, 50, "replicas", "50 small fits"),
        ({}, CARD, 1, "sequential", "one fit"),
        ({"batch_size": 4096, "hidden": 512}, CARD, 50, "sequential", "large enough"),
        ({"engine": "replicas"}, CPU, 1, "replicas", "training.engine=replicas"),
        ({"engine": "sequential"}, CARD, 50, "sequential", "training.engine=sequential"),
    ],
)
def test_the_engine_follows_device_and_size_unless_it_is_named(settings, device, fits, name, why):
    chosen = choose_engine(make_spec(**settings), device, fits)
    assert chosen.name == name and why in chosen.why


def test_fit_all_uses_the_engine_that_is_chosen(monkeypatch):
    used = []
    monkeypatch.setattr(
        "moola_core.training.finetune.fit_replicas",
        lambda spec, inputs, folds, *rest: used.extend(fold.fold for fold in folds) or iter(()),
    )
    inputs = some_inputs()
    for engine in ("auto", "replicas"):
        spec = make_spec(epochs=1, engine=engine, device="cpu")
        folds = [fold for fold in folds_of(inputs, spec) if fold.fold != 1]
        done = list(fit_all(spec, inputs, folds, lambda event: None))
        assert len(done) == (2 if engine == "auto" else 0)
    assert used == [0, 2]
