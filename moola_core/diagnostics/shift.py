"""Shift: are the labelled windows like the bars that pre-training sees, and like the windows that were left out?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import ks_2samp, kstwo, norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from moola_core.diagnostics.intervals import auroc, within_folds
from moola_core.diagnostics.results import Domain, FeatureShift, Interval, OutOfDistribution, Shift
from moola_core.overlap import FOLDS, Overlap

FIRST_BARS = 15
DRAWS, NULL_DRAWS = 500, 40
DOMAIN_C = 0.05
LEAST = 20
LISTED = 10


def shift(
    x: np.ndarray,
    window_id: np.ndarray,
    shared: Overlap,
    features: tuple[str, ...],
    others: dict[str, np.ndarray],
    seed: int = 0,
) -> Shift:
    """Labelled windows x [n, K, F], of which `shared` says what bars they share, against others["bars"] and others["left_out"]
    [m, K, F] (either may be missing or too few: below 20)."""
    rng = np.random.default_rng(seed)
    used = {name: values for name, values in others.items() if len(values) >= LEAST}
    tables = {name: _table(x, values, features, shared, rng) for name, values in used.items()}
    domain = _domain(x, window_id.astype(str), shared, features, used["bars"], seed) if "bars" in used else None
    counts = {"labelled": len(x), **{name: len(values) for name, values in others.items()}}
    return Shift(counts, tables.get("bars", ()), tables.get("left_out", ()), domain, first_bars(x, features))


def first_bars(x: np.ndarray, features: tuple[str, ...]) -> dict[str, float]:
    """Mean of each feature in the first 15 bars less that in the rest, over its standard deviation in the rest."""
    first, rest = x[:, :FIRST_BARS].astype(float), x[:, FIRST_BARS:].astype(float)
    scale = rest.std((0, 1))
    off = (first.mean((0, 1)) - rest.mean((0, 1))) / np.where(scale > 1e-12, scale, np.inf)
    return dict(zip(features, off.tolist(), strict=True))


def population_stability(values: np.ndarray, others: np.ndarray, bins: int = 10) -> float:
    """PSI of `values` against `others`: Σ (a − b) ln(a / b) over bins of equal mass of the others (Siddiqi 2006)."""
    edges = np.unique(np.quantile(others, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        (np.bincount(np.searchsorted(edges, part, "right"), minlength=len(edges) + 1) + 0.5)
        / (len(part) + 0.5 * (len(edges) + 1))
        for part in (values, others)
    ]
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())


def _table(
    x: np.ndarray, others: np.ndarray, features: tuple[str, ...], shared: Overlap, rng: np.random.Generator
) -> tuple[FeatureShift, ...]:
    """Kolmogorov–Smirnov tests: labelled windows that share bars count as the fewer that would be independent."""
    ours, theirs = x.mean(1).astype(float), others.mean(1).astype(float)
    weight = max(shared.independent, 2.0)
    drawn = norm.cdf(shared.noise(DRAWS, rng))
    rows = []
    for i, name in enumerate(features):
        a, b = ours[:, i], theirs[:, i]
        test = ks_2samp(a, b)
        p = float(test.pvalue)
        if weight < len(a):
            p = float(kstwo.sf(test.statistic, max(round(weight * len(b) / (weight + len(b))), 1)))
        again = [_ks(_moved(a, u), np.sort(rng.choice(b, len(b)))) for u in drawn]
        low, high = np.quantile(again, [0.025, 0.975])
        rows.append(
            FeatureShift(
                name,
                float(test.statistic),
                float(low),
                float(high),
                p,
                population_stability(a, b),
                float(a.mean()),
                float(b.mean()),
            )
        )
    return tuple(rows)


def _moved(values: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Values drawn from those of the windows by uniform numbers [n] that are alike for windows which share bars."""
    return np.sort(values)[np.minimum((uniform * len(values)).astype(int), len(values) - 1)]


def _ks(a: np.ndarray, b: np.ndarray) -> float:
    """The Kolmogorov–Smirnov distance of a from sorted b."""
    a = np.sort(a)
    every = np.r_[a, b]
    return float(
        np.abs(np.searchsorted(a, every, "right") / len(a) - np.searchsorted(b, every, "right") / len(b)).max()
    )


def _domain(
    x: np.ndarray, window_id: np.ndarray, shared: Overlap, features: tuple[str, ...], others: np.ndarray, seed: int
) -> Domain:
    """Logistic regression on means and deviations; windows that share bars stay in one fold."""
    described, labelled, predicted = _classifier_two_sample_test(x, shared.groups(), others, seed)
    probability = predicted(labelled)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(NULL_DRAWS):
        shuffled = rng.permutation(labelled)
        null.append(roc_auc_score(shuffled, predicted(shuffled)))
    low, high = np.quantile(null, [0.025, 0.975])
    drivers = _drivers(described, labelled, features)
    first = np.argsort(-probability[: len(x)])[:LISTED]
    return Domain(
        float(roc_auc_score(labelled, probability)),
        float(low),
        float(high),
        NULL_DRAWS,
        drivers,
        tuple(OutOfDistribution(str(window_id[i]), float(probability[i])) for i in first),
        _interval(labelled, probability, shared),
    )


def _interval(labelled: np.ndarray, probability: np.ndarray, shared: Overlap) -> Interval | None:
    """The AUROC with its interval; the other windows are far from each other, and each stands for itself."""
    p, one_fold = np.stack([1 - probability, probability], axis=1)[None], np.zeros((1, len(probability)), int)
    return auroc(within_folds(labelled.astype(int), p, one_fold), shared.joined(len(probability) - shared.size))


def domain_auroc(
    x: np.ndarray, shared: Overlap, features: tuple[str, ...], others: np.ndarray, seed: int = 0
) -> tuple[Interval, float, tuple[str, ...]]:
    """AUROC of a classifier that separates windows x [n, K, F] from others [m, K, F], with what it relies on.

    → the cross-validated AUROC with its interval; the upper end of 95% if there were no difference, by the rank sum's
    normal approximation (quicker than shuffles); the features that it relies on.
    """
    described, labelled, predicted = _classifier_two_sample_test(x, shared.groups(), others, seed)
    probability = predicted(labelled)
    auc = float(roc_auc_score(labelled, probability))
    interval = _interval(labelled, probability, shared) or Interval(auc, auc, auc)
    n, m = shared.independent, len(others)
    null_high = 0.5 + 1.96 * np.sqrt((n + m + 1) / (12 * n * m))
    return interval, float(null_high), tuple(name for name, _ in _drivers(described, labelled, features))


def _model() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=DOMAIN_C, max_iter=1000, class_weight="balanced"))


def _classifier_two_sample_test(
    x: np.ndarray, group: np.ndarray, others: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Windows described [n + m, 2 F], which of them are labelled, and what gives out-of-fold probabilities of such a truth."""
    described = np.concatenate([np.concatenate([part.mean(1), part.std(1)], axis=1) for part in (x, others)]).astype(
        float
    )
    groups = np.r_[group, group.max() + 1 + np.arange(len(others))]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)

    def predicted(y: np.ndarray) -> np.ndarray:
        return cross_val_predict(_model(), described, y, groups=groups, cv=folds, method="predict_proba")[:, 1]

    return described, np.arange(len(described)) < len(x), predicted


def _drivers(described: np.ndarray, labelled: np.ndarray, features: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    weights = _model().fit(described, labelled)[-1].coef_[0]
    names = [f"{how} of {name}" for how in ("mean", "deviation") for name in features]
    return tuple((names[i], float(weights[i])) for i in np.argsort(-np.abs(weights))[:LISTED])
