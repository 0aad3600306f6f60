"""The recurrence of many independent LSTMs at once, in the forms that there are for it.

cuDNN's LSTM has no dimension for networks of their own weights. A form is a `Layer`; `moola tune` says which is fastest on a
device, and training takes it from there. Where nothing was measured it is DEFAULT, which needs no kernel but torch's own and whose step a CUDA graph
can hold. On a CPU streams are faster for most sizes, and faster still is what is done there: fits one after another.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from moola_core.host.engine import FORM

Layer = Callable[[Tensor, Tensor, Tensor, Tensor, torch.dtype | None], Tensor]
"""x [N, K, B, F], into [N, 4H, F], across [N, 4H, H], bias [N, 4H], and the type that products are made in where it is not that of the
weights → h [N, K, B, H]."""

DEFAULT = FORM
WIDEST = {None: 64, torch.bfloat16: 128}  # hidden units whose recurrent weights fit on a chip, padded to a power of two
FLASH_WIDEST = 64
STREAMS = 16


def cell(gates: Tensor, recurrent: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One LSTM step (Hochreiter and Schmidhuber 1997): gates, recurrent [m, 4H] (added), before [m, H] → h, c [m, H], kept [m, 4H].

    Gates are in torch's order: input, forget, cell, output. On CUDA one kernel, that of nn.LSTMCell.
    """
    if gates.is_cuda:
        return torch.ops.aten._thnn_fused_lstm_cell(gates, recurrent, before)
    kept = gates + recurrent
    enter, forget, new, leave = kept.chunk(4, 1)
    enter.sigmoid_()
    forget.sigmoid_()
    new.tanh_()
    leave.sigmoid_()
    after = torch.addcmul(forget * before, enter, new)
    return leave * after.tanh(), after, kept


