"""The moving average of weights against a loop, and in both engines."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.training.averaging import Averages
from moola_core.training.finetune import fit_replicate
from moola_core.training.folds import make_folds
from tests.training.test_replicas import SLOW_RATE, both, furthest, same_draws, where
from tests.training.windows import make_inputs, make_spec


def test_the_mean_is_that_of_a_loop_and_training_goes_on_from_its_own_weights():
    weights, count, frozen = torch.zeros(3), torch.tensor(5), torch.full((2,), 0.1)
    averages, expected = Averages(lambda: [weights, count, frozen], 0.5), None
    for epoch in range(1, 7):
        weights += epoch
        own = weights.clone()
        share = min(0.5, epoch / (epoch + 2))
        expected = own if expected is None else share * expected + (1 - share) * own
        with averages.in_force(epoch):
            torch.testing.assert_close(weights, expected)
            assert torch.equal(frozen, torch.full((2,), 0.1)) and count == 5
        assert torch.equal(weights, own)


def test_the_weights_come_back_after_an_error():
    weights = torch.zeros(2)
    averages = Averages(lambda: [weights], 0.9)
    with averages.in_force(1):
        pass
    weights += 1
    with pytest.raises(ValueError), averages.in_force(2):
        raise ValueError
    assert torch.equal(weights, torch.ones(2))


@pytest.mark.parametrize("settings", [{"normalisation": "batch"}, {"layers": 2, "pcgrad": True}])
def test_both_engines_keep_the_same_mean(settings, device):
    spec = make_spec(learning_rate=SLOW_RATE, averaging=0.7, **settings | same_draws(device))
    alone, found, _ = both(spec, device)
    for one, other in zip(alone, found, strict=True):
        assert furthest(one, other) < 1e-5 and one.best_epoch == other.best_epoch


def test_without_averaging_nothing_changes_and_with_it_the_kept_weights_do(device):
    inputs = make_inputs()
    spec = make_spec()
    fold = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)[0]
    fits = [
        fit_replicate(make_spec(averaging=share), inputs, fold, lambda event: None, where(device))
        for share in (0.0, 0.8)
    ]
    plain = fit_replicate(spec, inputs, fold, lambda event: None, where(device))
    assert furthest(plain, fits[0]) == 0 and furthest(plain, fits[1]) > 1e-3
    np.testing.assert_array_equal(fits[0].steps["loss"], fits[1].steps["loss"][: len(fits[0].steps["loss"])])
