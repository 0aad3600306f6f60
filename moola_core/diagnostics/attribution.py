"""Attribution: what each group of inputs contributes to the out-of-fold models' predictions (Shapley 1953; Lundberg and Lee 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moola_core.diagnostics.fitted import Fitted, Together, WithTerms, classes_of, load_estimator, load_fitted
from moola_core.diagnostics.results import Attribution, Rank
from moola_core.diagnostics.results.attribution import POINTER_OUTPUTS
from moola_core.diagnostics.shapley import Values, coalitions, shapley_values
from moola_core.errors import DataError
from moola_core.estimators import Coalitions, Estimator, Prediction
from moola_core.features.catalog import PRICE_PATH
from moola_core.market.windows import Windows
from moola_core.models.multitask import MultiTask, Outputs
from moola_core.runs.store import Run

MOST_GROUPS = 14
PATH = "price_path"
BATCH = 128  # measured fastest on one thread
ROWS = 2048  # windows × fits that are evaluated at once on a GPU
LEAST_PROBABILITY = 1e-3  # a few hundred windows show no smaller one; its logarithm would outweigh all others
CHUNK = 6  # windows in a job: progress is reported after each
REFERENCES, SAMPLES = 50, 25  # training windows, and draws a window, of the expected gradients

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Job:
    """Windows of one test fold: their rows, the features [m, K, F] and prices [m, K, 4] that models read of them, the average features
    [K, F] and some training windows [r, K, F]; groups: the names of what is left out."""

    folder: Path
    repeat: int
    fold: int
    groups: tuple[str, ...]
    rows: np.ndarray
    x: np.ndarray
    prices: np.ndarray
    base: np.ndarray
    references: np.ndarray


@dataclass(frozen=True, eq=False)
class Explained:
    """Result of a job: Shapley values [m, G, O], outputs without and with all groups [m, O], absolute gradients [K, F, O]; F is 0 where
    the model has none."""

    repeat: int
    fold: int
    outputs: tuple[str, ...]
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
    """Shapley values of each window by the model that did not train on it; of networks also expected gradients over time.

    x [n, K, F]: the features of `windows`, in raw units; repeats: of how many repeats the models are used; tell: called with windows
    done and in all; work: `explain` of every job, in any order, as `explain_together` does it for networks on a GPU. A left-out feature
    takes its average over the fold's training windows. Raises DataError when there are more than 14 groups, and CheckpointError when
    the models were not kept.
    """
    columns = grouped(run.record.counts["features"])
    groups = tuple(columns) if run.spec.is_network else _first_estimator(run).groups(columns)
    if len(groups) > MOST_GROUPS:
        raise DataError(
            f"{len(groups)} groups of features are too many to be exact.",
            where="attribution",
            hint="Use fewer columns.",
        )
    jobs = _jobs(run, windows, x, groups, repeats)
    total, parts = sum(len(job.rows) for job in jobs), []
    for part in work(jobs) if work else map(explain, jobs):
        parts.append(part)
        if tell:
            tell(sum(len(p.rows) for p in parts), total)
    parts.sort(key=lambda part: (part.repeat, part.fold, int(part.rows[0])))
    index = np.concatenate([part.rows for part in parts])
    outputs = tuple(name for name in parts[0].outputs if all(name in part.outputs for part in parts))
    values, empty, full = (np.concatenate(_each(parts, name, outputs)) for name in ("values", "empty", "full"))
    fits = np.concatenate([[f"{part.repeat}-{part.fold}"] * len(part.rows) for part in parts])
    course = np.moveaxis(np.sum(_each(parts, "gradients", outputs), axis=0) / total, 2, 0)
    return Attribution(
        len({part.repeat for part in parts}),
        tuple(windows.window_id.astype(str)[index].tolist()),
        groups,
        outputs,
        values,
        empty,
        full,
        _level(x, index, columns, groups),
        _ranking(values, fits, groups, outputs),
        float(np.abs(empty + values.sum(1) - full).max()),
        tuple(run.record.counts["features"]) if course.size else (),
        course,
    )


def _each(parts: Sequence[Explained], name: str, outputs: tuple[str, ...]) -> list[np.ndarray]:
    """An array of every part, with these outputs alone: a fit whose training windows have no expansion points nowhere."""
    return [getattr(part, name)[..., [part.outputs.index(output) for output in outputs]] for part in parts]


def _first_estimator(run: Run) -> Estimator:
    predictions = run.predictions
    return load_estimator(run, int(predictions["repeat"].iloc[0]), int(predictions["fold"].iloc[0]))


def _jobs(run: Run, windows: Windows, x: np.ndarray, groups: tuple[str, ...], repeats: int) -> list[Job]:
    place = {name: i for i, name in enumerate(windows.window_id.astype(str))}
    predictions, jobs = run.predictions, []
    for (repeat, fold), part in predictions[predictions["repeat"] < repeats].groupby(["repeat", "fold"], sort=True):
        test = np.array([place[name] for name in part["window_id"].astype(str)])
        others = np.delete(x, test, axis=0)
        some = others[np.linspace(0, len(others) - 1, min(REFERENCES, len(others))).astype(int)]
        jobs += [
            Job(
                run.folder,
                int(repeat),
                int(fold),
                groups,
                rows,
                x[rows],
                windows.prices[rows],
                others.mean(0),
                some,
            )
            for rows in np.array_split(test, -(-len(test) // CHUNK))
        ]
    return jobs


def explain(job: Job) -> Explained:
    """Shapley values of a job's windows, and of a network its expected gradients."""
    run = Run(job.folder)
    if not run.spec.is_network:
        return _explain_estimator(run, job)
    fitted, classes = load_fitted(run, job.repeat, job.fold), classes_of(run)
    groups = list(grouped(run.record.counts["features"]).values())
    answer = answers(fitted.model, len(classes), job.x.shape[1])
    scaled, base = fitted.scaled(job.x), fitted.scaled(job.base)
    each = [shapley(answer, one.numpy(), base.numpy(), groups) for one in scaled]
    return _explained(job, _outputs_of(fitted.model, classes), each, _gradients(job, answer, fitted))


