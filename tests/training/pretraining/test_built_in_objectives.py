from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.specs import Pretrain, change
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.objectives import make_objective
from moola_core.training.pretraining.objectives.contrastive import alter
from moola_core.training.pretraining.objectives.masked import last_observation
from moola_core.training.pretraining.objectives.supervised import outcomes
from tests.training.pretraining.test_sampling import walk

FIRST = np.arange(0, 400, 40)


def make(**changes):
    spec = change(Pretrain(), {"sampling.window_bars": 40, "hidden": 4, "layers": 1} | changes)
    windows = BarWindows(walk(900), None, spec.features, 40)
    windows.fit_scale(FIRST)
    return make_objective(spec, windows)


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("unmasked", [False, True])
def test_only_the_planted_fault_lets_the_target_be_seen(unmasked):
    objective = make(unmasked_input=unmasked)
    batch = objective.prepare(FIRST, draw())
    other = batch | {"x": torch.where(batch["hidden"][:, :, None], batch["x"] + 7, batch["x"])}
    assert torch.equal(objective.reconstruct(batch), objective.reconstruct(other)) != unmasked


def test_the_loss_is_the_huber_loss_at_hidden_settled_bars():
    objective = make(huber_delta=0.5)
    batch = objective.prepare(FIRST, draw())
    assert not batch["counted"][:, :15].any() and not (batch["counted"] & ~batch["hidden"]).any()
    total, count = objective.loss(batch), objective.count(batch)
    off = (objective.reconstruct(batch) - batch["x"]).abs()[batch["counted"]]
    slow = torch.where(off <= 0.5, 0.5 * off**2, 0.5 * (off - 0.25)).mean(1).sum()
    assert float(total) == pytest.approx(float(slow), rel=1e-5) and int(count) == int(batch["counted"].sum())


def test_jitter_is_in_the_features_own_units():
    quiet, noisy = make().prepare(FIRST, draw())["x"], make(jitter_std=0.03)
    off = (noisy.prepare(FIRST, draw())["x"] - quiet) * noisy.windows.std
    assert off.std(dim=(0, 1)).numpy() == pytest.approx(np.full(12, 0.03), rel=0.15)


def test_the_last_visible_bar_is_carried_forward():
    batch = {
        "x": torch.arange(1.0, 7.0).reshape(1, 6, 1),
        "hidden": torch.tensor([[True, False, True, True, False, True]]),
    }
    assert last_observation(batch).ravel().tolist() == [0, 2, 2, 2, 5, 5]


def test_views_are_bars_again_and_differ_as_much_as_asked():
    objective = make(**{"objective.name": "contrastive"})
    prices = objective.windows.prices(FIRST)
    seen = alter(prices, objective.settings, np.random.default_rng(1))
    body = seen[:, :, [0, 3]]
    assert (seen[:, :, 1] >= body.max(2)).all() and (seen[:, :, 2] <= body.min(2)).all()
    still = objective.settings.model_copy(update={"view_noise": 0.0, "view_warp": 0.0})
    assert np.allclose(alter(prices, still, np.random.default_rng(1)), prices, atol=1e-6)
    batch = objective.prepare(FIRST, draw())
    assert batch["first"].shape == (10, 40, 12) and not torch.equal(batch["first"], batch["second"])
    again = objective.prepare(FIRST, draw())
    assert torch.equal(batch["first"], again["first"])


def test_outcomes_are_those_of_a_walk_through_the_bars():
    objective = make(**{"objective.name": "supervised", "barrier_ranges": 2.0, "horizon_bars": 12})
    first = np.arange(0, 840, 9)
    found = outcomes(objective.windows, first, objective.settings)
    ohlc = objective.windows.ohlc
    for start, outcome in zip(first, found, strict=True):
        inside = ohlc[start : start + 40]
        reach, close = 2.0 * (inside[:, 1] - inside[:, 2]).mean(), inside[-1, 3]
        slow = 1
        for bar in ohlc[start + 40 : start + 52]:
            up, down = bar[1] >= close + reach, bar[2] <= close - reach
            if up or down:
                slow = 1 if up and down else 2 if up else 0
                break
        assert outcome == slow
    assert len(set(found)) == 3
