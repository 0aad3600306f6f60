"""Attribution: what each feature contributes to the out-of-fold models' answers (Shapley 1953; Lundberg and Lee 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch import Tensor

from moola_core.diagnostics.results import Attribution, Rank
from moola_core.errors import DataError
from moola_core.features.catalog import PRICE_PATH
from moola_core.market.windows import Windows
from moola_core.models.checkpoint import load_weights, put_weights
from moola_core.models.multitask import MultiTask
from moola_core.runs.store import Run

MOST_GROUPS = 14
PATH = "price_path"
BATCH = 256  # measured fastest

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A replicate's network in eval mode with the scale [F] of its inputs."""

    model: MultiTask
    mean: np.ndarray
    std: np.ndarray


def attribute(
    run: Run, windows: Windows, x: np.ndarray, repeat: int = 0, tell: Callable[[int, int], None] | None = None
) -> Attribution:
    """Shapley values of each window by the model that did not train on it.

    x [n, K, F]: what the models read of `windows`, in raw units; tell: called with windows done and in all. A left-out feature takes its
    mean course over the fold's training windows. Raises DataError when the features make more than 14 groups.
    """
    predictions = run.predictions
    rows = predictions[predictions["repeat"] == repeat]
    names = tuple(run.record.counts["features"])
    groups = grouped(names)
    if len(groups) > MOST_GROUPS:
        raise DataError(
            f"{len(groups)} groups of features are too many to be exact.",
            where="attribution",
            mend="Use fewer columns.",
        )
    place = {name: i for i, name in enumerate(windows.window_id.astype(str))}
    classes = tuple(str(name)[2:] for name in rows if str(name).startswith("p_"))
    parts, order, done = [], [], 0
    for fold, part in rows.groupby("fold", sort=True):
        fitted = load_fitted(run, repeat, int(fold), x.shape[2], len(classes))
        test = np.array([place[name] for name in part["window_id"].astype(str)])
        scaled = (x - fitted.mean) / fitted.std
        base = np.delete(scaled, test, axis=0).mean(0)
        answer = answers(fitted.model, len(classes), windows.bars)
        for i in test:
            parts.append(shapley(answer, scaled[i], base, list(groups.values())))
            done += 1
            if tell:
                tell(done, len(rows))
        order.append((int(fold), test, scaled[test].mean(1)))
    index = np.concatenate([test for _, test, _ in order])
    values, empty, full = (np.stack([part[k] for part in parts]) for k in range(3))
    level = np.concatenate([mean for _, _, mean in order])
    level = np.stack([level[:, at[0]] if len(at) == 1 else np.zeros(len(level)) for at in groups.values()], axis=1)
    folds = np.concatenate([np.full(len(test), fold) for fold, test, _ in order])
    outputs = output_names(fitted.model, classes)
    return Attribution(
        repeat, tuple(windows.window_id.astype(str)[index].tolist()), tuple(groups), outputs, values, empty, full, level,
        _ranking(values, folds, tuple(groups), outputs), float(np.abs(empty + values.sum(1) - full).max()),
    )  # fmt: skip


def grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """Column numbers by group: each relativity feature alone, the columns of the price path together."""
    path = {feature.name for feature in PRICE_PATH}
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(PATH if name in path else name, []).append(i)
    return found


def load_fitted(run: Run, repeat: int, fold: int, inputs: int, classes: int) -> Fitted:
    """The network that a finished fit kept."""
    spec = run.spec
    weights = load_weights(run.replicates()[(repeat, fold)] / "weights.safetensors")
    mean, std = weights.pop("scale.mean"), weights.pop("scale.std")
    model = MultiTask(inputs, classes + spec.faults.extra_output, spec.model)
    put_weights(model, weights, f"run {run.id}, repeat {repeat}, fold {fold}")
    return Fitted(model.eval(), mean, std)


def output_names(model: MultiTask, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The outputs of `answers`, in order."""
    found: tuple[str, ...] = ()
    if model.class_head is not None:
        two = (f"logit of {classes[-1]} over {classes[0]}",) if len(classes) == 2 else ()
        found = two or tuple(f"logit of {name} over the others" for name in classes)
    return found if model.pointer_head is None else (*found, "center, bars", "length, bars")


def answers(model: MultiTask, classes: int, window_bars: int) -> Answer:
    """Windows [b, K, F] → outputs [b, O]: logit differences, then center and length in bars."""

    def answer(x: Tensor) -> Tensor:
        outputs = model(x)
        columns = []
        if outputs.logits is not None:
            logits = outputs.logits[:, :classes]
            if classes == 2:
                columns.append(logits[:, 1:] - logits[:, :1])
            else:
                columns.append(logits - (logits.sum(1, keepdim=True) - logits) / (classes - 1))
        if outputs.pointer is not None:
            columns.append(outputs.pointer * window_bars)
        return torch.cat(columns, dim=1)

    return answer


@torch.no_grad()
def shapley(
    answer: Answer, x: np.ndarray, base: np.ndarray, groups: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact Shapley values [G, O] of one window x [K, F] against `base` [K, F], with the outputs [O] of none and of all features.

    All 2^G coalitions are asked.
    """
    count = len(groups)
    member = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    columns = np.zeros((2**count, x.shape[1]), bool)
    for i, group in enumerate(groups):
        columns[:, list(group)] = member[:, i : i + 1].astype(bool)
    own, other = torch.from_numpy(x.astype(np.float32)), torch.from_numpy(base.astype(np.float32))
    value = (
        torch.cat(
            [answer(torch.where(part[:, None, :], own, other)) for part in torch.from_numpy(columns).split(BATCH)]
        )
        .double()
        .numpy()
    )
    size = member.sum(1)
    weight = np.array([1 / (count * comb(count - 1, s)) if s < count else 0.0 for s in range(count + 1)])
    found = np.empty((count, value.shape[1]))
    for i in range(count):
        without = np.flatnonzero(member[:, i] == 0)
        found[i] = weight[size[without]] @ (value[without | (1 << i)] - value[without])
    return found, value[0], value[-1]


def _ranking(
    values: np.ndarray, folds: np.ndarray, groups: tuple[str, ...], outputs: tuple[str, ...]
) -> tuple[Rank, ...]:
    size = np.abs(values)
    rows = []
    for k, output in enumerate(outputs):
        mean = size[:, :, k].mean(0)
        rank = np.argsort(np.argsort(-mean, kind="stable"), kind="stable") + 1
        each = [size[folds == fold, :, k].mean(0) for fold in np.unique(folds)]
        rows += [
            Rank(name, output, float(mean[i]), tuple(float(part[i]) for part in each), int(rank[i]))
            for i, name in enumerate(groups)
        ]
    return tuple(rows)
