"""Figures without a run: the run that failed yields all that methods.md lists, each with its arithmetic."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
import torch

from moola_core.diagnostics.doctor import examine
from moola_core.diagnostics.doctor.reported import load, lstm_parameters, plain, reported_case
from moola_core.diagnostics.results.doctor import EXAMPLE, FIGURES
from moola_core.errors import DataError
from moola_core.presets import preset
from moola_core.specs import change, parse

FORMS = {
    "test_metrics": {"val_loss": -3.55, "val_mae": 0.00998},
    "train_metrics": [],
    "windowed_config": {"window_length": 105, "jitter_sigma": 0.03},
    "config": {"model": {"input_size": 12, "hidden_size": 128, "num_layers": 2}},
}


@pytest.fixture(scope="module")
def october():
    return {finding.check: finding for finding in examine(reported_case(load(EXAMPLE))).findings}


@pytest.mark.parametrize(
    ("check", "arithmetic"),
    [
        ("constant_folds", "4/5·2·0.534/(1+0.534) = 0.557"),
        (
            "worse_than_majority",
            "0.528; always predicting the most frequent class gives 0.534: difference -0.006, 95% from -0.081 to +0.068",
        ),
        (
            "head_too_wide",
            "16,448 (trunk) + 3·65 (classes) + 130 (pointer) + 2 (σ) = 16,775; 2 outputs would make it 16,710",
        ),
        ("loss_at_chance", "ln 3 = 1.099"),
        ("target_visible", "0.0239 = 0.03·√(2/π)"),
        ("pcgrad_idle", "63% of the steps conflict and 3.0% are projected"),
        ("stopped_too_early", "5 epochs without gain"),
        ("calibration_noise", "0.179"),
        ("frozen_bottleneck", "540,672 parameters (97%)"),
        ("frozen_bottleneck", "Believed were 512 (3%)"),
        ("units", "0.02·105 = 2.1 bars"),
    ],
)
def test_the_run_that_failed_yields_every_finding_with_its_arithmetic(october, check, arithmetic):
    assert arithmetic in october[check].summary


def test_nothing_else_is_found_and_causes_come_first(october):
    assert len(october) == 10
    order = list(october)
    assert order.index("head_too_wide") < order.index("loss_at_chance") < order.index("constant_folds")
    assert "head_too_wide" in october["loss_at_chance"].explained_by


def test_sizes_are_those_that_torch_counts():
    for inputs, layers, hidden in ((12, 2, 128), (4, 1, 8), (16, 3, 5)):
        lstm = torch.nn.LSTM(inputs, hidden, layers, bidirectional=True)
        assert lstm_parameters(inputs, layers, hidden)[0] == sum(p.numel() for p in lstm.parameters())
    trunk = [torch.nn.Linear(256, 64), torch.nn.Linear(64, 3), torch.nn.Linear(64, 2)]
    assert sum(p.numel() for layer in trunk for p in layer.parameters()) + 2 == 16775


def test_the_honest_band_is_that_of_simulated_honest_models():
    facts = reported_case(load(EXAMPLE)).facts
    rng, values = np.random.default_rng(5), []
    for _ in range(400):
        p = np.clip(rng.normal(93 / 174, 0.08, 170), 0.01, 0.99)
        y = rng.random(170) < p
        folds = np.arange(170) % 5
        each = []
        for fold in range(5):
            q, z = p[folds == fold], y[folds == fold]
            edges = np.linspace(0, 1, 16)
            inside = [(q > a) & (q <= b) for a, b in itertools.pairwise(edges)]
            each.append(sum(abs(z[i].mean() - q[i].mean()) * i.mean() for i in inside if i.any()))
        values.append(np.mean(each))
    assert facts["ece_calibrated_median"] == pytest.approx(np.median(values), abs=0.03)
    assert facts["ece_calibrated_95"] == pytest.approx(np.quantile(values, 0.95), abs=0.03)


def test_a_healthy_report_yields_nothing():
    figures = {
        "n_windows": 174,
        "class_counts": [81, 93],
        "folds": 5,
        "accuracy": 0.75,
        "f1": [0.74, 0.76],
        "recall": [0.73, 0.77],
        "loss_class": 0.52,
        "masked_mae": 0.1,
        "feature_mean_mae": 0.28,
        "pretrain_jitter_std": 0.0,
        "conflict_rate": 0.5,
        "projection_rate": 0.5,
        "patience": 20,
        "center_mae_bars": 1.9,
        "window_bars": 105,
    }
    found = examine(reported_case(figures))
    assert not found.findings and len(found.passed) >= 6


def test_the_predecessors_pretraining_file_is_read(tmp_path):
    path = tmp_path / "training_results.json"
    path.write_text(json.dumps(FORMS))
    figures = load(path)
    assert figures == {"masked_mae": 0.00998, "pretrain_jitter_std": 0.03, "window_bars": 105}
    found = examine(reported_case(figures))
    assert [finding.check for finding in found.findings] == ["target_visible"] and len(found.not_judged) > 8


def test_the_predecessors_cross_validation_is_read_with_its_folds(tmp_path):
    def fold(number: int, cons: float) -> dict:
        metrics = {"accuracy": 0.5, "recall_cons": cons, "recall_retr": 1 - cons}
        stats = {"conflict_rate": 0.6 + 0.01 * number, "projection_rate": 0.03, "avg_cos_sim": -0.05}
        return {"fold": number, "best_metrics": metrics, "conflict_stats": stats}

    averages = {
        "accuracy": 0.528,
        "f1_cons": 0.15,
        "f1_retr": 0.561,
        "recall_cons": 0.2,
        "recall_retr": 0.8,
        "ece": 0.179,
        "center_mae": 10.0,
        "loss_type": 1.049,
        "loss_ptr": 0.017,
        "accuracy_std": 0.02,
    }
    config = {"n_epochs": 20, "batch_size": 16, "use_pcgrad": True, "pcgrad_threshold": -0.3, "freeze_encoder": True}
    path = tmp_path / "cv_summary.json"
    path.write_text(
        json.dumps(
            {"avg_metrics": averages, "fold_results": [fold(i, float(i == 0)) for i in range(5)], "config": config}
        )
    )
    figures = load(path)
    assert (
        figures["conflict_rate"] == pytest.approx(0.62)
        and figures["recall"] == [0.2, 0.8]
        and figures["batch_size"] == 16
    )
    found = {finding.check: finding for finding in examine(reported_case(figures)).findings}
    assert "In 5 of 5 folds" in found["constant_folds"].summary and "pcgrad_idle" in found


def test_mends_can_be_launched_on_the_windows_that_the_report_is_about():
    spec = change(preset("recommended").finetune(), {"data.windows": "here.parquet"})
    found = examine(reported_case(load(EXAMPLE), spec=spec))
    assert all(parse(finding.spec).data.windows == "here.parquet" for finding in found.findings)
    assert all(finding.spec is None for finding in examine(reported_case(load(EXAMPLE))).findings)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"acuracy": 0.5}, "Did you mean accuracy"),
        ({}, "not a figure"),
        ({"accuracy": "high"}, "cannot be"),
        ({"recall": [0.5]}, "cannot be"),
        ({"encoder": {"layers": 2}}, "cannot be"),
        ({"accuracy": math.inf}, "cannot be"),
    ],
)
def test_wrong_figures_are_named(figures, words):
    with pytest.raises(DataError, match=words):
        plain(figures)


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "gone.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(DataError, match=r"list\.json"):
        load(tmp_path / "list.json")


def test_the_example_uses_known_figures_only():
    assert set(json.loads(EXAMPLE.read_text())) - {"about"} <= set(FIGURES)


@pytest.mark.parametrize("size", [10**30, 0, -1, float("nan"), True])
@pytest.mark.parametrize("part", ["inputs", "layers", "hidden"])
def test_an_encoder_of_a_size_that_cannot_be_is_refused_before_its_parameters_are_counted(part, size):
    sizes = {"inputs": 12, "layers": 2, "hidden": 64}
    assert plain({"encoder": sizes})
    with pytest.raises(DataError, match="encoder"):
        plain({"encoder": sizes | {part: size}})
