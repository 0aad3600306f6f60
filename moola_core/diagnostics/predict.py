"""A run's models as an ensemble on windows that need no label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import GroupKFold

from moola_core.diagnostics.fitted import StackedModels, classes_of, load_estimator, load_fitted
from moola_core.diagnostics.results.predictions import LEAST_STATED
from moola_core.diagnostics.transfer import aggregate
from moola_core.models.heads import to_bars
from moola_core.models.spans import predict_spans
from moola_core.overlap import FOLDS, Overlap
from moola_core.runs.predictions import STATED, TRUE_SPAN, UNUSUAL, PredictionTable, is_class
from moola_core.runs.store import Run
from moola_core.spans.conformal import cross_p_value
from moola_core.spans.decoding import NEAR_BARS

BATCH = 128  # measured fastest on one thread
ROWS = 2048  # windows × fits that are evaluated at once: a gigabyte or two with wide networks
FAMILIAR_SHARE = 0.99
LEAST_SUPPORT = 0.5


@dataclass(frozen=True, eq=False)
class Job:
    """Windows, from row `first` of all, to be predicted by the run in `folder`: x [m, K, F] in raw units, and prices [m, K, 4],
    which networks do not need."""

    folder: Path
    first: int
    x: np.ndarray
    prices: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class FitOutputs:
    """Every fit's outputs for a job's windows: probabilities [fits, m, C] and pointers (center, length) [fits, m, 2] as fractions,
    None for a task that was not trained; p_span [fits, m], None where the model states no confidence."""

    first: int
    probabilities: np.ndarray | None
    pointers: np.ndarray | None
    p_span: np.ndarray | None = None


class LabelledScores:
    """What a run's fits state of the labelled expansions that they were not trained on.

    Parameters
    ----------
    run : Run
        A finished run.
    """

    def __init__(self, run: Run) -> None:
        table = PredictionTable(run.predictions)
        frame, stated = table.frame, table.stated
        known = np.zeros(len(frame), bool) if stated is None else np.isfinite(stated) & frame[TRUE_SPAN[0]].notna()
        self.stated = None if stated is None or not known.any() else stated[known]
        self.fit = frame.loc[known, ["repeat", "fold"]].to_numpy(int)
        self.fits = np.array(sorted(run.replicates()))

    def p_values(self, stated: np.ndarray) -> np.ndarray | None:
        """For `stated` [fits, m] of new windows, the mean over repeats of `cross_p_value` [m]; None where not every fit states probabilities."""
        if self.stated is None or len(stated) != len(self.fits):
            return None
        values = []
        for repeat in np.unique(self.fit[:, 0]):
            own = self.fits[:, 0] == repeat
            among = self.fit[:, 0] == repeat
            place = np.searchsorted(self.fits[own, 1], self.fit[among, 1])
            values.append(cross_p_value(stated[own], self.stated[among], place))
        return np.mean(values, axis=0)


@torch.inference_mode()
def predict_sequential(job: Job) -> FitOutputs:
    """Every fit of the run on the job's windows."""
    run = Run(job.folder)
    if not run.spec.is_network:
        return _ask_estimators(run, job)
    classes = len(classes_of(run))
    probabilities, pointers, stated = [], [], []
    for repeat, fold in sorted(run.replicates()):
        fitted = load_fitted(run, repeat, fold)
        outputs = [fitted.model(part) for part in fitted.scaled(job.x).split(BATCH)]
        if outputs[0].logits is not None:
            logits = torch.cat([part.logits for part in outputs]).double()
            probabilities.append(torch.softmax(logits, 1)[:, :classes].numpy())
        if outputs[0].spans is not None:
            pointer, stated_by_one = _located(torch.cat([part.spans for part in outputs]))
            pointers.append(pointer)
            stated.append(stated_by_one)
        elif outputs[0].pointer is not None:
            pointers.append(torch.cat([part.pointer for part in outputs]).double().numpy())
    return FitOutputs(job.first, *(np.stack(parts) if parts else None for parts in (probabilities, pointers, stated)))