def _explain_estimator(run: Run, job: Job) -> Explained:
    estimator, classes = load_estimator(run, job.repeat, job.fold), classes_of(run)
    columns = grouped(run.record.counts["features"])
    if estimator.groups(columns) != job.groups:
        raise DataError(
            "some of its fits had no expansion to learn from, and read other inputs than the rest.",
            where=f"run {run.id}",
            hint="Use fewer folds, or label more expansions.",
        )
    every, each = coalitions(len(job.groups)), []
    outputs: tuple[str, ...] = ()
    for x, prices in zip(job.x, job.prices, strict=True):
        predicted = estimator.predict_coalitions(Coalitions(x, prices, job.base, columns, every))
        outputs = output_names(classes, predicted.probabilities is not None, predicted.span is not None)
        each.append(shapley_values(prediction_outputs(predicted)))
    return _explained(job, outputs, each, np.empty((job.x.shape[1], 0, len(outputs))))


def prediction_outputs(predicted: Prediction) -> np.ndarray:
    """The outputs [n, O] that `output_names` names, of n predictions."""
    columns = []
    if predicted.probabilities is not None:
        columns.append(logit_differences(np.log(np.clip(predicted.probabilities, LEAST_PROBABILITY, 1))))
    if predicted.span is not None:
        start, end = predicted.span.T
        columns.append(np.stack([(start + end) / 2, end - start], axis=1))
    return np.concatenate(columns, axis=1)


def _explained(job: Job, outputs: tuple[str, ...], each: Sequence[Values], gradients: np.ndarray) -> Explained:
    """A job's result, from the Shapley values of each of its windows."""
    values, empty, full = (np.stack([part[k] for part in each]) for k in range(3))
    return Explained(job.repeat, job.fold, outputs, job.rows, values, empty, full, gradients)


def _gradients(job: Job, answer: Answer, fitted: Fitted[MultiTask | WithTerms]) -> np.ndarray:
    """Absolute expected gradients [K, F, O], summed over a job's windows."""
    gradients = expected_gradients(answer, fitted.scaled(job.x), fitted.scaled(job.references), job.repeat)
    return np.abs(gradients).sum(0)


