"""The batched networks against the single ones that they stand for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from moola_core.models.multitask import MultiTask
from moola_core.models.recurrence import FORMS, Recurrence, available, cell, cell_backward
from moola_core.models.replicas import Drawn, Replicas
from moola_core.specs import Model

BARS, ROWS, FEATURES = 7, 5, 3
SHAPES = [
    {"layers": 1},
    {"layers": 2, "normalisation": "layer", "pooling": "attention", "trunk_width": 6},
    {"layers": 2, "normalisation": "batch", "pooling": "last", "pointer": "soft_argmax"},
    {"layers": 1, "tasks": "class"},
    {"layers": 1, "tasks": "pointers", "pointer": "soft_argmax", "pooling": "attention"},
    {"layers": 1, "pointer": "span", "pooling": "attention", "trunk_width": 6},
    {"layers": 1, "pointer": "span", "class_input": "aligned"},
    {"layers": 1, "pointer": "span", "tasks": "pointers"},
]


def networks(device, count=3, **settings):
    model = Model(hidden=4, dropout=0.0, **settings)
    torch.manual_seed(1)
    made = [MultiTask(FEATURES, 2, model).to(device) for _ in range(count)]
    for one in made:
        for name, buffer in one.named_buffers():
            if "running" in name:
                buffer.copy_(torch.rand_like(buffer) + 0.5)
    return model, made


def stacked(made):
    states = [one.state_dict() for one in made]
    weights = {name: torch.stack([state[name] for state in states]).clone() for name in states[0]}
    for name, _ in made[0].named_parameters():
        weights[name].requires_grad_()
    return weights


def near(device):
    """How far float32 sums of another order may be apart: cuDNN adds up in its own."""
    tolerance = 1e-5 if device == "cpu" else 1e-4
    return {"atol": tolerance, "rtol": tolerance}


def total(outputs, coefficients):
    logits, pointer = outputs
    return sum((part * by).sum() for part, by in zip((logits, pointer), coefficients, strict=True) if part is not None)


@pytest.mark.parametrize("settings", SHAPES, ids=lambda s: "-".join(map(str, s.values())))
@pytest.mark.parametrize("training", [False, True])
def test_outputs_and_gradients_are_those_of_each_network_alone(settings, training, device):
    model, made = networks(device, **settings)
    weights = stacked(made)
    x = torch.randn(len(made), ROWS, BARS, FEATURES, device=device)
    rows = torch.ones(len(made), ROWS, device=device) if training else None
    found = Replicas(model, weights).forward(x.transpose(1, 2), Drawn(counted=rows))
    by = [torch.randn(2, device=device) for _ in range(2)]
    total((found.logits, found.pointer), by).backward()
    for r, one in enumerate(made):
        with torch.backends.cudnn.flags(enabled=training, allow_tf32=False):  # cuDNN has no backward step in eval mode
            alone = one.train(training)(x[r])
            total((alone.logits, alone.pointer), by).backward()
        for name in ("logits", "pointer", "spans"):
            if getattr(alone, name) is not None:
                torch.testing.assert_close(getattr(found, name)[r], getattr(alone, name), **near(device))
        for name, parameter in one.named_parameters():
            if parameter.grad is None:  # attention that no head reads
                assert weights[name].grad is None
            else:
                torch.testing.assert_close(weights[name].grad[r], parameter.grad, atol=2e-5, rtol=1e-4)
        for name, buffer in one.named_buffers():
            torch.testing.assert_close(weights[name][r], buffer, **near(device))


def test_rows_that_are_not_there_change_no_statistic(device):
    model, made = networks(device, 2, normalisation="batch")
    x = torch.randn(2, BARS, ROWS, FEATURES, device=device)
    rows = torch.ones(2, ROWS, device=device)
    rows[0, 3:], rows[1] = 0, 0
    weights = stacked(made)
    before = weights["encoder.normalisation.running_mean"].clone()
    found = Replicas(model, weights).forward(x, Drawn(counted=rows)).logits
    alone = made[0].train()(x[0, :, :3].transpose(0, 1)).logits
    torch.testing.assert_close(found[0, :3], alone, atol=1e-5, rtol=1e-5)
    buffer = made[0].encoder.normalisation.running_var
    torch.testing.assert_close(weights["encoder.normalisation.running_var"][0], buffer, atol=1e-5, rtol=1e-5)
    assert torch.equal(weights["encoder.normalisation.running_mean"][1], before[1])
    assert weights["encoder.normalisation.num_batches_tracked"].tolist() == [1, 0]


@pytest.mark.parametrize("low", [None, torch.bfloat16])
def test_every_form_of_the_recurrence_gives_the_same(device, low):
    torch.manual_seed(2)
    shapes = ((4, BARS, ROWS, FEATURES), (4, 16, FEATURES), (4, 16, 4), (4, 16))
    given = [torch.randn(shape, device=device, requires_grad=True) for shape in shapes]
    by = torch.randn(4, BARS, ROWS, 4, device=device)
    forms = available(4, low) if device == "cuda" else ["products", "streams"]  # the others: test_kernels.py
    results = []
    for name in forms:
        h = FORMS[name](*given, low)
        results.append((h, *torch.autograd.grad((h * by).sum(), given)))
    allowed = near(device) if low is None else {"atol": 0.1, "rtol": 0.1}
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], **allowed)


def test_forms_are_offered_where_they_can_run(monkeypatch):
    monkeypatch.setattr("moola_core.models.recurrence.find_spec", lambda name: None)
    assert available(32, None) == ["products", "streams"]
    monkeypatch.setattr("moola_core.models.recurrence.find_spec", lambda name: object())
    assert available(64, None) == ["products", "streams", "on_chip", "flash"]
    assert available(96, torch.bfloat16) == ["products", "streams", "on_chip"]
    assert available(96, None) == ["products", "streams"]


def test_a_replica_is_not_touched_by_its_neighbours():
    model, made = networks("cpu")
    weights, x = stacked(made), torch.randn(3, BARS, ROWS, FEATURES)
    Replicas(model, weights).forward(x).logits[1].sum().backward()
    for name, weight in weights.items():
        if weight.grad is not None:
            assert (weight.grad[0] == 0).all() and (weight.grad[2] == 0).all(), name


def test_the_recurrences_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    gates = torch.randn(2, 3, 2, 8, dtype=torch.double, requires_grad=True)
    weight = torch.randn(2, 8, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(Recurrence.apply, (gates, weight))


def test_the_cell_is_that_of_torch(device):
    torch.manual_seed(0)
    single = nn.LSTMCell(3, 4).to(device)
    x, h, c = (torch.randn(6, n, device=device) for n in (3, 4, 4))
    gates = (x @ single.weight_ih.T + single.bias_ih).detach().requires_grad_()
    recurrent = (h @ single.weight_hh.T + single.bias_hh).detach()
    h_next, c_next = single(x, (h, c))
    found_h, found_c, kept = cell(gates.detach(), recurrent, c)
    torch.testing.assert_close(found_h, h_next)
    torch.testing.assert_close(found_c, c_next)
    by = torch.randn_like(h_next), torch.randn_like(h_next)
    c.requires_grad_()
    enter, forget, new, leave = (gates + recurrent).chunk(4, 1)
    slow_c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(new)
    slow_h = torch.sigmoid(leave) * torch.tanh(slow_c)
    slow = torch.autograd.grad((slow_h * by[0] + slow_c * by[1]).sum(), (gates, c))
    found = cell_backward(*by, c.detach(), found_c, kept)
    for ours, theirs in zip(found, slow, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_low_precision_products_stay_near(device):
    model, made = networks(device, layers=2)
    x = torch.randn(3, BARS, ROWS, FEATURES, device=device)
    exact = Replicas(model, stacked(made)).forward(x)
    low = Replicas(model, stacked(made), torch.bfloat16).forward(x)
    assert low.logits.dtype == torch.float32
    assert 0 < float((low.logits - exact.logits).detach().abs().max()) < 0.03
    total((low.logits, low.pointer), (1.0, 1.0)).backward()
