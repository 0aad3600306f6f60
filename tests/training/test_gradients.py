"""PCGrad against the paper's formula, against TorchJD, and where it has nothing to do."""

from __future__ import annotations

import pytest
import torch
from torchjd.aggregation import PCGrad

from moola_core.models.multitask import MultiTask
from moola_core.specs import Model
from moola_core.training.gradients import Projection, project, split_backward

CONFLICTING = torch.tensor([1.0, 0.5]), torch.tensor([-1.0, 0.2])


def two_task_model(frozen: bool = False) -> tuple[MultiTask, torch.Tensor]:
    torch.manual_seed(3)
    model = MultiTask(4, 2, Model(hidden=6, dropout=0)).double()
    model.encoder.requires_grad_(not frozen)
    outputs = model(torch.randn(5, 8, 4, dtype=torch.double))
    # The pointer term pulls against the class term through the same pooled vector, so that the two conflict.
    return model, torch.stack([outputs.logits[:, 0].sum(), outputs.pointer.sum() - 0.9 * outputs.logits[:, 0].sum()])


def raw_gradients(model: MultiTask, terms: torch.Tensor) -> list[torch.Tensor]:
    shared = model.shared_parameters()
    return [torch.cat([g.flatten() for g in torch.autograd.grad(t, shared, retain_graph=True)]) for t in terms]


def trained(model: MultiTask) -> list[torch.nn.Parameter]:
    return [p for p in model.parameters() if p.requires_grad]


def test_projected_gradients_are_normal_to_the_other_task():
    first, second = CONFLICTING
    clear, other, cosine = project(first, second, 0.0)
    assert float(cosine) == pytest.approx(float(torch.cosine_similarity(first, second, dim=0)))
    assert float(clear @ second) == pytest.approx(0, abs=1e-6)
    assert float(other @ first) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "pair", [(torch.tensor([1.0, 0.2]), torch.tensor([0.5, 1.0])), (torch.zeros(2), torch.ones(2))]
)
def test_agreeing_or_vanishing_gradients_are_left_alone(pair):
    clear, other, cosine = project(*pair, 0.0)
    assert torch.equal(clear, pair[0]) and torch.equal(other, pair[1])
    assert float(cosine) >= 0


def test_a_threshold_below_the_cosine_leaves_a_conflict_alone():
    first, second = torch.tensor([1.0, 0.0]), torch.tensor([-0.2, 1.0])
    assert torch.equal(project(first, second, -0.3)[0], first)
    assert not torch.equal(project(first, second, -0.1)[0], first)


def test_random_pairs_give_what_torchjd_gives():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        pair = torch.randn(2, 30, generator=generator, dtype=torch.double)
        clear, other, _ = project(pair[0], pair[1], 0.0)
        torch.testing.assert_close(clear + other, PCGrad()(pair), rtol=0, atol=1e-8)


def test_the_applied_gradient_on_shared_parameters_is_torchjds():
    model, terms = two_task_model()
    raw = raw_gradients(model, terms)
    found = split_backward(terms, trained(model), model.shared_parameters(), Projection(True))
    applied = torch.cat([p.grad.flatten() for p in model.shared_parameters()])
    assert bool(found.conflict) and bool(found.projected)
    torch.testing.assert_close(applied, PCGrad()(torch.stack(raw)), rtol=0, atol=1e-8)
    assert not torch.allclose(applied, raw[0] + raw[1])
    torch.testing.assert_close(found.norms, torch.stack([g.norm() for g in raw]))


def test_heads_keep_the_gradient_of_the_plain_sum():
    model, terms = two_task_model()
    heads = [*model.class_head.parameters(), *model.pointer_head.parameters()]
    plain = torch.autograd.grad(terms.sum(), heads, retain_graph=True)
    split_backward(terms, trained(model), model.shared_parameters(), Projection(True))
    for parameter, gradient in zip(heads, plain, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("how", [Projection(False), Projection(True, threshold=-1.0)])
def test_without_projection_the_gradient_is_that_of_the_sum(how):
    model, terms = two_task_model()
    plain = torch.autograd.grad(terms.sum(), trained(model), retain_graph=True)
    found = split_backward(terms, trained(model), model.shared_parameters(), how)
    assert bool(found.conflict) and not bool(found.projected)
    for parameter, gradient in zip(trained(model), plain, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_the_accumulated_gradients_fault_adds_the_raw_ones_back():
    model, terms = two_task_model()
    raw = raw_gradients(model, terms)
    split_backward(terms, trained(model), model.shared_parameters(), Projection(True, accumulated=True))
    applied = torch.cat([p.grad.flatten() for p in model.shared_parameters()])
    torch.testing.assert_close(applied, PCGrad()(torch.stack(raw)) + raw[0] + raw[1])


def test_with_nothing_shared_the_cosine_is_zero_and_nothing_is_projected():
    model, terms = two_task_model(frozen=True)
    plain = torch.autograd.grad(terms.sum(), trained(model), retain_graph=True)
    found = split_backward(terms, trained(model), model.shared_parameters(), Projection(True, threshold=0.5))
    assert float(found.cosine) == 0 and not bool(found.conflict) and not bool(found.projected)
    for parameter, gradient in zip(trained(model), plain, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
