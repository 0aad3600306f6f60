"""The losses and the ways to add them, against the formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from moola_core.specs import Loss
from moola_core.training.losses import class_loss, pointer_loss
from moola_core.training.weightings import make_weighting
from moola_core.training.weightings.equal import Equal
from moola_core.training.weightings.uncertainty import Uncertainty


def test_class_loss_is_cross_entropy_and_chance_is_the_log_of_the_classes():
    assert float(class_loss(torch.zeros(4, 3), torch.tensor([0, 1, 2, 0]))) == pytest.approx(math.log(3))


def test_focal_loss_shrinks_what_is_already_right():
    logits, target = torch.tensor([[3.0, 0.0], [0.0, 3.0]]), torch.tensor([0, 0])
    p = torch.softmax(logits, 1)[:, 0]
    expected = (-((1 - p) ** 2) * p.log()).mean()
    torch.testing.assert_close(class_loss(logits, target, 2.0), expected)
    torch.testing.assert_close(class_loss(logits, target, 1e-9), class_loss(logits, target))


def test_pointer_loss_masks_null_pointers_and_stays_finite():
    pointer = torch.tensor([[0.5, 0.2], [0.4, 0.1], [0.9, 0.9]], requires_grad=True)
    target = torch.tensor([[0.45, 0.25], [float("nan")] * 2, [0.2, 0.1]])
    loss = pointer_loss(pointer, target, 0.08)
    torch.testing.assert_close(loss, functional.huber_loss(pointer[[0, 2]], target[[0, 2]], delta=0.08))
    loss.backward()
    assert torch.isfinite(pointer.grad).all()
    assert (pointer.grad[1] == 0).all() and (pointer.grad[0] != 0).all()


def test_pointer_loss_of_no_known_pointer_is_zero_with_zero_gradient():
    pointer = torch.rand(3, 2, requires_grad=True)
    loss = pointer_loss(pointer, torch.full((3, 2), float("nan")), 0.08)
    loss.backward()
    assert loss.item() == 0 and (pointer.grad == 0).all()


def test_huber_caps_an_error_of_one():
    loss = pointer_loss(torch.ones(1, 2), torch.zeros(1, 2), 0.08)
    assert float(loss) == pytest.approx(0.08 * (1 - 0.04))


def test_uncertainty_terms_are_those_of_the_paper():
    weighting = Uncertainty()
    with torch.no_grad():
        weighting.log_variance.copy_(torch.tensor([0.7, -1.3]))
    terms = weighting(torch.tensor([1.1, 0.3]))
    assert terms[0].item() == pytest.approx(math.exp(-0.7) * 1.1 + 0.35)
    assert terms[1].item() == pytest.approx(0.5 * math.exp(1.3) * 0.3 - 0.65)


def test_uncertainty_settles_where_variance_is_the_loss():
    weighting, losses = Uncertainty(), torch.tensor([1.049, 0.03])
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.05)
    for _ in range(600):
        optimizer.zero_grad()
        weighting(losses).sum().backward()
        optimizer.step()
    first, second = weighting.sigmas()
    assert first**2 == pytest.approx(2 * 1.049, rel=1e-2)
    assert second**2 == pytest.approx(0.03, rel=1e-2)


def test_few_steps_leave_sigma_where_it_started():
    weighting = Uncertainty()
    optimizer = torch.optim.Adam(weighting.parameters(), lr=1e-3)
    for _ in range(30):
        optimizer.zero_grad()
        weighting(torch.tensor([1.049, 0.017])).sum().backward()
        optimizer.step()
    first, second = weighting.sigmas()
    assert second / first == pytest.approx(0.97, abs=0.005)


@pytest.mark.parametrize("start", [(9.0, -9.0), (12.0, -12.0), (-30.0, 30.0)])
def test_sigma_comes_back_from_wherever_it_is(start):
    weighting, losses = Uncertainty(), torch.tensor([0.7, 0.02])
    with torch.no_grad():
        weighting.log_variance.copy_(torch.tensor(start))
    weighting(losses).sum().backward()
    wanted = torch.tensor([math.log(2 * 0.7), math.log(0.02)])  # where each derivative is zero
    downhill = -weighting.log_variance.grad
    assert torch.equal(downhill.sign(), (wanted - torch.tensor(start)).sign())


def test_log_variance_is_kept_within_its_limit_after_a_step_and_says_when_it_was_reached():
    weighting, like = Uncertainty(), torch.zeros(2)
    for start, reached in (((11.9, -11.9), False), ((0.0, -12.5), True), ((40.0, 0.0), True)):
        with torch.no_grad():
            weighting.log_variance.copy_(torch.tensor(start))
        told = weighting.after_step(like)
        kept = [min(max(value, -12.0), 12.0) for value in start]
        assert weighting.log_variance.tolist() == pytest.approx(kept)
        assert told.tolist() == pytest.approx([math.exp(value / 2) for value in kept] + [float(reached)])
        assert torch.equal(weighting.sigmas(), told[:2])


def test_fixed_multiplies_by_lambda():
    weighting = make_weighting(Loss(weighting="fixed", class_weight=2, pointer_weight=0.01))
    torch.testing.assert_close(weighting(torch.tensor([1.0, 3.0])), torch.tensor([2.0, 0.03]))
    assert weighting.sigmas() is None


def test_equal_divides_by_the_first_epochs_losses_only():
    weighting = Equal()
    torch.testing.assert_close(weighting(torch.tensor([0.8, 0.02])), torch.tensor([0.8, 0.02]))
    weighting.end_epoch((0.8, 0.02))
    weighting.end_epoch((0.1, 0.3))
    torch.testing.assert_close(weighting(torch.tensor([0.8, 0.02])), torch.ones(2))


def test_dwa_gives_more_to_the_task_that_falls_slower():
    weighting = make_weighting(Loss(weighting="dwa"))
    weighting.end_epoch((1.0, 1.0))
    torch.testing.assert_close(weighting(torch.ones(2)), torch.ones(2))
    weighting.end_epoch((0.9, 0.4))
    expected = 2 * torch.softmax(torch.tensor([0.9, 0.4]) / 2, 0)
    torch.testing.assert_close(weighting(torch.ones(2)), expected)
