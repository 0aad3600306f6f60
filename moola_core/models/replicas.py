"""Many networks of one shape at once: what MultiTask computes, with a leading replica dimension and matrix products in batches.

cuDNN's LSTM has no such dimension, so the recurrence is written out: one matrix product and one cell a bar, for all replicas and
both directions together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from moola_core.models.multitask import Outputs
from moola_core.specs import Model

Dropped = Sequence[Tensor]
"""Factors of dropout (0 or 1 / (1 − p)), in the order of use: [R, K, B, 2 · hidden] between layers, [R, B, 2 · hidden] before the heads."""

BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-5, 0.1


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
        found: list[Tensor] = []
        for bar in range(bars - 1, -1, -1):
            d_gates, d_c = cell_backward(d_h, d_c, cells[bar], cells[bar + 1], kept[bar])
            found.append(d_gates.view(count, batch, 4 * hidden))
            if bar:
                back = torch.bmm(found[-1].to(weight.dtype), weight).to(d_gates.dtype)
                d_h = (d_states[:, bar - 1] + back).view(count * batch, hidden)
        d_input = torch.stack(found[::-1], dim=1)
        rows = d_input.flatten(1, 2).transpose(1, 2).to(weight.dtype)
        d_weight = torch.bmm(rows, torch.stack(states, dim=1).flatten(1, 2).to(weight.dtype))
        return d_input, d_weight


class Replicas:
    """R networks of one shape, as the functions of their stacked weights that MultiTask's modules are of single ones.

    weights: every parameter and buffer of MultiTask by its name, [R, *shape]; batch normalisation's buffers are updated in place.
    low: the type that matrix products of the encoder are made in, where it is not that of the weights.
    """

    def __init__(self, model: Model, weights: Mapping[str, Tensor], low: torch.dtype | None = None) -> None:
        self.model, self.weights, self.low = model, weights, low

    def forward(self, x: Tensor, dropped: Dropped = (), statistics: Tensor | None = None) -> Outputs:
        """x [R, K, B, F], standardised → logits [R, B, outputs], pointer [R, B, 2].

        dropped: dropout's factors; none in eval mode, and none between the layers of an encoder that rests. statistics [R, B]: the
        rows that batch normalisation counts; without it the running statistics are used, as in eval mode.
        """
        *between, last = dropped or (None,)
        sequence = self.encode(x, between, statistics)
        pooled = self._pooling(sequence)
        shared = self._trunk(pooled if last is None else pooled * last)
        return Outputs(self._class_head(shared), self._pointer_head(shared, sequence))

    def encode(self, x: Tensor, between: Dropped, statistics: Tensor | None) -> Tensor:
        """[R, K, B, F] → [R, K, B, 2 · hidden]; between: dropout's factors between the layers."""
        for layer in range(self.model.layers):
            x = self._layer(x, layer)
            if layer < len(between):
                x = x * between[layer]
        if self.model.normalisation == "layer":
            scale, shift = self.weights["encoder.normalisation.weight"], self.weights["encoder.normalisation.bias"]
            return functional.layer_norm(x, x.shape[-1:]) * scale[:, None, None] + shift[:, None, None]
        return self._batch_norm(x, statistics) if self.model.normalisation == "batch" else x

    def _layer(self, x: Tensor, layer: int) -> Tensor:
        replicas, bars, batch, _ = x.shape
        into, across, bias, other = (
            torch.stack([self.weights[f"encoder.lstm.{kind}_l{layer}{way}"] for way in ("", "_reverse")], 1).flatten(
                0, 1
            )
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        both = torch.stack([x, x.flip(1)], 1).flatten(0, 1).flatten(1, 2)
        if self.low is None:
            gates = torch.baddbmm((bias + other)[:, None], both, into.transpose(1, 2))
        else:
            across = across.to(self.low)
            gates = torch.bmm(both.to(self.low), into.to(self.low).transpose(1, 2)).float() + (bias + other)[:, None]
        h = Recurrence.apply(gates.view(2 * replicas, bars, batch, -1), across)
        h = h.view(replicas, 2, bars, batch, -1)
        return torch.cat([h[:, 0], h[:, 1].flip(1)], dim=-1)

    def _batch_norm(self, x: Tensor, statistics: Tensor | None) -> Tensor:
        """Over the rows and bars of each replica (Ioffe and Szegedy 2015); a replica without rows keeps its running statistics."""
        name = "encoder.normalisation"
        running = [self.weights[f"{name}.running_{kind}"] for kind in ("mean", "var")]
        if statistics is None:
            mean, variance = running
        else:
            rows = statistics[:, None, :, None]
            number = statistics.sum(1, keepdim=True) * x.shape[1]
            mean = (x * rows).sum((1, 2)) / number.clamp(min=1)
            variance = ((x - mean[:, None, None]) ** 2 * rows).sum((1, 2)) / number.clamp(min=1)
            with torch.no_grad():
                share = BATCH_NORM_MOMENTUM * (number > 0)
                running[0].lerp_(mean.detach(), share)
                running[1].lerp_(variance.detach() * number / (number - 1).clamp(min=1), share)
                self.weights[f"{name}.num_batches_tracked"].add_((number > 0).squeeze(1))
        scale = self.weights[f"{name}.weight"] * (variance + BATCH_NORM_EPSILON).rsqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + self.weights[f"{name}.bias"][:, None, None]

    def _pooling(self, sequence: Tensor) -> Tensor:
        """[R, K, B, 2 · hidden] → [R, B, 2 · hidden]."""
        if self.model.pooling == "mean":
            return sequence.mean(1)
        if self.model.pooling == "attention":
            return (torch.softmax(self._score(sequence, "pooling.score"), dim=1)[..., None] * sequence).sum(1)
        half = sequence.shape[-1] // 2
        return torch.cat([sequence[:, -1, :, :half], sequence[:, 0, :, half:]], dim=-1)

    def _score(self, sequence: Tensor, name: str) -> Tensor:
        """One number a bar: [R, K, B]."""
        return self._linear(sequence.flatten(1, 2), name).view(sequence.shape[:3])

    def _linear(self, x: Tensor, name: str) -> Tensor:
        """[R, m, in] → [R, m, out]."""
        return torch.baddbmm(self.weights[f"{name}.bias"][:, None], x, self.weights[f"{name}.weight"].transpose(1, 2))

    def _trunk(self, pooled: Tensor) -> Tensor:
        return torch.relu(self._linear(pooled, "trunk.0")) if self.model.trunk_width else pooled

    def _class_head(self, shared: Tensor) -> Tensor | None:
        return None if self.model.tasks == "pointers" else self._linear(shared, "class_head.linear")

    def _pointer_head(self, shared: Tensor, sequence: Tensor) -> Tensor | None:
        if self.model.tasks == "class":
            return None
        answer = torch.sigmoid(self._linear(shared, "pointer_head.linear"))
        if self.model.pointer == "pooled":
            return answer
        bars = torch.arange(sequence.shape[1], device=sequence.device, dtype=sequence.dtype) / sequence.shape[1]
        place = torch.softmax(self._score(sequence, "pointer_head.score"), dim=1)
        return torch.cat([(place * bars[None, :, None]).sum(1)[..., None], answer], dim=-1)