@torch.inference_mode()
def answers_of(run: Run, fit: tuple[int, int], x: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Of one fit, (repeat, fold), of a network run for windows x [m, K, F] in raw units: probabilities [m, C], and start and end in bars [m, 2].

    None for a task that was not trained.
    """
    fitted, probabilities, pointer = load_fitted(run, *fit), None, None
    outputs = [fitted.model(part) for part in fitted.scaled(x).split(BATCH)]
    if outputs[0].logits is not None:
        logits = torch.cat([part.logits for part in outputs]).double()
        probabilities = torch.softmax(logits, 1)[:, : len(classes_of(run))].numpy()
    if outputs[0].spans is not None:
        pointer = _located(torch.cat([part.spans for part in outputs]))[0]
    elif outputs[0].pointer is not None:
        pointer = torch.cat([part.pointer for part in outputs]).double().numpy()
    return probabilities, None if pointer is None else to_bars(pointer, x.shape[1])


def _ask_estimators(run: Run, job: Job) -> FitOutputs:
    assert job.prices is not None
    fits = [load_estimator(run, repeat, fold) for repeat, fold in sorted(run.replicates())]
    outputs = [fit.predict(job.x, job.prices) for fit in fits]
    probabilities = [one.probabilities for one in outputs if one.probabilities is not None]
    pointers = [_pointer(one.span, job.x.shape[1]) for one in outputs if one.span is not None]
    stated = [one.spans.p_span for one in outputs if one.spans is not None]
    return FitOutputs(job.first, *(np.stack(parts) if parts else None for parts in (probabilities, pointers, stated)))


@torch.inference_mode()
def predict_batched(job: Job, device: str) -> FitOutputs:
    """What `predict_sequential` returns, all fits at once on a device."""
    run = Run(job.folder)
    fits = [load_fitted(run, repeat, fold) for repeat, fold in sorted(run.replicates())]
    together, size = StackedModels(fits, run.spec.model, device), max(1, ROWS // len(fits))
    parts = [job.x[i : i + size] for i in range(0, len(job.x), size)]
    outputs = [together(torch.stack([fit.scaled(part) for fit in fits])) for part in parts]
    probabilities = pointers = None
    if outputs[0].logits is not None:
        logits = torch.cat([part.logits for part in outputs if part.logits is not None], 1).double()
        probabilities = torch.softmax(logits, 2)[:, :, : len(classes_of(run))].cpu().numpy()
    stated = None
    if outputs[0].spans is not None:
        located = [_located(one) for one in torch.cat([part.spans for part in outputs if part.spans is not None], 1)]
        pointers, stated = (np.stack(parts) for parts in zip(*located, strict=True))
    elif outputs[0].pointer is not None:
        pointers = torch.cat([part.pointer for part in outputs if part.pointer is not None], 1).double().cpu().numpy()
    return FitOutputs(job.first, probabilities, pointers, stated)


def _located(scores: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Center and length as fractions [m, 2], and the stated probability [m], of scores of spans [m, K, K]."""
    spans = predict_spans(scores)
    return _pointer(spans.span, scores.shape[1]), spans.p_span


def _pointer(span: np.ndarray, bars: int) -> np.ndarray:
    """Center and length as fractions [m, 2] of first and last bar [m, 2]."""
    start, end = span.T
    return np.stack([(start + end) / 2, end - start], axis=1) / bars


def combine(
    outputs: FitOutputs, classes: tuple[str, ...], window_bars: int, labelled: LabelledScores | None = None
) -> dict[str, np.ndarray]:
    """One row a window: mean probabilities, the predicted class, how many fits agree, the median pointer in bars and its spread; next to
    `labelled`, how unusually low the stated probability is."""
    columns: dict[str, np.ndarray] = {}
    if outputs.probabilities is not None:
        mean = outputs.probabilities.mean(0)
        answer = mean.argmax(1)
        columns |= {f"p_{name}": mean[:, i] for i, name in enumerate(classes)}
        columns["predicted"] = np.array(classes)[answer]
        columns["agreement"] = (outputs.probabilities.argmax(2) == answer).mean(0)
        columns["p_std"] = outputs.probabilities.std(0)[np.arange(len(answer)), answer]
    if outputs.pointers is not None:
        center, half = outputs.pointers[:, :, 0] * window_bars, outputs.pointers[:, :, 1] * window_bars / 2
        middle, reach = np.median(center, 0), np.median(half, 0)
        columns["start_pred"] = np.clip(middle - reach, 0, window_bars - 1)
        columns["end_pred"] = np.clip(middle + reach, 0, window_bars - 1)
        columns["center_std"] = center.std(0)
    if outputs.p_span is not None and not is_class(STATED, classes):
        columns[STATED] = outputs.p_span.mean(0)
    unusual = None if outputs.p_span is None or labelled is None else labelled.p_values(outputs.p_span)
    if unusual is not None:
        columns[UNUSUAL] = unusual
    return columns


class NoveltyDetector:
    """How far windows lie from the training windows: Mahalanobis distance of means and deviations (Lee et al. 2018), with a
    shrunk covariance (Ledoit and Wolf 2004)."""

    def __init__(self, x: np.ndarray, shared: Overlap) -> None:
        """x [n, K, F]: the training windows, and which of them share bars. `threshold` is what 99% of held-out groups keep."""
        described = aggregate(x).astype(float)
        self.mean, self.std = described.mean(0), np.maximum(described.std(0), 1e-9)
        scaled = (described - self.mean) / self.std
        held_out = np.empty(len(scaled))
        group = shared.groups()
        for train, test in GroupKFold(min(FOLDS, len(np.unique(group)))).split(scaled, groups=group):
            held_out[test] = _distance(LedoitWolf().fit(scaled[train]), scaled[test])
        self.threshold = float(np.quantile(held_out, FAMILIAR_SHARE))
        self.shape = LedoitWolf().fit(scaled)

    def distance(self, x: np.ndarray) -> np.ndarray:
        """Distance [m] of windows x [m, K, F]; beyond `threshold` they are out-of-distribution."""
        return _distance(self.shape, (aggregate(x).astype(float) - self.mean) / self.std)


def _distance(shape: LedoitWolf, rows: np.ndarray) -> np.ndarray:
    return np.sqrt(shape.mahalanobis(rows))


def stretches(
    first: np.ndarray, span: np.ndarray, probability: np.ndarray, window_bars: int, bars: int
) -> list[tuple[int, int, int, float, float]]:
    """Where at least half of the covering windows see the expansion: (first bar, last bar, class, probability, support).

    first [m]: bar of each window's start; span [m, 2]: start and end within it; probability [m, C].
    """
    begin = first + np.round(span[:, 0]).astype(int)
    end = first + np.round(span[:, 1]).astype(int)
    votes, cover = _count(begin, end, bars), _count(first, first + window_bars - 1, bars)
    share = np.divide(votes, cover, out=np.zeros(bars), where=cover > 0)
    inside = np.diff(np.r_[0, (share >= LEAST_SUPPORT).astype(int), 0])
    expansions = []
    for a, b in zip(np.flatnonzero(inside == 1), np.flatnonzero(inside == -1) - 1, strict=True):
        middle = (a + b) // 2
        voters = (begin <= middle) & (middle <= end)
        mean = probability[voters].mean(0)
        label = int(mean.argmax())
        expansions.append((int(a), int(b), label, float(mean[label]), float(share[middle])))
    return expansions


def best_apart(
    first: np.ndarray, span: np.ndarray, stated: np.ndarray, probability: np.ndarray, window_bars: int
) -> list[tuple[int, int, int, float, float, float, int]]:
    """The windows' spans, the most probable first, that overlap none before: (first bar, last bar, class, probability, support, stated, row).

    first [m], ascending: bar of each window's start; span [m, 2]: start and end within it; stated [m]: stated probability of the span;
    probability [m, C]. In the order of the bars. Supporters are the windows over the whole span whose centers lie within 3 bars of
    its own: the class is the one most probable to them, the support is their share.
    """
    begin, end = (first + np.round(side).astype(int) for side in span.T)
    center = first + span.sum(1) / 2
    taken = np.zeros(int(end.max(initial=0)) + 1, bool)
    expansions = []
    for i in np.argsort(-stated, kind="stable"):
        if not stated[i] >= LEAST_STATED:
            break
        if taken[begin[i] : end[i] + 1].any():
            continue
        taken[begin[i] : end[i] + 1] = True
        over = slice(*np.searchsorted(first, [end[i] - window_bars + 1, begin[i] + 1]))
        near = np.abs(center[over] - center[i]) <= NEAR_BARS
        mean = probability[over][near].mean(0)
        label = int(mean.argmax())
        own = (int(begin[i]), int(end[i]), label, float(mean[label]))
        expansions.append((*own, float(near.mean()), float(stated[i]), int(i)))
    return sorted(expansions)


def _count(begin: np.ndarray, end: np.ndarray, bars: int) -> np.ndarray:
    """How many of the inclusive intervals cover each bar [bars]."""
    change = np.zeros(bars + 1)
    np.add.at(change, begin, 1)
    np.add.at(change, np.minimum(end + 1, bars), -1)
    return np.cumsum(change)[:-1]
