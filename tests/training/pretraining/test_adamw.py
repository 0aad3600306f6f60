from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from moola_core.training.pretraining.adamw import AdamW


def test_its_steps_and_moments_are_those_of_torch_bit_for_bit(device):
    """One of the parameters has a gradient in every other step alone."""
    torch.manual_seed(3)
    start = [torch.randn(shape, device=device) for shape in ((4, 5), (7,), (2, 3))]
    ours, theirs = ([nn.Parameter(value.clone()) for value in start] for _ in range(2))
    optimizer = AdamW(ours, 0.02, 0.1)
    reference = torch.optim.AdamW(theirs, lr=0.02, weight_decay=0.1, fused=True)
    for step in range(9):
        optimizer.rate = reference.param_groups[0]["lr"] = 0.02 / (1 + step)
        optimizer.forget_gradients()
        reference.zero_grad(set_to_none=True)
        for i, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            if i != 1 or step % 2:
                own.grad = torch.randn(own.shape, device=device)
                other.grad = own.grad.clone()
        optimizer.step()
        reference.step()
    for own, other in zip(ours, theirs, strict=True):
        assert torch.equal(own, other)
        assert optimizer.state[own].keys() == reference.state[other].keys()
        assert all(torch.equal(value, reference.state[other][name]) for name, value in optimizer.state[own].items())
    assert [int(optimizer.state[own]["step"]) for own in ours] == [9, 4, 9]


STEP = """
import sys, torch
import moola_core, moola_core.launch.worker, moola_core.searches, moola_core.cli
from moola_core.training.pretraining.adamw import AdamW
weight = torch.nn.Parameter(torch.ones(3))
weight.grad = torch.ones(3)
AdamW([weight], 0.1, 0.0).step()
print(weight.detach().max().item() < 1, "torch._dynamo" in sys.modules, "optuna" in sys.modules)
"""


def test_a_worker_that_makes_a_step_has_loaded_no_compiler_and_nothing_that_proposes_trials():
    """In a process of its own: here another test may have loaded them."""
    ran = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False", "False"]
