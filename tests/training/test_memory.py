"""How many fits at once the memory holds, and what they take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import psutil
import pytest

from moola_core.host.engine import REPLICAS, Engine
from moola_core.training import memory
from moola_core.training.device import Device
from moola_core.training.group import Group
from moola_core.training.memory import Peak, free_mb, most_at_once
from moola_core.training.replicas import fit_replicas
from tests.training.test_replicas import folds_of, furthest, some_inputs
from tests.training.windows import make_spec


def device_of(fit_mb, at_once=10):
    return Device("cpu", "cpu", "float32", Engine(REPLICAS, "", at_once=at_once, fit_mb=fit_mb))


@pytest.mark.parametrize(("fit_mb", "expected"), [(0.0, 10), (1.0, 10), (200.0, 4), (800.0, 1), (5000.0, 1)], ids=str)
def test_as_many_fits_as_the_free_memory_holds_and_at_least_one(monkeypatch, fit_mb, expected):
    monkeypatch.setattr(memory, "free_mb", lambda kind: 1000.0)
    assert most_at_once(device_of(fit_mb), 10) == expected


def test_what_is_free_on_a_cpu_is_what_the_operating_system_says():
    assert free_mb("cpu") == pytest.approx(psutil.virtual_memory().available / 1e6, rel=0.2)


def test_the_most_memory_is_measured_though_it_was_given_back():
    peak = Peak("cpu")
    if peak.mb() is None:
        pytest.skip("this host does not say how much memory a process took")
    block = np.ones(40_000_000)
    del block
    assert 250 < peak.mb() < 500  # 320 MB


def test_fits_are_fewer_at_a_time_before_memory_is_short_and_have_the_same_numbers(monkeypatch):
    inputs, spec, sizes = some_inputs(), make_spec(epochs=2), []
    step = Group.step
    monkeypatch.setattr(Group, "step", lambda self, split: (sizes.append(len(self.fits)), step(self, split))[1])

    def fitted(device):
        sizes.clear()
        events = []
        made = list(fit_replicas(spec, inputs, folds_of(inputs, spec), events.append, device))
        texts = [event.values["message"] for event in events if event.type == "log"]
        return sorted(made, key=lambda one: one.fold), max(sizes), texts

    whole, most, texts = fitted(device_of(0.0))
    assert most == 3 and texts == []
    monkeypatch.setattr(memory, "free_mb", lambda kind: 1000.0)
    few, most, texts = fitted(device_of(400.0))
    assert most == 2 and texts == ["The free memory holds 2 fits at a time, as measured on this host."]
    assert all(furthest(a, b) < 1e-5 for a, b in zip(whole, few, strict=True))


def test_what_a_record_kept_of_an_engine_has_its_memory():
    engine = replace(device_of(12.5).engine, why="why")
    assert Engine.of(engine.settings(), "why") == engine
