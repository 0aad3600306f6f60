"""Attribution: what each feature contributes to the out-of-fold models' predictions (Shapley 1953; Lundberg and Lee 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.diagnostics.fitted import Fitted, Together, classes_of, load_fitted
from moola_core.diagnostics.results import Attribution, Rank
from moola_core.errors import DataError
from moola_core.features.catalog import PRICE_PATH
from moola_core.market.windows import Windows
from moola_core.models.multitask import MultiTask, Outputs
from moola_core.runs.store import Run

MOST_GROUPS = 14
PATH = "price_path"
BATCH = 128  # measured fastest on one thread
ROWS = 2048  # windows × fits that are evaluated at once on a GPU
CHUNK = 6  # windows in a job: progress is reported after each
REFERENCES, SAMPLES = 50, 25  # training windows, and draws a window, of the expected gradients

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Job:
    """Windows of one test fold: their rows, what the model reads of them [m, K, F], the average input [K, F] and some training
    windows [r, K, F]."""

    folder: Path
    repeat: int
    fold: int
    rows: np.ndarray
    x: np.ndarray
    base: np.ndarray
    references: np.ndarray


@dataclass(frozen=True, eq=False)
class Explained:
    """Result of a job: Shapley values [m, G, O], outputs without and with all features [m, O], absolute gradients [K, F, O]."""

    repeat: int
    fold: int
    rows: np.ndarray
    values: np.ndarray
    empty: np.ndarray
    full: np.ndarray
    gradients: np.ndarray


Work = Callable[[Sequence[Job]], Iterable[Explained]]


def attribute(
    run: Run,
    windows: Windows,
    x: np.ndarray,
    repeats: int = 1,
    tell: Callable[[int, int], None] | None = None,
    work: Work | None = None,
) -> Attribution:
    """Shapley values of each window by the model that did not train on it, and expected gradients over time.

    x [n, K, F]: what the models read of `windows`, in raw units; repeats: of how many repeats the models are used; tell: called with
    windows done and in all; work: `explain` of every job, in any order, as `explain_together` does it on a GPU. A left-out
    feature takes its average over the fold's training windows. Raises DataError when the features make more than 14
    groups.
    """
    groups = grouped(run.record.counts["features"])
    if len(groups) > MOST_GROUPS:
        raise DataError(
            f"{len(groups)} groups of features are too many to be exact.",
            where="attribution",
            hint="Use fewer columns.",
        )
    jobs = _jobs(run, windows, x, repeats)
    total, parts = sum(len(job.rows) for job in jobs), []
    for part in work(jobs) if work else map(explain, jobs):
        parts.append(part)
        if tell:
            tell(sum(len(p.rows) for p in parts), total)
    parts.sort(key=lambda part: (part.repeat, part.fold, int(part.rows[0])))
    index = np.concatenate([part.rows for part in parts])
    values, empty, full = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "empty", "full")
    )
    fits = np.concatenate([[f"{part.repeat}-{part.fold}"] * len(part.rows) for part in parts])
    outputs = output_names(load_fitted(run, parts[0].repeat, parts[0].fold).model, classes_of(run))
    course = np.sum([part.gradients for part in parts], axis=0) / total
    return Attribution(
        len({part.repeat for part in parts}),
        tuple(windows.window_id.astype(str)[index].tolist()),
        tuple(groups),
        outputs,
        values,
        empty,
        full,
        _level(x, index, groups),
        _ranking(values, fits, tuple(groups), outputs),
        float(np.abs(empty + values.sum(1) - full).max()),
        tuple(run.record.counts["features"]),
        np.moveaxis(course, 2, 0),
    )


def _jobs(run: Run, windows: Windows, x: np.ndarray, repeats: int) -> list[Job]:
    place = {name: i for i, name in enumerate(windows.window_id.astype(str))}
    predictions, jobs = run.predictions, []
    for (repeat, fold), part in predictions[predictions["repeat"] < repeats].groupby(["repeat", "fold"], sort=True):
        test = np.array([place[name] for name in part["window_id"].astype(str)])
        others = np.delete(x, test, axis=0)
        some = others[np.linspace(0, len(others) - 1, min(REFERENCES, len(others))).astype(int)]
        jobs += [
            Job(run.folder, int(repeat), int(fold), rows, x[rows], others.mean(0), some)
            for rows in np.array_split(test, -(-len(test) // CHUNK))
        ]
    return jobs


def explain(job: Job) -> Explained:
    """Shapley values and expected gradients of a job's windows."""
    run = Run(job.folder)
    fitted = load_fitted(run, job.repeat, job.fold)
    groups = list(grouped(run.record.counts["features"]).values())
    answer = answers(fitted.model, len(run.record.counts["labels"]), job.x.shape[1])
    scaled, base = fitted.scaled(job.x), fitted.scaled(job.base)
    return _explained(job, answer, [shapley(answer, one.numpy(), base.numpy(), groups) for one in scaled], fitted)


Values = tuple[np.ndarray, np.ndarray, np.ndarray]


def _explained(job: Job, answer: Answer, shapley_values: Sequence[Values], fitted: Fitted[MultiTask]) -> Explained:
    """With the Shapley values of a job's windows, its expected gradients."""
    values, empty, full = (np.stack([part[k] for part in shapley_values]) for k in range(3))
    gradients = expected_gradients(answer, fitted.scaled(job.x), fitted.scaled(job.references), job.repeat)
    return Explained(job.repeat, job.fold, job.rows, values, empty, full, np.abs(gradients).sum(0))


