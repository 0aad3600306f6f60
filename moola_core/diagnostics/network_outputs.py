"""What networks predict where some features are those of other windows, and their gradients: what attribution asks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.models.multitask import Outputs

BATCH = 128  # measured fastest on one thread
SAMPLES = 25  # draws a window of the expected gradients

Answer = Callable[[Tensor], Tensor]


def answers(model: Callable[[Tensor], Outputs], classes: int, window_bars: int) -> Answer:
    """Windows [..., b, K, F] → outputs [..., b, O]: logit differences, then center and length in bars."""

    def answer(x: Tensor) -> Tensor:
        outputs = model(x)
        columns = []
        if outputs.logits is not None:
            columns.append(logit_differences(outputs.logits[..., :classes]))
        if outputs.pointer is not None:
            columns.append(outputs.pointer * window_bars)
        return torch.cat(columns, dim=-1)

    return answer


def logit_differences(logits: Any) -> Any:
    """Each class's logit less the mean of the others', [..., C], of an array or tensor; of two classes the second's alone, [..., 1]."""
    classes = logits.shape[-1]
    if classes == 2:
        return logits[..., 1:] - logits[..., :1]
    return logits - (logits.sum(-1)[..., None] - logits) / (classes - 1)


@dataclass(frozen=True, eq=False)
class StackedCoalitions:
    """Windows of R fits many times, each time with some groups of columns left out.

    x [R, W, K, F]: the windows that are explained; background [R, B, K, F]: windows from which a column that is left out is taken; groups:
    the numbers of the columns by group; kept [R, W, c, G]: which groups are kept; place [R, W, c]: from which background window the others
    are taken.
    """

    x: Tensor
    background: Tensor
    groups: Sequence[Sequence[int]]
    kept: np.ndarray
    place: np.ndarray


@torch.no_grad()
def network_outputs(answer: Answer, coalitions: StackedCoalitions, batch: int) -> np.ndarray:
    """Outputs [R, W, c, O] of R fits for the coalitions of their windows.

    answer: windows [R, b, K, F] → outputs [R, b, O]; batch: how many windows are evaluated at once.
    """
    x, groups, kept, place = coalitions.x, coalitions.groups, coalitions.kept, coalitions.place
    fits, many, size = place.shape
    member = np.zeros((len(groups), x.shape[-1]), bool)
    for i, group in enumerate(groups):
        member[i, list(group)] = True
    columns = torch.from_numpy(kept.reshape(fits, -1, len(groups)) @ member)
    own = torch.arange(many).repeat_interleave(size)
    other = torch.from_numpy(np.ascontiguousarray(place.reshape(fits, -1)).astype(np.int64))
    fit = torch.arange(fits)[:, None]
    parts = []
    for part in torch.arange(many * size).split(max(1, batch // fits)):
        mixed = torch.where(columns[:, part][:, :, None], x[:, own[part]], coalitions.background[fit, other[:, part]])
        parts.append(answer(mixed))
    return torch.cat(parts, 1).double().cpu().numpy().reshape(fits, many, size, -1)


def expected_gradients(answer: Answer, x: Tensor, references: Tensor, seed: int) -> np.ndarray:
    """Contribution [m, K, F, O] of each feature at each bar: gradients along the way from random references (Erion et al. 2021)."""
    import shap

    explainer = shap.GradientExplainer(_Module(answer), references, batch_size=BATCH)
    with torch.backends.cudnn.flags(enabled=False):  # its LSTM has no gradients in eval mode
        gradients = np.asarray(explainer.shap_values(x, nsamples=SAMPLES, rseed=seed))
    return gradients if gradients.ndim == 4 else gradients[..., None]


class _Module(nn.Module):
    """An answer as the module that shap wants."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer(x)