def cell_backward(d_h: Tensor, d_c: Tensor, before: Tensor, after: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the gates [m, 4H] and of the cell before [m, H], from those of h and of the cell after."""
    if kept.is_cuda:
        d_gates, d_before, _ = torch.ops.aten._thnn_fused_lstm_cell_backward_impl(d_h, d_c, before, after, kept, False)
        return d_gates, d_before
    enter, forget, new, leave = kept.chunk(4, 1)
    squashed = after.tanh()
    d_c = torch.addcmul(d_c, d_h * leave, 1 - squashed * squashed)
    d_gates = torch.cat(
        [
            d_c * new * enter * (1 - enter),
            d_c * before * forget * (1 - forget),
            d_c * enter * (1 - new * new),
            d_h * squashed * leave * (1 - leave),
        ],
        dim=1,
    )
    return d_gates, d_c * forget


class Recurrence(torch.autograd.Function):
    """gates [N, K, B, 4H] (what the inputs and the biases give), weight [N, 4H, H] → h [N, K, B, H], for N independent LSTMs.

    Written by hand so that the weights' gradient is one product over all bars instead of one a bar. Matrix products are made in
    the weight's own type, all else in that of the gates.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor) -> Tensor:
        count, bars, batch, width = gates.shape
        by_bar = gates.transpose(0, 1).reshape(bars, count * batch, width)
        across = weight.transpose(1, 2)
        h = c = gates.new_zeros(count * batch, width // 4)
        states, cells, kept = [h.view(count, batch, -1)], [c], []
        for bar in range(bars):
            recurrent = torch.bmm(states[-1].to(weight.dtype), across).to(gates.dtype)
            h, c, space = cell(by_bar[bar], recurrent.view(count * batch, width), c)
            states.append(h.view(count, batch, -1))
            cells.append(c)
            kept.append(space)
        ctx.bars = bars
        ctx.save_for_backward(weight, *states[:-1], *cells, *kept)
        return torch.stack(states[1:], dim=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (d_states,) = gradients
        bars, (weight, *saved) = ctx.bars, ctx.saved_tensors
        states, cells, kept = saved[:bars], saved[bars : 2 * bars + 1], saved[2 * bars + 1 :]
        count, _, batch, hidden = d_states.shape
        d_h, d_c = d_states[:, -1].reshape(count * batch, hidden), torch.zeros_like(cells[0])
        by_bar: list[Tensor] = []
        for bar in range(bars - 1, -1, -1):
            d_gates, d_c = cell_backward(d_h, d_c, cells[bar], cells[bar + 1], kept[bar])
            by_bar.append(d_gates.view(count, batch, 4 * hidden))
            if bar:
                back = torch.bmm(by_bar[-1].to(weight.dtype), weight).to(d_gates.dtype)
                d_h = (d_states[:, bar - 1] + back).view(count * batch, hidden)
        d_input = torch.stack(by_bar[::-1], dim=1)
        rows = d_input.flatten(1, 2).transpose(1, 2).to(weight.dtype)
        d_weight = torch.bmm(rows, torch.stack(states, dim=1).flatten(1, 2).to(weight.dtype))
        return d_input, d_weight


def gates_of(x: Tensor, into: Tensor, bias: Tensor, low: torch.dtype | None) -> Tensor:
    """What the inputs and the biases give to the gates: [N, K, B, 4H]."""
    rows, weight = x.flatten(1, 2), into.transpose(1, 2)
    if low is None:
        gates = torch.baddbmm(bias[:, None], rows, weight)
    else:
        gates = torch.bmm(rows.to(low), weight.to(low)).float() + bias[:, None]
    return gates.view(*x.shape[:3], -1)


def products(x: Tensor, into: Tensor, across: Tensor, bias: Tensor, low: torch.dtype | None) -> Tensor:
    """One batched product and one cell a bar."""
    return Recurrence.apply(gates_of(x, into, bias, low), across if low is None else across.to(low))


def streams(x: Tensor, into: Tensor, across: Tensor, bias: Tensor, low: torch.dtype | None) -> Tensor:
    """nn.LSTM's own function for each network, on CUDA side by side on streams."""
    own = [tensor if low is None else tensor.to(low) for tensor in (x, into, across, bias)]
    start = own[0].new_zeros(1, x.shape[2], across.shape[2])
    none = torch.zeros_like(own[3][0])

    def one(n: int) -> Tensor:
        weights = [own[1][n], own[2][n], own[3][n], none]
        return torch.lstm(own[0][n], (start, start), weights, True, 1, 0.0, torch.is_grad_enabled(), False, False)[0]

    if not x.is_cuda:
        return torch.stack([one(n) for n in range(len(x))]).to(x.dtype)
    present = torch.cuda.current_stream()
    others = [torch.cuda.Stream() for _ in range(min(STREAMS, len(x)))]
    states = []
    for n in range(len(x)):
        side = others[n % len(others)]
        side.wait_stream(present)
        with torch.cuda.stream(side):
            states.append(one(n))
    for n, h in enumerate(states):
        present.wait_stream(others[n % len(others)])
        h.record_stream(present)
    return torch.stack(states).to(x.dtype)


def on_chip(x: Tensor, into: Tensor, across: Tensor, bias: Tensor, low: torch.dtype | None) -> Tensor:
    """The project's own kernel; needs Triton."""
    from moola_core.models.kernels import OnChip

    return OnChip.apply(gates_of(x, into, bias, low), across if low is None else across.to(low))


def flash(x: Tensor, into: Tensor, across: Tensor, bias: Tensor, low: torch.dtype | None) -> Tensor:
    """FlashRNN's fused kernel (Pöppel, Beck and Hochreiter 2024) with networks as heads; on a card its float32 products are in TF32.

    Needs the package flashrnn and a Triton older than 3.9, which no longer has the block pointers that its kernel uses.
    """
    from flashrnn import flashrnn

    count, bars, batch, _ = x.shape
    kind, gates = low or x.dtype, gates_of(x, into, bias, low)
    heads = gates.view(count, bars, batch, 4, -1).permute(2, 1, 3, 0, 4).to(kind)
    weight = across.view(count, 4, -1, across.shape[2]).transpose(0, 1).to(kind)
    none, start = weight.new_zeros(weight.shape[:3]), weight.new_zeros(2, batch, 1, count, weight.shape[3])
    how = {"function": "lstm", "backend": "triton_fused", "dtype": str(kind).removeprefix("torch.")}
    states, _ = flashrnn(heads, weight, none, states=start, **how)
    return states[0].permute(2, 1, 0, 3).to(x.dtype)


FORMS: dict[str, Layer] = {"products": products, "streams": streams, "on_chip": on_chip, "flash": flash}


def available(hidden: int, low: torch.dtype | None) -> list[str]:
    """The forms that can be measured on a CUDA device with networks of this width."""
    there = ["products", "streams"]
    if find_spec("triton") and hidden <= WIDEST[low]:
        there.append("on_chip")
    if find_spec("flashrnn") and 16 <= hidden <= FLASH_WIDEST and hidden & (hidden - 1) == 0:
        there.append("flash")
    return there
