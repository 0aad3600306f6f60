"""Attribution: what each group of inputs contributes to the out-of-fold models' predictions (Shapley 1953; Lundberg and Lee 2017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from moola_core.diagnostics.fitted import FittedModel, StackedModels, WithTerms, classes_of, load_estimator, load_fitted
from moola_core.diagnostics.network_outputs import (
    BATCH,
    Answer,
    StackedCoalitions,
    answers,
    expected_gradients,
    logit_differences,
    network_outputs,
)
from moola_core.diagnostics.results import Attribution, Rank
from moola_core.diagnostics.results.attribution import POINTER_OUTPUTS
from moola_core.diagnostics.shapley import Explanation, Shares, mean_errors
from moola_core.errors import DataError
from moola_core.estimators import Coalitions, Estimator, Prediction
from moola_core.features.catalog import PRICE_PATH
from moola_core.market.windows import Windows
from moola_core.models.multitask import MultiTask
from moola_core.runs.folds import Folds
from moola_core.runs.store import Run

PATH = "price_path"
ROWS = 2048  # windows that are evaluated at once on a GPU
LEAST_PROBABILITY = 1e-3  # a few hundred windows show no smaller one; its logarithm would outweigh all others
CHUNK = 6  # windows in a job: progress is reported after each
BACKGROUND = 20  # training windows of a fold that left-out features are taken from
REFERENCES = 50  # training windows of the expected gradients


@dataclass(frozen=True, eq=False)
class Job:
    """Windows of one test fold: their rows, the features [m, K, F] and prices [m, K, 4] that models read of them, background windows
    [b, K, F] and references of the expected gradients [r, K, F], both of the fold's training windows; groups: the names of what is left
    out."""

    folder: Path
    repeat: int
    fold: int
    groups: tuple[str, ...]
    rows: np.ndarray
    x: np.ndarray
    prices: np.ndarray
    background: np.ndarray
    references: np.ndarray


@dataclass(frozen=True, eq=False)
class Explained:
    """Result of a job: Shapley values of the groups in each window, and absolute gradients [K, F, O]; F is 0 where the model has none."""

    repeat: int
    fold: int
    outputs: tuple[str, ...]
    rows: np.ndarray
    shares: Shares
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
    takes the values of background windows, about 20 of the fold's training windows. Raises CheckpointError when the models were not kept.
    """
    columns = grouped(run.record.facts.features)
    groups = tuple(columns) if run.spec.is_network else _first_estimator(run).groups(columns)
    jobs = _jobs(run, windows, x, groups, repeats)
    total, parts = sum(len(job.rows) for job in jobs), []
    for part in work(jobs) if work else map(explain, jobs):
        parts.append(part)
        if tell:
            tell(sum(len(p.rows) for p in parts), total)
    parts.sort(key=lambda part: (part.repeat, part.fold, int(part.rows[0])))
    index = np.concatenate([part.rows for part in parts])
    outputs = tuple(name for name in parts[0].outputs if all(name in part.outputs for part in parts))
    values, errors, empty, full = (np.concatenate(_each(parts, name, outputs)) for name in SHARES)
    fits = np.concatenate([[f"{part.repeat}-{part.fold}"] * len(part.rows) for part in parts])
    course = np.moveaxis(np.sum(_each(parts, "gradients", outputs), axis=0) / total, 2, 0)
    ranking = _ranking(values, errors, fits, groups, outputs)
    return Attribution(
        len({part.repeat for part in parts}),
        tuple(windows.window_id.astype(str)[index].tolist()),
        groups,
        outputs,
        values,
        empty,
        full,
        _level(x, index, columns, groups),
        ranking,
        float(np.abs(empty + values.sum(1) - full).max()),
        run.record.facts.features if course.size else (),
        course,
        0 if not run.spec.is_network and groups != tuple(columns) else len(jobs[0].background),
        tuple(agreement([row for row in ranking if row.output == output]) for output in outputs),
    )


SHARES = ("values", "errors", "empty", "full")


def _each(parts: Sequence[Explained], name: str, outputs: tuple[str, ...]) -> list[np.ndarray]:
    """An array of every part, with these outputs alone: a fit whose training windows have no expansion points nowhere."""
    arrays = [getattr(part.shares if name in SHARES else part, name) for part in parts]
    places = [[part.outputs.index(output) for output in outputs] for part in parts]
    return [array[..., place] for array, place in zip(arrays, places, strict=True)]


def _first_estimator(run: Run) -> Estimator:
    predictions = run.predictions
    return load_estimator(run, int(predictions["repeat"].iloc[0]), int(predictions["fold"].iloc[0]))


