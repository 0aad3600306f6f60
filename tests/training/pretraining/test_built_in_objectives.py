from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.errors import SpecError
from moola_core.specs import Pretrain, change
from moola_core.training.pretraining.bar_windows import BarWindows
from moola_core.training.pretraining.objectives import make_objective
from moola_core.training.pretraining.objectives.contrastive import alter
from moola_core.training.pretraining.objectives.expansion import usual_center, weak_labels
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
    still = objective.settings.model_copy(update={"augment_noise": 0.0, "augment_warp": 0.0})
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


@pytest.mark.parametrize("weak_class", ["follows", "direction"])
def test_weak_labels_are_those_of_a_search_through_all_spans_and_a_walk_through_the_bars(weak_class):
    own = {"least_bars": 4, "most_bars": 9, "after_bars": 7, "barrier_frac": 0.6, "weak_class": weak_class}
    objective = make(**{"objective.name": "expansion"} | own)
    ohlc, first = objective.windows.ohlc, np.arange(0, 840, 9)
    labels = weak_labels(objective.windows, first, objective.settings)
    for at, start, end, outcome in zip(first, labels.start, labels.end, labels.outcome, strict=True):
        spans = [(s, e) for s in range(40) for e in range(s + 3, min(s + 9, 40))]
        size = [abs(ohlc[at + e, 3] - ohlc[at + s, 0]) / (e - s) ** 0.5 for s, e in spans]
        assert size[spans.index((start, end))] == pytest.approx(max(size))
        move = ohlc[at + end, 3] - ohlc[at + start, 0]
        if weak_class == "direction":
            assert outcome == (move >= 0)
            continue
        slow, last = 1, ohlc[at + end, 3]
        for bar in ohlc[at + end + 1 : at + end + 8]:
            up, down = bar[1] - last >= 0.6 * abs(move), last - bar[2] >= 0.6 * abs(move)
            if up or down:
                slow = 1 if up and down else 2 if up == (move >= 0) else 0
                break
        assert outcome == slow
    assert len(set(labels.outcome)) == (3 if weak_class == "follows" else 2)
    center = (labels.start + labels.end) / 2
    best = max((np.abs(center - at) <= 3).sum() for at in np.arange(0, 40, 0.5))
    assert (np.abs(center - usual_center(labels, 40)) <= 3).sum() == best


def test_weak_labels_of_turned_rescaled_and_shifted_bars_are_the_same():
    objective = make(**{"objective.name": "expansion"})
    first, ohlc = np.arange(0, 800, 40), objective.windows.ohlc
    plain = weak_labels(objective.windows, first, objective.settings)
    for changed in (ohlc * 3, ohlc + 500, (40000 - ohlc)[:, [0, 2, 1, 3]]):
        objective.windows.ohlc = changed
        other = weak_labels(objective.windows, first, objective.settings)
        assert np.array_equal(plain.start, other.start) and np.array_equal(plain.end, other.end)
        assert np.array_equal(plain.outcome, other.outcome)


@pytest.mark.parametrize("encoder", ["bilstm", "tcn", "inception"])
def test_expansion_trains_span_and_class_scores_of_any_encoder(encoder):
    objective = make(**{"objective.name": "expansion", "encoder": encoder, "dropout": 0.0})
    batch = objective.prepare(FIRST, draw())
    out = objective.network(batch["x"])
    labels = weak_labels(objective.windows, FIRST, objective.settings)
    flat = torch.log_softmax(out.spans.flatten(1), 1)
    place = labels.start * 40 + labels.end - labels.start
    slow = -flat[torch.arange(len(FIRST)), place].sum()
    slow = slow - torch.log_softmax(out.logits, 1)[torch.arange(len(FIRST)), labels.outcome].sum()
    assert float(objective.loss(batch)) == pytest.approx(float(slow), rel=1e-4) and int(objective.count(batch)) == 10
    objective.loss(batch).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in objective.network.encoder.parameters())


def test_spans_that_cannot_be_are_refused():
    with pytest.raises(SpecError, match=r"least_bars=9 is above objective\.most_bars=4"):
        make(**{"objective.name": "expansion", "least_bars": 9, "most_bars": 4})
    with pytest.raises(SpecError, match=r"no span of objective\.least_bars=50 fits"):
        make(**{"objective.name": "expansion", "least_bars": 50, "most_bars": 60})