def explain_together(jobs: Sequence[Job], device: str) -> Iterator[Explained]:
    """What `explain` finds of each job, with the networks of all fits evaluated at once on a device."""
    run = Run(jobs[0].folder)
    groups = list(grouped(run.record.counts["features"]).values())
    waiting: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        waiting.setdefault((job.repeat, job.fold), []).append(job)
    fits = [load_fitted(run, *fit) for fit in waiting]
    classes, bars = len(run.record.counts["labels"]), jobs[0].x.shape[1]
    together = answers(Together(fits, run.spec.model, device), classes, bars)
    alone = [answers(fit.model, classes, bars) for fit in fits]
    for turn in range(max(map(len, waiting.values()))):
        # A fit that has no window left gets an earlier one again, and that output is not used.
        at = [own[min(turn, len(own) - 1)] for own in waiting.values()]
        base = np.stack([fit.scaled(job.base).numpy() for fit, job in zip(fits, at, strict=True)])
        scaled = [fit.scaled(job.x).numpy() for fit, job in zip(fits, at, strict=True)]
        shapley_values = []
        for i in range(max(map(len, scaled))):
            x = np.stack([own[min(i, len(own) - 1)] for own in scaled])
            shapley_values.append(shapley(together, x, base, groups, max(1, ROWS // len(fits))))
        for r, job in enumerate(at):
            if turn < len(list(waiting.values())[r]):
                own = [(values[r], empty[r], full[r]) for values, empty, full in shapley_values[: len(job.rows)]]
                yield _explained(job, alone[r], own, fits[r])


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


def grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """Column numbers by group: each relativity feature alone, the columns of the price path together."""
    path = {feature.name for feature in PRICE_PATH}
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(PATH if name in path else name, []).append(i)
    return groups


def output_names(model: MultiTask, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The outputs of `answers`, in order."""
    names: tuple[str, ...] = ()
    if model.class_head is not None:
        two = (f"logit of {classes[-1]} over {classes[0]}",) if len(classes) == 2 else ()
        names = two or tuple(f"logit of {name} over the others" for name in classes)
    return names if model.pointer_head is None else (*names, "center, bars", "length, bars")


def answers(model: Callable[[Tensor], Outputs], classes: int, window_bars: int) -> Answer:
    """Windows [..., b, K, F] → outputs [..., b, O]: logit differences, then center and length in bars."""

    def answer(x: Tensor) -> Tensor:
        outputs = model(x)
        columns = []
        if outputs.logits is not None:
            logits = outputs.logits[..., :classes]
            if classes == 2:
                columns.append(logits[..., 1:] - logits[..., :1])
            else:
                columns.append(logits - (logits.sum(-1, keepdim=True) - logits) / (classes - 1))
        if outputs.pointer is not None:
            columns.append(outputs.pointer * window_bars)
        return torch.cat(columns, dim=-1)

    return answer


@torch.no_grad()
def shapley(
    answer: Answer, x: np.ndarray, base: np.ndarray, groups: Sequence[Sequence[int]], batch: int = BATCH
) -> Values:
    """Exact Shapley values [..., G, O] of one window x [..., K, F] against `base` [..., K, F], with the outputs [..., O] of none and of all
    features.

    All 2^G coalitions are evaluated, `batch` at a time.
    """
    count = len(groups)
    member = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    columns = np.zeros((2**count, x.shape[-1]), bool)
    for i, group in enumerate(groups):
        columns[:, list(group)] = member[:, i : i + 1].astype(bool)
    own, other = (torch.from_numpy(part.astype(np.float32)).unsqueeze(-3) for part in (x, base))
    parts = torch.from_numpy(columns).split(batch)
    value = torch.cat([answer(torch.where(part[:, None, :], own, other)) for part in parts], -2).double().cpu().numpy()
    size = member.sum(1)
    weight = np.array([1 / (count * comb(count - 1, s)) if s < count else 0.0 for s in range(count + 1)])
    contributions = []
    for i in range(count):
        without = np.flatnonzero(member[:, i] == 0)
        contributions.append(weight[size[without]] @ (value[..., without | (1 << i), :] - value[..., without, :]))
    return np.stack(contributions, axis=-2), value[..., 0, :], value[..., -1, :]


def _level(x: np.ndarray, index: np.ndarray, groups: dict[str, list[int]]) -> np.ndarray:
    """Each window's mean of each feature [n, G] in standard deviations over the windows; 0 for the price path."""
    mean = x.mean(1)
    std = mean.std(0)
    scaled = (mean - mean.mean(0)) / np.where(std > 0, std, 1.0)
    return np.stack([scaled[index, at[0]] if len(at) == 1 else np.zeros(len(index)) for at in groups.values()], axis=1)


def _ranking(
    values: np.ndarray, fits: np.ndarray, groups: tuple[str, ...], outputs: tuple[str, ...]
) -> tuple[Rank, ...]:
    size = np.abs(values)
    rows = []
    for k, output in enumerate(outputs):
        mean = size[:, :, k].mean(0)
        rank = np.argsort(np.argsort(-mean, kind="stable"), kind="stable") + 1
        by_fit = [size[fits == fit, :, k].mean(0) for fit in np.unique(fits)]
        rows += [
            Rank(name, output, float(mean[i]), tuple(float(part[i]) for part in by_fit), int(rank[i]))
            for i, name in enumerate(groups)
        ]
    return tuple(rows)
