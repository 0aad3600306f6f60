"""Measuring this host, in a small form."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from moola_core.host import figures
from moola_core.host.engine import REPLICAS, SEQUENTIAL
from moola_core.launch import host
from moola_core.launch.tuning import measure, simple_models, steps
from moola_core.presets import preset
from moola_core.specs import change

FEATURES = measure.Measuring._features
SMALL = {"model.hidden": 8, "training.batch_size": 8}


@pytest.fixture
def small(monkeypatch, device):
    """One small network and short timings; no other processes, no pre-training, no simple models, no features."""
    spec = steps.step_spec(change(preset("quick").finetune(), SMALL), device)
    shape = measure.shape_of(spec, steps.BARS)
    monkeypatch.setattr(measure, "presets_by_shape", lambda kind: {shape: spec})
    monkeypatch.setattr(measure, "pretrainings", lambda quick: {})
    monkeypatch.setattr(measure, "LEAST_S", {True: 0.01, False: 0.01})
    monkeypatch.setattr(measure, "BUDGET_S", {True: 600.0})
    monkeypatch.setattr(measure, "_process_counts", lambda cores, quick: [])
    monkeypatch.setattr(measure.Measuring, "_features", lambda self: None)
    monkeypatch.setattr(simple_models, "QUICK", {})
    return shape


def test_a_measuring_times_every_way_and_checks_its_numbers(small, device, tmp_path, monkeypatch):
    small_one = change(preset("quick").pretrain(), {"model.hidden": 8})
    monkeypatch.setattr(measure, "pretrainings", lambda quick: {"quick": small_one})
    monkeypatch.setattr(measure, "_process_counts", lambda cores, quick: [2])
    monkeypatch.setattr(measure.Measuring, "_features", FEATURES)
    monkeypatch.setattr(simple_models, "QUICK", {"extra_trees": 1.0})
    measured, path = measure.tune(tmp_path, host.hardware(device), True)
    assert figures.read(tmp_path, measured.hardware) == (measured, "") and path.is_file()
    assert {row.shape for row in measured.rows if row.engine != measure.PRETRAINING} == {small}
    ways = {(row.engine, row.processes) for row in measured.rows}
    assert (SEQUENTIAL, 1) in ways and (REPLICAS, 1) in ways and (device == "cuda" or (SEQUENTIAL, 2) in ways)
    stacked = [row for row in measured.rows if row.engine == REPLICAS]
    assert all(row.memory_mb is not None and 0 <= row.memory_mb < 4000 for row in stacked)
    right = [row for row in measured.rows if row.precision == "float32"]
    assert all(row.step_s and row.error < 1e-3 and not row.reason for row in right)
    assert (
        measured.floors[small.title] > 0 and measured.fit_s("extra_trees") > 0 and not measured.outdated(host.driver())
    )


def test_a_way_with_wrong_numbers_or_that_fails_is_left_out_with_the_reason(small, device, tmp_path, monkeypatch):
    right = steps.gradients
    monkeypatch.setattr(steps, "gradients", lambda *rest: right(*rest) * (2 if rest[-1] > 1 else 1))
    rows = measure.Measuring(host.hardware(device), True).figures().rows
    stacked = [row for row in rows if row.engine == REPLICAS]
    assert stacked and all("is allowed" in row.reason and row.error > 0.5 for row in stacked)

    def breaks(*rest):
        raise ValueError("does not compile\nin line 3")

    monkeypatch.setattr(steps, "gradients", breaks)
    rows = measure.Measuring(host.hardware(device), True).figures().rows
    assert {row.reason for row in rows if row.engine == REPLICAS} == {"It failed: ValueError: does not compile"}
    assert all(row.step_s is None for row in rows if row.engine == REPLICAS)


def test_what_there_is_no_time_for_is_named(small, device, monkeypatch):
    monkeypatch.setattr(measure, "BUDGET_S", {True: 0.0})
    measured = measure.Measuring(host.hardware(device), True).figures()
    assert not measured.rows and any(small.title in text for text in measured.left_out)


HOLD = """
import sys, time
from pathlib import Path
from moola_core.launch import host
with host.alone(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_measure_one_after_the_other_and_a_killed_one_holds_nothing_up(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert other.stdout.readline() == "held\n" and host.measuring(tmp_path)
    waited = []

    def waits():
        waited.append(True)
        os.kill(other.pid, signal.SIGKILL)

    with host.alone(tmp_path, waits):
        assert waited == [True]
    other.communicate()
    assert not host.measuring(tmp_path) and figures.kept(tmp_path, "cpu") is None


def test_the_presets_networks_are_measured_each_shape_once():
    shapes = measure.presets_by_shape("cpu")
    assert {shape.title for shape in shapes} == {"tcn 4×16", "inception 1×16", "bilstm 1×32", "bilstm 2×128"}
    assert not any(spec.model.span_statistics for spec in shapes.values())
    assert {spec.training.batch_size for spec in measure.pretrainings(True).values()} == {64, 256}
    assert measure._process_counts(64, False) == [2, 4, 8, 16, 32, 64] and measure._process_counts(1, False) == []


def test_the_command_prints_and_shows_the_figures(small, device, tmp_path, capsys):
    from moola_core.cli import main

    assert main(["tune", "--show", "--device", device, "--store", str(tmp_path)]) == 2
    assert "not measured yet" in capsys.readouterr().err
    assert main(["tune", "--quick", "--device", device, "--store", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "Steps of fits" in printed and small.title in printed and "Kept in" in printed
    assert main(["tune", "--show", "--json", "--device", device, "--store", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["hardware"]["kind"] == device
