"""PCGrad against the paper's formula, against TorchJD, and where it has nothing to do."""

from __future__ import annotations

import pytest
import torch
from torchjd.aggregation import PCGrad

from moola_core.models.multitask import MultiTask
from moola_core.specs import Model
from moola_core.training.gradients import Projection, combined, project

CONFLICTING = torch.tensor([1.0, 0.5]), torch.tensor([-1.0, 0.2])


def two_task_model(frozen: bool = False) -> tuple[MultiTask, torch.Tensor]:
    torch.manual_seed(3)
    model = MultiTask(4, 2, Model(hidden=6, dropout=0)).double()
    model.encoder.requires_grad_(not frozen)
    outputs = model(torch.randn(5, 8, 4, dtype=torch.double))
    # The pointer term pulls against the class term through the same pooled vector, so that the two conflict.
    return model, torch.stack([outputs.logits[:, 0].sum(), outputs.pointer.sum() - 0.9 * outputs.logits[:, 0].sum()])


def raw_gradients(model: MultiTask, terms: torch.Tensor) -> list[torch.Tensor]:
    shared = list(model.shared().values())
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


def apply(model, terms, projection):
    """What `combined` makes of the model's two tasks: the shared gradient, that of the other parameters, and its six numbers by name."""
    parameters, shared = trained(model), sum(p.numel() for p in model.shared().values())
    each = [
        torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
        for term in terms
    ]
    flats = [torch.cat([grad.flatten() for grad in grads])[None] for grads in each]
    total, measured = combined(*flats, shared, projection)
    numbers = dict(zip(("class", "pointer", "cosine", "conflict", "projected", "unapplied"), measured[0], strict=True))
    return total[0, :shared], total[0, shared:], numbers


def plain_sum(model, terms):
    grads = torch.autograd.grad(
        terms.sum(), trained(model), retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat([grad.flatten() for grad in grads])


def test_the_applied_gradient_on_shared_parameters_is_torchjds():
    model, terms = two_task_model()
    raw = raw_gradients(model, terms)
    applied, _, numbers = apply(model, terms, Projection(True))
    assert bool(numbers["conflict"]) and bool(numbers["projected"])
    torch.testing.assert_close(applied, PCGrad()(torch.stack(raw)), rtol=0, atol=1e-8)
    assert not torch.allclose(applied, raw[0] + raw[1])
    torch.testing.assert_close(
        torch.stack([numbers["class"], numbers["pointer"]]), torch.stack([g.norm() for g in raw])
    )


def test_heads_keep_the_gradient_of_the_plain_sum():
    model, terms = two_task_model()
    _, others, _ = apply(model, terms, Projection(True))
    torch.testing.assert_close(others, plain_sum(model, terms)[-len(others) :])


@pytest.mark.parametrize("projection", [Projection(False), Projection(True, threshold=-1.0)])
def test_without_projection_the_gradient_is_that_of_the_sum(projection):
    model, terms = two_task_model()
    *parts, numbers = apply(model, terms, projection)
    assert bool(numbers["conflict"]) and not bool(numbers["projected"])
    torch.testing.assert_close(torch.cat(parts), plain_sum(model, terms))


def test_the_accumulated_gradients_fault_adds_the_raw_ones_back():
    model, terms = two_task_model()
    raw = raw_gradients(model, terms)
    applied, _, _ = apply(model, terms, Projection(True, accumulated=True))
    torch.testing.assert_close(applied, PCGrad()(torch.stack(raw)) + raw[0] + raw[1])


def test_with_nothing_shared_the_cosine_is_zero_and_nothing_is_projected():
    model, terms = two_task_model(frozen=True)
    *parts, numbers = apply(model, terms, Projection(True, threshold=0.5))
    assert float(numbers["cosine"]) == 0 and not bool(numbers["conflict"]) and not bool(numbers["projected"])
    torch.testing.assert_close(torch.cat(parts), plain_sum(model, terms))