def explain_together(jobs: Sequence[Job], device: str) -> Iterator[Explained]:
    """What `explain` finds of each job, with the networks of all fits evaluated at once on a device."""
    run = Run(jobs[0].folder)
    groups = list(grouped(run.record.counts["features"]).values())
    waiting: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        waiting.setdefault((job.repeat, job.fold), []).append(job)
    fits = [load_fitted(run, *fit) for fit in waiting]
    classes, bars = classes_of(run), jobs[0].x.shape[1]
    together = answers(Together(fits, run.spec.model, device), len(classes), bars)
    alone = [answers(fit.model, len(classes), bars) for fit in fits]
    for turn in range(max(map(len, waiting.values()))):
        # A fit that has no window left gets an earlier one again, and that output is not used.
        at = [own[min(turn, len(own) - 1)] for own in waiting.values()]
        base = np.stack([fit.scaled(job.base).numpy() for fit, job in zip(fits, at, strict=True)])
        scaled = [fit.scaled(job.x).numpy() for fit, job in zip(fits, at, strict=True)]
        each = []
        for i in range(max(map(len, scaled))):
            x = np.stack([own[min(i, len(own) - 1)] for own in scaled])
            each.append(shapley(together, x, base, groups, max(1, ROWS // len(fits))))
        for r, job in enumerate(at):
            if turn < len(list(waiting.values())[r]):
                own = [(values[r], empty[r], full[r]) for values, empty, full in each[: len(job.rows)]]
                gradients = _gradients(job, alone[r], fits[r])
                yield _explained(job, _outputs_of(fits[r].model, classes), own, gradients)


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


def output_names(classes: tuple[str, ...], has_class: bool, has_pointer: bool) -> tuple[str, ...]:
    """The outputs that are explained, in order."""
    names: tuple[str, ...] = ()
    if has_class:
        two = (f"logit of {classes[-1]} over {classes[0]}",) if len(classes) == 2 else ()
        names = two or tuple(f"logit of {name} over the others" for name in classes)
    return (*names, *POINTER_OUTPUTS) if has_pointer else names


def _outputs_of(model: MultiTask | WithTerms, classes: tuple[str, ...]) -> tuple[str, ...]:
    return output_names(classes, model.class_head is not None, model.pointer_head is not None)


def logit_differences(logits: Any) -> Any:
    """Each class's logit less the mean of the others', [..., C], of an array or tensor; of two classes the second's alone, [..., 1]."""
    classes = logits.shape[-1]
    if classes == 2:
        return logits[..., 1:] - logits[..., :1]
    return logits - (logits.sum(-1)[..., None] - logits) / (classes - 1)


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


@torch.no_grad()
def shapley(
    answer: Answer, x: np.ndarray, base: np.ndarray, groups: Sequence[Sequence[int]], batch: int = BATCH
) -> Values:
    """Exact Shapley values [..., G, O] of one window x [..., K, F] against `base` [..., K, F], with the outputs [..., O] of none and of all
    features.

    All 2^G coalitions are evaluated, `batch` at a time.
    """
    member = coalitions(len(groups))
    columns = np.zeros((len(member), x.shape[-1]), bool)
    for i, group in enumerate(groups):
        columns[:, list(group)] = member[:, i : i + 1]
    own, other = (torch.from_numpy(part.astype(np.float32)).unsqueeze(-3) for part in (x, base))
    parts = torch.from_numpy(columns).split(batch)
    outputs = torch.cat([answer(torch.where(part[:, None, :], own, other)) for part in parts], -2)
    return shapley_values(outputs.double().cpu().numpy())


def _level(x: np.ndarray, index: np.ndarray, columns: dict[str, list[int]], groups: tuple[str, ...]) -> np.ndarray:
    """Each window's mean of each feature [n, G] in standard deviations over the windows; 0 for groups that are no single feature."""
    mean = x.mean(1)
    std = mean.std(0)
    scaled = (mean - mean.mean(0)) / np.where(std > 0, std, 1.0)
    single = [columns[name][0] if len(columns.get(name, ())) == 1 else None for name in groups]
    return np.stack([np.zeros(len(index)) if at is None else scaled[index, at] for at in single], axis=1)


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
