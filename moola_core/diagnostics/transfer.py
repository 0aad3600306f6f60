"""Why transfer helps or hurts: what can be read from the encoder before and after, and how far fine-tuning changed it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from moola_core.diagnostics.fitted import FittedModel, load_fitted
from moola_core.diagnostics.intervals import auroc, of_windows, within_folds
from moola_core.diagnostics.results import Interval, LayerChange, Probe, ProbeGap, ProbeScore, Transferred
from moola_core.errors import DataError
from moola_core.estimators.logistic import linear
from moola_core.market.windows import Windows
from moola_core.models.checkpoint import Pretrained, put_weights, weights_of
from moola_core.models.encoders import Encoder, make_encoder, represent
from moola_core.overlap import Overlap
from moola_core.runs.folds import Folds
from moola_core.runs.store import Run
from moola_core.specs import Finetune

EVIDENCE_ROUNDS = 100

# (repeat, training rows, test rows) of each fold
Split = tuple[int, np.ndarray, np.ndarray]
# One array [n, D], or one for each fold
Representation = np.ndarray | Sequence[np.ndarray]


def linear_probe(
    representations: Mapping[str, Representation],
    label: np.ndarray,
    folds: Sequence[Split],
    shared: Overlap | None = None,
) -> Probe:
    """A standardised logistic regression (C = 0.01) on each representation, all on the same folds (Alain and Bengio 2016).

    The AUROC is the one among the windows of a fold; above two classes it is the mean of each against the rest. shared: which windows
    share bars (by default none do), for the intervals. Differences are taken window by window, which overlapping intervals of two
    scores cannot stand in for.
    """
    label = label.astype(str)
    shared = Overlap.none(len(label)) if shared is None else shared
    values = {name: _values(x, label, folds) for name, x in representations.items()}
    gaps = []
    for a, b in combinations(values, 2):
        gap = of_windows(values[a] - values[b], shared)
        if gap is not None:
            gaps += [ProbeGap(a, b, gap), ProbeGap(b, a, Interval(-gap.value, -gap.high, -gap.low))]
    return Probe(len(label), tuple(_score(name, one, shared) for name, one in values.items()), tuple(gaps))


def aggregate(x: np.ndarray) -> np.ndarray:
    """Mean and standard deviation of each feature over a window's bars: [n, K, F] → [n, 2 F]."""
    return np.concatenate([x.mean(1), x.std(1)], axis=1)


def _values(x: Representation, label: np.ndarray, folds: Sequence[Split]) -> np.ndarray:
    """Values [R, n] of a probe whose means are its AUROC; nan where a window was not tested."""
    classes, target = np.unique(label, return_inverse=True)
    repeats = {repeat: r for r, repeat in enumerate(sorted({fold[0] for fold in folds}))}
    probability = np.full((len(repeats), len(label), len(classes)), np.nan)
    place = np.full((len(repeats), len(label)), -1)
    for i, (repeat, train, test) in enumerate(folds):
        seen, r = x if isinstance(x, np.ndarray) else x[i], repeats[repeat]
        model = linear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(seen[train], label[train])
        columns = np.searchsorted(classes, model.classes_)
        probability[r, test] = 0.0
        probability[r, test[:, None], columns] = model.predict_proba(seen[test])
        place[r, test] = i
    return within_folds(target, probability, place)


def _score(name: str, values: np.ndarray, shared: Overlap) -> ProbeScore:
    scores = tuple(float(np.nanmean(row)) for row in values if np.isfinite(row).any())
    std = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    return ProbeScore(name, float(np.mean(scores)) if scores else 0.5, std, scores, auroc(values, shared))


def logme(x: np.ndarray, label: np.ndarray) -> float:
    """Log of the maximum evidence of a Bayesian linear model of each class on x [n, D], a window, averaged (You et al. 2021).

    Higher is better; columns are standardised first, so that scales do not count.
    """
    std = x.std(0)
    f = ((x - x.mean(0)) / np.where(std > 0, std, 1.0)).astype(float)
    u, s, _ = np.linalg.svd(f, full_matrices=False)
    return float(np.mean([_evidence(u, s**2, (label == name).astype(float)) for name in np.unique(label)]))


def _evidence(u: np.ndarray, sigma: np.ndarray, y: np.ndarray) -> float:
    """Maximum over α and β of log N(y; 0, I/β + F Fᵀ/α) / n, by MacKay's fixed point on the eigenvalues of F Fᵀ."""
    n = len(y)
    along = (u.T @ y) ** 2
    beyond = max(float(y @ y - along.sum()), 0.0)
    alpha = beta = 1.0
    for _ in range(EVIDENCE_ROUNDS):
        ratio = alpha / beta
        gamma = (sigma / (sigma + ratio)).sum()
        weights = (sigma * along / (sigma + ratio) ** 2).sum()
        residual = (along * (ratio / (sigma + ratio)) ** 2).sum() + beyond
        before = ratio
        alpha, beta = gamma / max(weights, 1e-12), (n - gamma) / max(residual, 1e-12)
        if abs(alpha / beta - before) <= 1e-9 * before:
            break
    variance = 1 / beta + sigma / alpha
    rest = n - len(sigma)
    quadratic = (along / variance).sum() + beta * beyond
    return float(-0.5 * (n * np.log(2 * np.pi) + np.log(variance).sum() - rest * np.log(beta) + quadratic) / n)