def _jobs(run: Run, windows: Windows, x: np.ndarray, groups: tuple[str, ...], repeats: int) -> list[Job]:
    place = {name: i for i, name in enumerate(windows.window_id.astype(str))}
    folds, label = Folds(run.folds, windows.window_id), windows.label.astype(str)
    predictions, jobs = run.predictions, []
    for (repeat, fold), part in predictions[predictions["repeat"] < repeats].groupby(["repeat", "fold"], sort=True):
        test = np.array([place[name] for name in part["window_id"].astype(str)])
        fitting = np.sort(folds.rows(int(repeat), int(fold)).fitting)
        some = x[fitting[np.linspace(0, len(fitting) - 1, min(REFERENCES, len(fitting))).astype(int)]]
        background = x[stratified(fitting, label[fitting], BACKGROUND, (int(repeat), int(fold)))]
        jobs += [
            Job(run.folder, int(repeat), int(fold), groups, rows, x[rows], windows.prices[rows], background, some)
            for rows in np.array_split(test, -(-len(test) // CHUNK))
        ]
    return jobs


def stratified(rows: np.ndarray, label: np.ndarray, count: int, seed: tuple[int, ...]) -> np.ndarray:
    """About `count` of the rows [n], of every class of label [n] as many as its share, and one at least."""
    random = np.random.default_rng(np.random.SeedSequence(seed))
    parts = []
    for name in np.unique(label):
        own = rows[label == name]
        parts.append(random.choice(own, min(len(own), max(1, round(count * len(own) / len(rows)))), replace=False))
    return np.sort(np.concatenate(parts))


def explain(job: Job) -> Explained:
    """Shapley values of a job's windows, and of a network its expected gradients."""
    run = Run(job.folder)
    if not run.spec.is_network:
        return _explain_estimator(run, job)
    fitted, classes = load_fitted(run, job.repeat, job.fold), classes_of(run)
    groups = list(grouped(run.record.facts.features).values())
    answer = answers(fitted.model, len(classes), job.x.shape[1])
    x, background = (fitted.scaled(part).unsqueeze(0) for part in (job.x, job.background))

    def alone(windows: Tensor) -> Tensor:
        return answer(windows[0]).unsqueeze(0)

    explanation = _explanation(job)
    while not explanation.done:
        kept, place = explanation.ask()
        asked = StackedCoalitions(x, background, groups, kept[None], place[None])
        explanation.tell(network_outputs(alone, asked, BATCH)[0])
    return _explained(job, _outputs_of(fitted.model, classes), explanation, _gradients(job, answer, fitted))


def _explanation(job: Job, exact: bool = False) -> Explanation:
    seed = (job.repeat, job.fold, int(job.rows[0]))
    return Explanation(len(job.rows), len(job.groups), 1 if exact else len(job.background), seed, exact)


def _explain_estimator(run: Run, job: Job) -> Explained:
    estimator, classes = load_estimator(run, job.repeat, job.fold), classes_of(run)
    columns = grouped(run.record.facts.features)
    if estimator.groups(columns) != job.groups:
        raise DataError(
            "some of its fits had no expansion to learn from, and read other inputs than the rest.",
            where=f"run {run.id}",
            hint="Use fewer folds, or label more expansions.",
        )
    # What reads groups of its own has their values without a window too, and all coalitions at little cost.
    explanation = _explanation(job, exact=job.groups != tuple(columns))
    outputs: tuple[str, ...] = ()
    while not explanation.done:
        each = []
        for x, prices, kept, place in zip(job.x, job.prices, *explanation.ask(), strict=True):
            asked = Coalitions(x, prices, job.background, columns, kept, place)
            predicted = estimator.predict_coalitions(asked)
            outputs = output_names(classes, predicted.probabilities is not None, predicted.span is not None)
            each.append(prediction_outputs(predicted))
        explanation.tell(np.stack(each))
    return _explained(job, outputs, explanation, np.empty((job.x.shape[1], 0, len(outputs))))


def prediction_outputs(predicted: Prediction) -> np.ndarray:
    """The outputs [n, O] that `output_names` names, of n predictions."""
    columns = []
    if predicted.probabilities is not None:
        columns.append(logit_differences(np.log(np.clip(predicted.probabilities, LEAST_PROBABILITY, 1))))
    if predicted.span is not None:
        start, end = predicted.span.T
        columns.append(np.stack([(start + end) / 2, end - start], axis=1))
    return np.concatenate(columns, axis=1)


def _explained(job: Job, outputs: tuple[str, ...], explanation: Explanation, gradients: np.ndarray) -> Explained:
    """A job's result."""
    assert explanation.shares is not None
    return Explained(job.repeat, job.fold, outputs, job.rows, explanation.shares, gradients)


def _gradients(job: Job, answer: Answer, fitted: FittedModel[MultiTask | WithTerms]) -> np.ndarray:
    """Absolute expected gradients [K, F, O], summed over a job's windows."""
    gradients = expected_gradients(answer, fitted.scaled(job.x), fitted.scaled(job.references), job.repeat)
    return np.abs(gradients).sum(0)


def explain_together(jobs: Sequence[Job], device: str) -> Iterator[Explained]:
    """What `explain` finds of each job, with the networks of all fits evaluated at once on a device."""
    run = Run(jobs[0].folder)
    groups = list(grouped(run.record.facts.features).values())
    waiting: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        waiting.setdefault((job.repeat, job.fold), []).append(job)
    fits = [load_fitted(run, *fit) for fit in waiting]
    classes, bars = classes_of(run), jobs[0].x.shape[1]
    together = answers(StackedModels(fits, run.spec.model, device), len(classes), bars)
    alone = [answers(fit.model, len(classes), bars) for fit in fits]
    for turn in range(max(map(len, waiting.values()))):
        # A fit that has no window left gets an earlier one again, and that output is not used.
        at = [own[min(turn, len(own) - 1)] for own in waiting.values()]
        most = max(len(job.rows) for job in at)
        x = torch.stack([_padded(fit.scaled(job.x), most) for fit, job in zip(fits, at, strict=True)])
        few = max(len(job.background) for job in at)
        background = torch.stack([_padded(fit.scaled(job.background), few) for fit, job in zip(fits, at, strict=True)])
        explanations = [_explanation(job) for job in at]
        while not all(one.done for one in explanations):
            asked = [None if one.done else one.ask() for one in explanations]
            size = max(one[0].shape[1] for one in asked if one is not None)
            kept, place = np.zeros((len(at), most, size, len(groups)), bool), np.zeros((len(at), most, size), int)
            for r, one in enumerate(asked):
                if one is not None:
                    m, c = one[1].shape
                    kept[r, :m, :c], place[r, :m, :c] = one
            outputs = network_outputs(together, StackedCoalitions(x, background, groups, kept, place), ROWS)
            for r, one in enumerate(asked):
                if one is not None:
                    m, c = one[1].shape
                    explanations[r].tell(outputs[r, :m, :c])
        for r, job in enumerate(at):
            if turn < len(list(waiting.values())[r]):
                gradients = _gradients(job, alone[r], fits[r])
                yield _explained(job, _outputs_of(fits[r].model, classes), explanations[r], gradients)


def _padded(x: Tensor, count: int) -> Tensor:
    """x [n, K, F] with its last window again up to `count`."""
    return torch.cat([x, x[-1:].expand(count - len(x), -1, -1)])


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


def agreement(ranking: Sequence[Rank]) -> float | None:
    """Spearman's correlation between the sizes of one output's groups in two fits, the mean over all pairs; None where it is not defined."""
    sizes = np.array([row.by_fit for row in ranking]).T
    ranks = np.array([rankdata(np.round(own, 10)) for own in sizes if np.ptp(own) > 0])
    if len(ranks) < 2 or ranks.shape[1] < 2:
        return None
    return float(np.corrcoef(ranks)[np.triu_indices(len(ranks), 1)].mean())


def _level(x: np.ndarray, index: np.ndarray, columns: dict[str, list[int]], groups: tuple[str, ...]) -> np.ndarray:
    """Each window's mean of each feature [n, G] in standard deviations over the windows; 0 for groups that are no single feature."""
    mean = x.mean(1)
    std = mean.std(0)
    scaled = (mean - mean.mean(0)) / np.where(std > 0, std, 1.0)
    single = [columns[name][0] if len(columns.get(name, ())) == 1 else None for name in groups]
    return np.stack([np.zeros(len(index)) if at is None else scaled[index, at] for at in single], axis=1)


def _ranking(
    values: np.ndarray, errors: np.ndarray, fits: np.ndarray, groups: tuple[str, ...], outputs: tuple[str, ...]
) -> tuple[Rank, ...]:
    """The groups by the mean size of their values [n, G, O], which have the standard `errors`."""
    size, errors = np.abs(values), mean_errors(values, errors)
    rows = []
    for k, output in enumerate(outputs):
        mean = size[:, :, k].mean(0)
        rank = np.argsort(np.argsort(-mean, kind="stable"), kind="stable") + 1
        by_fit = [size[fits == fit, :, k].mean(0) for fit in np.unique(fits)]
        rows += [
            Rank(
                name,
                output,
                float(mean[i]),
                tuple(float(part[i]) for part in by_fit),
                int(rank[i]),
                float(errors[i, k]),
            )
            for i, name in enumerate(groups)
        ]
    return tuple(rows)
