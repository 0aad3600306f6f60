"""The contract that every registered objective of pre-training keeps; a new one is tested by being registered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from moola_core.errors import SpecError
from moola_core.market.bars import bars_from_arrays
from moola_core.market.unlabelled import reach_bars
from moola_core.models.checkpoint import put_weights
from moola_core.models.encoders import make_encoder
from moola_core.specs import Pretrain, change
from moola_core.specs.choices import OBJECTIVES as CHOICES
from moola_core.specs.objectives import RULES, ObjectiveRules
from moola_core.training.device import resolve_device
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.evaluation import evaluate, representations
from moola_core.training.pretraining.objectives import (
    OBJECTIVES,
    PretrainingObjective,
    Validation,
    ValidationMeasure,
    make_objective,
)
from moola_core.training.pretraining.sampling import sample
from moola_core.training.pretraining.trainer import Pretrainer, pretrain
from tests.training.pretraining.test_sampling import NONE, walk

SMALL = {
    "sampling.window_bars": 30,
    "stride_bars": 6,
    "hidden": 8,
    "layers": 1,
    "epochs": 10,
    "batch_size": 32,
    "learning_rate": 1e-2,
    "barrier_ranges": 2.0,
    "horizon_bars": 12,
    "training.device": "cpu",
}


class NextMove(PretrainingObjective):
    """A user's own objective, named in a spec by its class: whether the close is higher four bars after the window."""

    rules = ObjectiveRules("predict whether the close rises", bars_beyond=4)

    def make_network(self, inputs):
        network = torch.nn.Module()
        network.encoder = make_encoder(inputs, self.spec.model)
        network.linear = torch.nn.Linear(network.encoder.width, 1)
        return network

    def prepare(self, first, draw):
        length = self.windows.window_bars
        close = self.windows.prices(first, length + 4)[:, :, 3]
        return {"x": self.windows.take(first), "up": torch.from_numpy(close[:, -1] > close[:, length - 1]).float()}

    def count(self, batch):
        return torch.tensor(float(len(batch["up"])))

    def _each(self, batch):
        logits = self.network.linear(self.network.encoder(batch["x"]).mean(1)).squeeze(1)
        return functional.binary_cross_entropy_with_logits(logits, batch["up"], reduction="none")

    def loss(self, batch):
        return self._each(batch).sum()

    def evaluate(self, batches, train):
        each = torch.cat([self._each(batch) for _, batch in batches]).double().numpy()
        trivial = float(np.log(2))
        return Validation((ValidationMeasure("log loss", float(each.mean()), trivial, "lower", trivial - each),))


OWN = f"{__name__}:NextMove"
EVERY = [*OBJECTIVES, OWN]


def waves(count: int = 3000):
    """Bars whose next moves follow from the last ones: a slow wave with a little noise."""
    rng = np.random.default_rng(2)
    close = 100 + 5 * np.sin(np.arange(count) / 9) + 0.005 * rng.normal(0, 1, count).cumsum()
    opening = np.r_[close[0], close[:-1]]
    wick = 0.05 + rng.uniform(0, 0.05, count)
    time = np.datetime64("2024-01-02T00:00", "ns") + np.arange(count) * np.timedelta64(1, "m")
    high, low = np.maximum(opening, close) + wick, np.minimum(opening, close) - wick
    return bars_from_arrays(time, np.stack([opening, high, low, close], axis=1))


def trainer(name: str, **changes) -> Pretrainer:
    spec = change(Pretrain(), SMALL | {"objective.name": name} | changes)
    bars = waves()
    seen = sample(bars, spec, NONE)
    windows = BarWindows(bars, None, spec.features, 30, "cpu")
    windows.fit_scale(seen.train)
    return Pretrainer(spec, windows, seen, resolve_device(spec.training), lambda event: None)


def test_every_objective_has_a_sentence_and_every_sentence_an_objective():
    assert set(OBJECTIVES) == set(CHOICES), (
        f"in one of specs/objectives.py and the registry alone: {set(OBJECTIVES) ^ set(CHOICES)}"
    )
    for name, kind in OBJECTIVES.items():
        assert kind.rules is RULES[name] and kind.rules.sentence