def debiased_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear centred kernel alignment of x [n, D] and y [n, E] with unbiased HSIC (Song et al. 2012; Nguyen et al. 2021).

    1: the same up to rotation and scale; 0 on average: unrelated. nan below four rows or where a side is constant.
    """
    if len(x) < 4:
        return float("nan")
    k, m = x.astype(float) @ x.T.astype(float), y.astype(float) @ y.T.astype(float)
    scale = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / np.sqrt(scale)) if scale > 0 else float("nan")


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    n = len(k)
    k, m = k.copy(), m.copy()
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    cross = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ m.sum(0))
    return float(((k * m).sum() + cross) / (n * (n - 3)))


def transferred(run: Run, windows: Windows, x: np.ndarray, starts: Sequence[Pretrained]) -> Transferred:
    """The encoders that the run began with next to one of random weights and what its fits made of them.

    x [n, K, F]: what the models read of `windows`, in raw units. Only the repeats that began with the first encoder, or where each fold has
    its own the first repeat, are looked at. Raises DataError for a run that began with no encoder.
    """
    spec = run.spec
    if not spec.is_network:
        raise DataError(
            f"only networks have an encoder, and the run's model is {spec.estimator}: there is no transfer to look at.",
            where="transfer",
            hint="Look at a run of a network.",
        )
    if not starts:
        raise DataError(
            "This run started from random weights: there is no transfer to look at.",
            where=f"run {run.id}",
            hint="Pre-train, then launch a run from that checkpoint.",
        )
    folds = Folds(run.folds, windows.window_id)
    own = spec.transfer.fold_checkpoints
    fits = sorted(fit for fit in run.replicates() if spec.transfer.encoder_of(*fit) < own)
    untouched = [
        FittedModel(_network(spec, len(start.mean), start.weights), start.mean, start.std) for start in starts[:own]
    ]
    randoms = _randoms(spec, starts[0], sorted({repeat for repeat, _ in fits}))
    tuned = [FittedModel(one.model.encoder, one.mean, one.std) for one in (load_fitted(run, *fit) for fit in fits)]
    before, drawn = [_seen(one, x) for one in untouched], {repeat: _seen(one, x) for repeat, one in randoms.items()}
    represented: dict[str, Representation] = {
        "pre-trained": [before[fold % own] for _, fold in fits],
        "random weights": [drawn[repeat] for repeat, _ in fits],
        "raw features": aggregate(x),
        "fine-tuned": [_seen(one, x) for one in tuned],
    }
    shared = None if folds.shared is None else folds.shared.of(windows.window_id)
    rows = {fit: folds.rows(*fit) for fit in fits}
    splits = [(repeat, rows[repeat, fold].fitting, rows[repeat, fold].test) for repeat, fold in fits]
    probe = linear_probe(represented, windows.label, splits, shared)
    fixed = {"pre-trained": before[0], "random weights": next(iter(drawn.values())), "raw features": aggregate(x)}
    scores = {name: logme(array, windows.label.astype(str)) for name, array in fixed.items()}
    pairs = [
        (untouched[fold % own], one) for (repeat, fold), one in zip(fits, tuned, strict=True) if repeat == fits[0][0]
    ]
    layers = _layers(pairs, next(iter(randoms.values())), x)
    return Transferred(spec.transfer.checkpoint, spec.transfer.schedule, probe, scores, layers, run.record.facts.saw)


def _randoms(spec: Finetune, start: Pretrained, repeats: Sequence[int]) -> dict[int, FittedModel]:
    """The same encoder with random weights, others in each repeat: one draw may happen to be a good or a bad one."""
    encoders = {}
    for repeat in repeats:
        torch.manual_seed(spec.training.seed + repeat)
        encoders[repeat] = FittedModel(_network(spec, len(start.mean), None), start.mean, start.std)
    return encoders


def _network(spec, width: int, weights: Mapping[str, np.ndarray] | None) -> Encoder:
    encoder = make_encoder(width, spec.model)
    if weights is not None:
        put_weights(encoder, weights)
    return encoder.eval()


def _seen(fitted: FittedModel, x: np.ndarray) -> np.ndarray:
    return represent(fitted.model, fitted.scaled(x)).numpy()


def _layers(
    pairs: Sequence[tuple[FittedModel, FittedModel]], random: FittedModel, x: np.ndarray
) -> tuple[LayerChange, ...]:
    """What became of each layer; pairs: the encoder that a fit began with, and the one that it made of it."""
    means = {id(one): one.model.layer_means(one.scaled(x)) for pair in pairs for one in pair}
    chance, first = random.model.layer_means(random.scaled(x)), means[id(pairs[0][0])]
    rows = []
    for i in range(len(first)):
        values = [debiased_cka(means[id(a)][i].numpy(), means[id(b)][i].numpy()) for a, b in pairs]
        moved = [_moved(a.model, b.model, i) for a, b in pairs]
        rows.append(
            LayerChange(
                i + 1,
                float(np.mean(values)),
                float(min(values)),
                float(max(values)),
                debiased_cka(first[i].numpy(), chance[i].numpy()),
                float(np.mean(moved)),
            )
        )
    return tuple(rows)


def _moved(start: Encoder, tuned: Encoder, layer: int) -> float:
    """How far a layer's weights went, as a share of their size."""
    own, theirs = weights_of(start), weights_of(tuned)
    names = start.layers()[layer]
    gone = sum(float(((theirs[name] - own[name]) ** 2).sum()) for name in names)
    return float(np.sqrt(gone / sum(float((own[name] ** 2).sum()) for name in names)))
