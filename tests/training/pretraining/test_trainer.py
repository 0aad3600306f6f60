from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from moola_core.errors import RunError
from moola_core.models.checkpoint import put_weights
from moola_core.specs import Pretrain, Pretraining, change
from moola_core.training.device import resolve_device
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.evaluation import evaluate, representations
from moola_core.training.pretraining.sampling import sample
from moola_core.training.pretraining.trainer import Pretrainer, pretrain
from tests.training.pretraining.test_sampling import NONE, walk

SMALL = {
    "sampling.window_bars": 30,
    "stride_bars": 6,
    "hidden": 6,
    "layers": 1,
    "epochs": 4,
    "batch_size": 50,
    "learning_rate": 5e-3,
}


def trainer(events=None, device="cpu", **changes):
    spec = change(Pretrain(), SMALL | {"training.device": device} | changes)
    bars = walk(3000)
    chosen = sample(bars, spec, NONE)
    windows = BarWindows(bars, None, spec.features, 30, device)
    windows.fit_scale(chosen.train)
    emit = events.append if events is not None else lambda event: None
    return Pretrainer(spec, windows, chosen, resolve_device(spec.training), emit)


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "changes", [{}, {"layers": 2, "dropout": 0.4}, {"objective.name": "contrastive", "temperature": 0.3}]
)
def test_resumed_ends_with_the_weights_of_uninterrupted(changes):
    whole = list(pretrain(trainer(**changes)))
    other = trainer(**changes)
    torch.rand(7)  # whatever else drew numbers in between
    rest = list(pretrain(other, whole[1]))
    assert [snapshot.epoch for snapshot in rest] == [3, 4]
    assert same(rest[-1].weights, whole[-1].weights) and same(rest[-1].moments, whole[-1].moments)
    assert (rest[-1].best_epoch, rest[-1].best_loss) == (whole[-1].best_epoch, whole[-1].best_loss)
    assert same(rest[-1].best_weights, whole[-1].best_weights)


def test_an_honest_network_learns_and_is_not_changed_by_covering_the_target(device):
    fit = trainer(epochs=12, batch=32, device=device)
    last = list(pretrain(fit))[-1]
    put_weights(fit.network, last.best_weights)
    errors = evaluate(fit).errors
    assert errors.model.mean() < errors.feature_mean.mean()
    assert errors.model == pytest.approx(errors.masked_input) and (errors.noise_floor == 0).all()
    first, truth, guess, hidden = errors.examples[0]
    assert truth.shape == guess.shape == (30, 12) and hidden.any() and first in fit.sample.valid


def test_the_planted_fault_falls_far_below_the_honest_error():
    fit = trainer(epochs=12, batch=32, unmasked_input=True)
    put_weights(fit.network, list(pretrain(fit))[-1].best_weights)
    errors = evaluate(fit).errors
    assert errors.model.mean() < 0.5 * errors.feature_mean.mean() < errors.masked_input.mean()


def test_trivial_errors_are_those_of_a_loop():
    fit = trainer(jitter_std=0.03)
    errors = evaluate(fit).errors
    assert errors.noise_floor == pytest.approx(np.full(12, 0.03 * math.sqrt(2 / math.pi)))
    batch = fit.objective.prepare(fit.valid_parts[0], fit.draw(0, 6))
    x, counted = batch["x"].numpy(), batch["counted"].numpy()
    if len(fit.valid_parts) == 1:
        slow = np.abs(x)[counted].mean(0) * fit.objective.windows.std.numpy()
        assert errors.feature_mean == pytest.approx(slow, rel=1e-4)


@pytest.mark.parametrize("name", ["contrastive", "supervised", "expansion"])
def test_other_objectives_are_measured_beside_no_learning(name):
    fit = trainer(**{"objective.name": name, "barrier_ranges": 2.0, "horizon_bars": 12, "epochs": 6, "batch_size": 32})
    before = evaluate(fit).measures
    put_weights(fit.network, list(pretrain(fit))[-1].best_weights)
    after = evaluate(fit).measures
    assert [m.name for m in before] == [m.name for m in after] and len(after) == 2
    assert (after[0].value < before[0].value) == (after[0].better == "lower")
    assert all(
        m.gains.mean() == pytest.approx(abs(m.value - m.trivial) * (1 if m.gains.mean() > 0 else -1)) for m in after
    )
    if name == "contrastive":
        assert after[0].value < after[0].trivial and after[1].value > after[1].trivial


def test_the_rate_rises_then_falls_along_a_cosine():
    fit = trainer(warmup_frac=0.25)
    rates = np.array([fit.rate(step) for step in range(fit.steps)])
    warm = round(0.25 * fit.steps)
    assert rates.argmax() in (warm - 1, warm) and rates.max() == pytest.approx(5e-3)
    assert np.allclose(np.diff(rates[:warm]), rates[0]) and (np.diff(rates[warm:]) < 0).all() and rates[-1] < 2e-4


class ShortMemory:
    """Stands for a device whose memory holds `most` windows."""

    def __init__(self, objective, most: int) -> None:
        self.objective, self.most, self.compares_windows = objective, most, objective.compares_windows
        self.prepare, self.count = objective.prepare, objective.count

    def loss(self, batch):
        if len(batch["x"]) > self.most:
            raise torch.OutOfMemoryError("no")
        return self.objective.loss(batch)


def test_short_memory_halves_the_batch_and_changes_nothing_else():
    events: list = []
    plain, short = trainer(epochs=1), trainer(events, epochs=1)
    short.objective = ShortMemory(short.objective, 13)
    before = list(pretrain(plain))[-1]
    with pytest.raises(torch.OutOfMemoryError):
        short.validate()
    losses = [short.train_epoch(1)]
    assert short.part == 12 and losses[0] == pytest.approx(plain_loss(plain), rel=1e-4)
    said = [event.values["message"] for event in events if event.type == "log"]
    assert len(said) == 2 and "12 windows at a time" in said[-1]
    for name, weights in before.weights.items():
        assert dict(short.network.named_parameters())[name].detach().numpy() == pytest.approx(weights, abs=2e-4)


def plain_loss(done) -> float:
    again = trainer(epochs=1)
    return again.train_epoch(1)


def test_a_loss_that_is_no_number_ends_with_a_sentence():
    fit = trainer(learning_rate=1.0, max_grad_norm=1e9)
    with torch.no_grad():
        next(iter(fit.network.parameters())).fill_(float("nan"))
    with pytest.raises(RunError, match="not a number from epoch 1"):
        list(pretrain(fit))


def test_representations_are_of_the_trained_and_of_a_random_encoder():
    fit = trainer()
    x = fit.objective.windows.raw(fit.sample.valid[:5]).numpy()
    found = representations(fit, x)
    assert found["pre-trained"].shape == found["random weights"].shape == (5, 12)
    again = representations(fit, x)
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_batches_larger_than_the_data_are_cut_to_it():
    fit = trainer(batch=5000)
    assert fit.batch == len(fit.sample.train) and fit.steps == 4
    assert Pretraining().batch_size == 1024
