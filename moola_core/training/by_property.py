"""What holds of any network and any features, whatever they compute: each bar is read with the next, answers are not tied, windows stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from moola_core.models import encoders
from moola_core.models.multitask import Outputs
from moola_core.training.by_definition import ALIKE, Deviation
from moola_core.training.group import Group

MOVED = 1e-9  # of the states' size: what a bar changes in those of its neighbours is larger, however little a network has learned
LEAST = 30  # windows whose answers can be compared
TIED = 1 - 1e-9  # rank correlation of two answers that are one
ONE_NUMBER = 1e-5  # of the largest singular value of the slopes [windows and bars, columns]: where columns are told apart the second is far larger
PUSH = 30.0  # of a bias: far more than any answer is
HEADS = {
    "class_head": ("logits", "class scores", -5.0, 5.0),
    "pointer_head": ("pointer", "pointers", 0.1, 0.9),
}  # and about where the ends of its range begin
CUT = 0.05  # share of answers that are exactly 0


def parts_of(outputs: Outputs) -> list[Tensor]:
    """What a network says of each task that it is trained for."""
    return [part for part in (outputs.logits, outputs.pointer, outputs.spans) if part is not None]


def numbers_of(outputs: Outputs) -> Tensor:
    """All numbers [windows, D] that the first fit says of whole windows."""
    return torch.cat([part[0] for part in parts_of(outputs) if part.ndim == 3], 1)


def of_reach(group: Group, row: int) -> Iterator[Deviation]:
    """What an encoder of the package makes of a bar rests on the bars next to it as well, at every place of a window; others may read each bar alone."""
    if not type(group.fits[0].model.encoder).__module__.startswith(f"{encoders.__name__}."):
        return
    x = group.windows.scaled(group.rows_of([np.array([row])])).transpose(1, 2).detach()  # [1, K, 1, F]
    bars = x.shape[1]
    moved = x.repeat(1, 1, 2 * bars + 1, 1)  # a bar moved up, a bar moved down, and at last the window as it is
    each = torch.arange(bars)
    for first, by in ((0, 1.0), (bars, -1.0)):
        moved[0, each, first + each] += by
    with torch.no_grad():
        states = group.network.encode(moved, None)[0].double()  # [K, 2K + 1, H]
    if states.shape[:2] != (bars, 2 * bars + 1):
        return
    up, down = (states[:, :-1] - states[:, -1:]).abs().amax(-1).numpy().reshape(bars, 2, bars).swapaxes(0, 1)
    change = np.maximum(up, down)  # of bar t by bar b
    least = MOVED * float(states.abs().mean())
    apart = np.maximum(np.diagonal(change, 1), np.diagonal(change, -1)) <= least
    if apart.any():
        yield Deviation(
            "network",
            f"what it makes of a bar does not depend on the bar beside it at {apart.sum()} of {bars - 1} places in a window",
        )


def of_reading(group: Group, ask: Callable[[], list[Tensor]]) -> Iterator[Deviation]:
    """What `ask` gives, answers of the network, rests on every bar and column, and not on one mixture of the columns alone."""
    stored = group.windows.x
    read = stored.clone().requires_grad_()
    group.windows.x = read * 1.0  # no leaf, so that what changes it in place is let through to where it shows
    total = torch.stack([part.square().sum() for part in ask()]).sum()
    slope = torch.autograd.grad(total, read)[0]
    used = slope.abs().sum(0).numpy()
    group.windows.x = stored
    for axis, name in ((1, "bars"), (0, "columns")) if used.any() else ():
        unread = used.sum(axis) == 0
        if unread.any():
            yield Deviation(
                "network", f"nothing that the network says depends on {unread.sum()} of {len(unread)} {name}"
            )
    columns = slope.flatten(0, 1).double().numpy()
    columns = columns[:, columns.any(0)]
    columns = columns / np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
    sizes = np.linalg.svd(columns, compute_uv=False) if columns.shape[1] > 1 else np.ones(2)
    if sizes[1] < ONE_NUMBER * sizes[0]:
        yield Deviation("network", f"the {columns.shape[1]} columns of a bar reach the network as one number")


def of_zeros(outputs: Tensor) -> Iterator[Deviation]:
    """What a network [windows, D] says as it begins is not exactly 0, in prediction or in training: that is what is cut off or dropped."""
    zeros = int((outputs.detach() == 0).sum(0).max())
    if zeros > max(1, CUT * len(outputs)):
        yield Deviation(
            "network",
            f"{zeros / len(outputs):.0%} of one of its answers are exactly 0, as if they were cut off or dropped",
        )


def of_outputs(outputs: Tensor) -> Iterator[Deviation]:
    """What a network [windows, D] says as it begins: no two of its numbers are one."""
    values = outputs.detach().double().numpy()
    if len(values) < LEAST:
        return
    values = values[:, np.ptp(values, 0) > 0]
    alike = np.abs(np.corrcoef(values.argsort(0).argsort(0), rowvar=False)) if values.shape[1] > 1 else np.eye(1)
    if (alike - np.eye(len(alike)) > TIED).any():
        yield Deviation("network", "two of its answers are one: the windows have the same order by both")


def of_heads(group: Group, columns: Mapping[str, slice], ask: Callable[[], Outputs]) -> Iterator[Deviation]:
    """What each head says reaches both ends of its range when the bias of its layer is pushed there.

    columns: of each tensor that trains; heads that score bars or spans have no such bias.
    """
    for head, (name, words, low, high) in HEADS.items():
        bias = columns.get(f"{head}.linear.bias")
        if bias is None or f"{head}.score.weight" in columns:
            continue
        kept, reached = group.stacked.matrix[:, bias].clone(), list[float]()
        for push in (-PUSH, PUSH):
            group.stacked.matrix[:, bias] = kept + push
            with torch.no_grad():
                own: Tensor | None = getattr(ask(), name)
            reached += [] if own is None else [float(own.double().median())]
        group.stacked.matrix[:, bias] = kept
        if reached and reached[0] > low:
            yield Deviation("network", f"pushed down as far as they go, its {words} are still {reached[0]:.2g}")
        if reached and reached[1] < high:
            yield Deviation("network", f"pushed up as far as they go, its {words} are still {reached[1]:.2g}")


def of_stored(before: Tensor, group: Group) -> Iterator[Deviation]:
    """Training leaves the windows as they are."""
    off = ((before - group.windows.x).abs() > ALIKE * before.abs().clamp(min=1)).float().mean()
    if off > 0:
        yield Deviation("inputs", f"training changes the stored windows themselves, at {off:.0%} of the values")


def of_features(together: np.ndarray, alone: Sequence[np.ndarray]) -> Iterator[Deviation]:
    """The features of a window are its own: those of windows [n, K, F] made together are those of each [1, K, F] made alone."""
    off = ~np.isclose(together, np.concatenate(alone), rtol=ALIKE, atol=ALIKE, equal_nan=True)
    if off.any():
        yield Deviation(
            "inputs",
            f"the features of a window depend on the windows that they are made with, at {off.mean():.0%} of the values",
        )
