"""The recurrence as one kernel a direction (Triton): its weights stay on the chip for all bars.

Imported only where Triton is installed. A product of a bar then reads no weights from memory, and a bar launches no kernel, which is what
FlashRNN (Pöppel, Beck and Hochreiter 2024) does for heads. Widths are padded to the next power of two.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _cell(gates, weight, at, there, low):
    """Activations' argument of one gate: what the inputs gave, and the product with the states before."""
    return tl.load(gates + at, mask=there, other=0.0) + tl.dot(low, weight, input_precision="ieee")


@triton.jit
def _forward(given, outputs, sizes, BLOCK: tl.constexpr, WIDTH: tl.constexpr):
    """given: gates [N, K, B, 4H], weight [N, 4H, H]; outputs: states, cells [N, K, B, H], kept (activated gates)
    [N, K, B, 4H]; sizes: K, B, H."""
    gates, weight = given
    states, cells, kept = outputs
    bars, batch, hidden = sizes
    network = tl.program_id(0).to(tl.int64)
    rows, columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, WIDTH)
    there = (rows < batch)[:, None] & (columns < hidden)[None, :]
    square = (columns < hidden)[:, None] & (columns < hidden)[None, :]
    tile = weight + network * 4 * hidden * hidden + columns[None, :] * hidden + columns[:, None]
    size = hidden * hidden
    w_enter = tl.load(tile, mask=square, other=0.0)
    w_forget = tl.load(tile + size, mask=square, other=0.0)
    w_new = tl.load(tile + 2 * size, mask=square, other=0.0)
    w_leave = tl.load(tile + 3 * size, mask=square, other=0.0)
    h, c = tl.zeros([BLOCK, WIDTH], tl.float32), tl.zeros([BLOCK, WIDTH], tl.float32)
    for bar in range(bars):
        row = (network * bars + bar) * batch + rows
        wide = row[:, None] * 4 * hidden + columns[None, :]
        narrow = row[:, None] * hidden + columns[None, :]
        low = h.to(w_enter.dtype)
        enter = tl.sigmoid(_cell(gates, w_enter, wide, there, low))
        forget = tl.sigmoid(_cell(gates, w_forget, wide + hidden, there, low))
        new = 2 * tl.sigmoid(2 * _cell(gates, w_new, wide + 2 * hidden, there, low)) - 1
        leave = tl.sigmoid(_cell(gates, w_leave, wide + 3 * hidden, there, low))
        c = forget * c + enter * new
        h = leave * (2 * tl.sigmoid(2 * c) - 1)
        tl.store(states + narrow, h, mask=there)
        tl.store(cells + narrow, c, mask=there)
        tl.store(kept + wide, enter, mask=there)
        tl.store(kept + wide + hidden, forget, mask=there)
        tl.store(kept + wide + 2 * hidden, new, mask=there)
        tl.store(kept + wide + 3 * hidden, leave, mask=there)


@triton.jit
def _backward(given, outputs, sizes, BLOCK: tl.constexpr, WIDTH: tl.constexpr):
    """given: d_states [N, K, B, H], and what the forward pass had and kept; outputs: d_gates [N, K, B, 4H]."""
    d_states, weight, cells, kept = given
    d_gates = outputs[0]
    bars, batch, hidden = sizes
    network = tl.program_id(0).to(tl.int64)
    rows, columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK), tl.arange(0, WIDTH)
    there = (rows < batch)[:, None] & (columns < hidden)[None, :]
    square = (columns < hidden)[:, None] & (columns < hidden)[None, :]
    tile = weight + network * 4 * hidden * hidden + columns[:, None] * hidden + columns[None, :]
    size = hidden * hidden
    w_enter = tl.load(tile, mask=square, other=0.0)
    w_forget = tl.load(tile + size, mask=square, other=0.0)
    w_new = tl.load(tile + 2 * size, mask=square, other=0.0)
    w_leave = tl.load(tile + 3 * size, mask=square, other=0.0)
    d_h, d_c = tl.zeros([BLOCK, WIDTH], tl.float32), tl.zeros([BLOCK, WIDTH], tl.float32)
    for back in range(bars):
        bar = bars - 1 - back
        row = (network * bars + bar) * batch + rows
        wide = row[:, None] * 4 * hidden + columns[None, :]
        narrow = row[:, None] * hidden + columns[None, :]
        enter = tl.load(kept + wide, mask=there, other=0.0)
        forget = tl.load(kept + wide + hidden, mask=there, other=0.0)
        new = tl.load(kept + wide + 2 * hidden, mask=there, other=0.0)
        leave = tl.load(kept + wide + 3 * hidden, mask=there, other=0.0)
        squashed = 2 * tl.sigmoid(2 * tl.load(cells + narrow, mask=there, other=0.0)) - 1
        earlier = narrow - batch * hidden
        before = tl.load(cells + earlier, mask=there & (earlier >= network * bars * batch * hidden), other=0.0)
        d_h += tl.load(d_states + narrow, mask=there, other=0.0)
        d_c += d_h * leave * (1 - squashed * squashed)
        d_enter = d_c * new * enter * (1 - enter)
        d_forget = d_c * before * forget * (1 - forget)
        d_new = d_c * enter * (1 - new * new)
        d_leave = d_h * squashed * leave * (1 - leave)
        tl.store(d_gates + wide, d_enter, mask=there)
        tl.store(d_gates + wide + hidden, d_forget, mask=there)
        tl.store(d_gates + wide + 2 * hidden, d_new, mask=there)
        tl.store(d_gates + wide + 3 * hidden, d_leave, mask=there)
        d_h = tl.dot(d_enter.to(w_enter.dtype), w_enter, input_precision="ieee")
        d_h += tl.dot(d_forget.to(w_enter.dtype), w_forget, input_precision="ieee")
        d_h += tl.dot(d_new.to(w_enter.dtype), w_new, input_precision="ieee")
        d_h += tl.dot(d_leave.to(w_enter.dtype), w_leave, input_precision="ieee")
        d_c = d_c * forget


class OnChip(torch.autograd.Function):
    """gates [N, K, B, 4H] float32, weight [N, 4H, H] → h [N, K, B, H], for N independent LSTMs: what Recurrence computes."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor) -> Tensor:
        gates, weight = gates.contiguous(), weight.contiguous()
        count, bars, batch, width = gates.shape
        states = gates.new_empty(count, bars, batch, width // 4)
        cells, kept = torch.empty_like(states), torch.empty_like(gates)
        _launch(_forward, (gates, weight), (states, cells, kept), gates.shape)
        ctx.save_for_backward(weight, states, cells, kept)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        weight, states, cells, kept = ctx.saved_tensors
        d_gates = torch.empty_like(kept)
        _launch(_backward, (gradients[0].contiguous(), weight, cells, kept), (d_gates,), kept.shape)
        rows = d_gates[:, 1:].flatten(1, 2).transpose(1, 2).to(weight.dtype)
        return d_gates, torch.bmm(rows, states[:, :-1].flatten(1, 2).to(weight.dtype))


def _launch(kernel: Any, given: tuple[Tensor, ...], outputs: tuple[Tensor, ...], shape: torch.Size) -> None:
    """One program for each network and block of windows."""
    count, bars, batch, width = shape
    block = 16 if batch <= 16 else 32
    padded = max(16, triton.next_power_of_2(width // 4))
    grid = (count, triton.cdiv(batch, block))
    kernel[grid](given, outputs, (bars, batch, width // 4), BLOCK=block, WIDTH=padded)
