"""The kernels that keep weights on the chip against nn.LSTM: on a card, or anywhere with Triton installed and TRITON_INTERPRET=1 set."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from moola_core.models.recurrence import flash, on_chip, products

triton = pytest.importorskip("triton")


@pytest.fixture(autouse=True)
def interpreted(device):
    if device == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("needs --device cuda, or TRITON_INTERPRET=1 from the start")


def weights_of(lstm):
    return (
        *(getattr(lstm, f"weight_{kind}_l0").detach().clone().requires_grad_() for kind in ("ih", "hh")),
        (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().clone().requires_grad_(),
    )


@pytest.mark.parametrize(
    ("form", "hidden", "rows", "bars"),
    [
        (on_chip, 5, 3, 4),
        (on_chip, 16, 16, 3),
        (on_chip, 20, 35, 3),
        (on_chip, 32, 29, 2),
        (on_chip, 8, 4, 1),
        (flash, 16, 5, 4),
        (flash, 32, 29, 2),
    ],
)
def test_outputs_and_gradients_are_those_of_torchs_lstm(device, form, hidden, rows, bars):
    tolerance = 1e-5
    if form is flash:
        pytest.importorskip("flashrnn")
        if not hasattr(triton.language, "make_block_ptr") or int(triton.__version__.split(".")[1]) >= 9:
            pytest.skip("FlashRNN needs a Triton older than 3.9")
        tolerance = 1e-5 if device == "cpu" else 1e-2  # TF32
    torch.manual_seed(0)
    lstms = [nn.LSTM(3, hidden, batch_first=False).to(device) for _ in range(2)]
    x = torch.randn(2, bars, rows, 3, device=device)
    ours = [torch.stack(parts).detach().requires_grad_() for parts in zip(*map(weights_of, lstms), strict=True)]
    found, by = form(x, *ours, None), torch.randn(2, bars, rows, hidden, device=device)
    (found * by).sum().backward()
    for n, lstm in enumerate(lstms):
        alone = lstm(x[n])[0]
        (alone * by[n]).sum().backward()
        torch.testing.assert_close(found[n], alone, atol=tolerance, rtol=tolerance)
        for mine, name in zip(ours, ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), strict=True):
            torch.testing.assert_close(mine.grad[n], getattr(lstm, name).grad, atol=2 * tolerance, rtol=10 * tolerance)


def test_low_precision_is_that_of_the_batched_products(device):
    torch.manual_seed(0)
    shapes = ((2, 3, 4, 3), (2, 32, 3), (2, 32, 8), (2, 32))
    given = [torch.randn(shape, device=device) for shape in shapes]
    kind = torch.bfloat16 if device == "cuda" else torch.float16  # Triton's interpreter multiplies no bf16
    forms = (on_chip, products, *([flash] if find_spec("flashrnn") else []))
    low = [form(*given, kind) for form in forms]
    for one in low[1:]:
        torch.testing.assert_close(one, low[0], atol=1e-2, rtol=1e-2)
    assert low[0].dtype == torch.float32