@pytest.mark.parametrize("name", EVERY)
def test_it_beats_its_trivial_answer_where_there_is_something_to_learn(name):
    fit = trainer(name)
    put_weights(fit.network, list(pretrain(fit))[-1].best_weights)
    result = evaluate(fit)
    assert result.measures or result.errors, f"{name} measures nothing"
    windows = len(fit.sample.valid)
    for measure in result.measures:
        assert measure.better in ("higher", "lower") and measure.gains.shape == (windows,)
        gain = measure.trivial - measure.value if measure.better == "lower" else measure.value - measure.trivial
        assert measure.gains.mean() == pytest.approx(gain)
    gains = result.measures[0].gains if result.measures else result.errors.gains
    assert len(gains) == windows and gains.mean() > 0
    x = fit.objective.windows.raw(fit.sample.valid[:5]).numpy()
    assert not np.array_equal(*representations(fit, x).values())


@pytest.mark.parametrize("name", EVERY)
def test_the_sums_over_parts_of_a_batch_add_up(name):
    fit = trainer(name)
    fit.network.eval()
    batch = fit.objective.prepare(fit.sample.train[:24], fit.draw(1, 0))
    assert {len(tensor) for tensor in batch.values()} == {24}
    parts = [{key: tensor[rows] for key, tensor in batch.items()} for rows in (slice(0, 7), slice(7, 24))]
    whole = fit.objective.count(batch)
    assert float(sum(fit.objective.count(part) for part in parts)) == float(whole) > 0
    with torch.no_grad():
        total, apart = fit.objective.loss(batch), sum(fit.objective.loss(part) for part in parts)
    adds_up = float(apart) == pytest.approx(float(total), rel=1e-5)
    assert adds_up != fit.objective.compares_windows, f"{name} says compares_windows={fit.objective.compares_windows}"


@pytest.mark.parametrize("name", EVERY)
def test_resumed_ends_with_the_weights_of_uninterrupted(name):
    changes = {"epochs": 3, "model.dropout": 0.4, "layers": 2, "jitter_std": 0.01}
    whole, other = list(pretrain(trainer(name, **changes))), trainer(name, **changes)
    torch.rand(7)  # whatever else drew numbers in between
    rest = list(pretrain(other, whole[0]))[-1]
    assert (rest.epoch, rest.best_epoch, rest.best_loss) == (3, whole[-1].best_epoch, whole[-1].best_loss)
    for kept in ("weights", "moments", "best_weights"):
        first, second = getattr(rest, kept), getattr(whole[-1], kept)
        assert first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", EVERY)
def test_it_reaches_every_weight_of_the_encoder(name):
    fit = trainer(name)
    fit.objective.loss(fit.objective.prepare(fit.sample.train[:20], fit.draw(1, 0))).backward()
    for weight in fit.network.get_submodule("encoder").parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", EVERY)
def test_it_looks_at_no_bar_beyond_those_that_it_declares(name):
    """Its batch is the same whatever comes after them, and no training window reaches into validation with them."""
    fit = trainer(name)
    reach = reach_bars(fit.spec)
    first = fit.sample.train[:12]
    assert fit.sample.train.max() + reach <= fit.sample.valid.min()
    before = fit.objective.prepare(first, fit.draw(1, 0))
    fit.objective.windows.ohlc = fit.objective.windows.ohlc.copy()
    fit.objective.windows.ohlc[first.max() + reach :] *= 3
    after = fit.objective.prepare(first, fit.draw(1, 0))
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_an_objective_that_does_not_exist_is_answered_with_the_nearest():
    with pytest.raises(SpecError, match="Did you mean contrastive"):
        change(Pretrain(), {"objective.name": "contrastiv"})


@pytest.mark.parametrize(
    ("name", "message"),
    [("no_such_package:Objective", "cannot be imported"), ("collections:Counter", "is no pre-training objective")],
)
def test_a_class_that_is_no_objective_is_refused_before_anything_is_trained(name, message):
    spec = change(Pretrain(), {"objective.name": name})
    with pytest.raises(SpecError, match=message):
        reach_bars(spec)
    windows = BarWindows(walk(300), None, spec.features, 30)
    with pytest.raises(SpecError, match=message):
        make_objective(spec, windows)


def test_settings_that_an_own_objective_cannot_work_with_are_refused():
    with pytest.raises(SpecError, match="unmasked_input needs"):
        trainer(OWN, unmasked_input=True)
