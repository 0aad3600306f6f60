"""Features and labels: which columns carry the classes, and how sure that is."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import false_discovery_control, norm, t

from moola_core.diagnostics.intervals import estimate, within_folds
from moola_core.diagnostics.results import ColumnFact, Expectation, FeatureLabel, FeatureReport, Interval
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED, above
from moola_core.overlap import Overlap

LAST_BARS = 20
AGGREGATES = ("window", "last", "before_expansion")
# What the researcher expects: feature, class, least r. Where the class does not occur it cannot be judged.
EXPECTED = (("consol_proxy", "consolidation", 0.2), ("expansion_proxy", "retracement", 0.0))


@dataclass(frozen=True)
class Permutations:
    """How many times labels are exchanged at random for the p-values, and the seed of that."""

    count: int = 5000
    seed: int = 0


DEFAULT_PERMUTATIONS = Permutations()


def feature_report(
    x: np.ndarray,
    label: np.ndarray,
    start: np.ndarray,
    features: tuple[str, ...],
    shared: Overlap,
    permutations: Permutations = DEFAULT_PERMUTATIONS,
) -> FeatureReport:
    """x [n, K, F] in the features' own units; label [n]; start [n] of the expansion (nan: none); shared: which windows share
    bars; permutations: those of the p-values.
    """
    classes = tuple(np.unique(label.astype(str)).tolist())
    return FeatureReport(
        classes,
        features,
        len(x),
        len(np.unique(shared.groups())),
        permutations.count,
        LAST_BARS,
        label_table(x, label, start, features, shared, permutations),
        (),
        column_facts(x, features),
        {
            name: {c: x[label.astype(str) == c].mean(1)[:, i].tolist() for c in classes}
            for i, name in enumerate(features)
        },
        *_courses(x, label.astype(str), classes),
        _correlation(x.mean(1)),
    )


def with_expectations(report: FeatureReport) -> FeatureReport:
    """The report with the researcher's expectations judged on its table."""
    rows = {(row.feature, row.positive): row for row in report.table if row.aggregate == "window"}
    expectations = []
    for feature, positive, least in EXPECTED:
        row, sign = rows.get((feature, positive)), 1.0
        if row is None and len(report.classes) == 2 and positive in report.classes:
            other = next(name for name in report.classes if name != positive)
            row, sign = rows.get((feature, other)), -1.0
        text = f"{feature} goes with {positive}" + (f", r above {least:g}" if least else "")
        if row is None:
            expectations.append(Expectation(text, None, None, least=least))
            continue
        low, high = sorted((sign * row.r_low, sign * row.r_high))
        met = {SUPPORTED: True, OPPOSED: False}.get(above(Interval(sign * row.r, low, high), least))
        expectations.append(Expectation(text, sign * row.r, met, low, high, least))
    return replace(report, expectations=tuple(expectations))


def label_table(
    x: np.ndarray,
    label: np.ndarray,
    start: np.ndarray,
    features: tuple[str, ...],
    shared: Overlap,
    permutations: Permutations,
) -> tuple[FeatureLabel, ...]:
    """One row a feature, aggregate and class against the rest (with two classes: the first one alone)."""
    label = label.astype(str)
    classes = np.unique(label)
    wanted = classes if len(classes) > 2 else classes[:1]
    values = aggregates(x, start)
    columns = np.concatenate([values[name] for name in AGGREGATES], axis=1)
    places = [(name, feature) for name in AGGREGATES for feature in features]
    group = shared.groups()
    shuffled = permuted(label, group, permutations)
    rows = []
    for positive in wanted:
        y = label == positive
        r = correlations(columns, y[None])[0]
        exceeded = np.zeros(columns.shape[1])
        for part in np.array_split(shuffled, max(1, len(shuffled) // 1000)):
            exceeded += (np.abs(correlations(columns, part == positive)) >= np.abs(r) - 1e-12).sum(0)
        for i, (aggregate, feature) in enumerate(places):
            known = np.isfinite(columns[:, i])
            p = float((1 + exceeded[i]) / (1 + len(shuffled)))
            row = _row(columns[known, i], y[known], group[known], shared.rows(known), float(r[i]))
            rows.append(replace(row, feature=feature, aggregate=aggregate, positive=str(positive), p=p))
    q = false_discovery_control([row.p for row in rows])
    return tuple(replace(row, q=float(value)) for row, value in zip(rows, q, strict=True))


def aggregates(x: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """Means [n, F] over the window, over its last 20 bars, and over the 20 bars before the expansion (nan where there is none).

    The last one reads the pointer, which belongs to the label: it explains, but cannot be a feature.
    """
    length = x.shape[1]
    bars = np.arange(length)
    x, known = x.astype(float), np.isfinite(start)
    first = np.where(known, start, 0)
    inside = (bars >= (first - LAST_BARS)[:, None]) & (bars < first[:, None]) & known[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # windows without such bars become nan, as documented
        before = np.nanmean(np.where(inside[:, :, None], x, np.nan), axis=1)
    return {"window": x.mean(1), "last": x[:, -LAST_BARS:].mean(1), "before_expansion": before}


def permuted(label: np.ndarray, group: np.ndarray, permutations: Permutations) -> np.ndarray:
    """Labels [permutations.count, n] with whole groups exchanged: runs of labels in time stay together, so that their likeness is kept."""
    order = np.argsort(group, kind="stable")
    parts = np.split(label[order], np.flatnonzero(np.diff(group[order])) + 1)
    rng = np.random.default_rng(permutations.seed)
    shuffled = np.empty((permutations.count, len(label)), label.dtype)
    for row in shuffled:
        row[order] = np.concatenate([parts[i] for i in rng.permutation(len(parts))])
    return shuffled


def correlations(columns: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Point-biserial r [d, m] of columns [n, m] (nan: left out) with d sets of labels y [d, n] bool; 0 for a constant."""
    known = np.isfinite(columns)
    centred = np.where(known, columns - np.nanmean(np.where(known.any(0), columns, 0.0), axis=0), 0.0)
    size, spread = known.sum(0), (centred**2).sum(0)
    y = y.astype(float)
    share = y @ known / np.maximum(size, 1)
    product = y @ centred
    scale = np.sqrt(spread * size * share * (1 - share))
    return np.where(scale > 1e-12, product / np.maximum(scale, 1e-12), 0.0)


def auc(values: np.ndarray, y: np.ndarray, shared: Overlap | None = None) -> tuple[float, float, float]:
    """AUC of y [n] by values, with its 95% interval from the placements of windows that share bars; from 0 to 1 where it is not known."""
    if not (0 < y.sum() < len(y)):
        return 0.5, 0.0, 1.0
    p = np.stack([-values, values], axis=1)
    placed = within_folds(y.astype(int), p[None], np.zeros((1, len(y)), int))
    interval = estimate(placed, Overlap.none(len(y)) if shared is None else shared)
    value = float(placed.mean())
    reach = 1.0 if interval is None else interval.reach()
    return value, max(0.0, value - reach), min(1.0, value + reach)


def _row(values: np.ndarray, y: np.ndarray, group: np.ndarray, shared: Overlap, r: float) -> FeatureLabel:
    """How values [n] go with the class y [n], of correlation `r`; what they are of and the p-values are to be filled in."""
    n = len(values)
    values = np.round(values, 10)  # columns that differ by rounding alone are tied
    reach = _reach(values, y, shared, r)
    low, high = np.tanh(np.arctanh(np.clip(r, -0.999999, 0.999999)) + np.array([-reach, reach]))
    value, auc_low, auc_high = auc(values, y, shared) if n else (0.5, 0.0, 1.0)
    middle = auc(np.round(np.abs(values - np.median(values)), 10), y, shared)[0] if n else 0.5
    stable = _sign_stability(values, y, group, r)
    std = float(values.std()) if n else 0.0
    return FeatureLabel(
        "", "", "", n, r, float(low), float(high), value, auc_low, auc_high, middle, 1.0, 1.0, stable, std
    )


def _reach(values: np.ndarray, y: np.ndarray, shared: Overlap, r: float) -> float:
    """Half of the width of Fisher's interval of r, wider where windows share bars.

    Then it is the root of the design effect times as wide: the variance of r by the influence of windows that depend on each other over
    that by the influence of single windows, with Student's t.
    """
    n = len(values)
    alone = 1 / np.sqrt(max(n - 3, 1))
    if not len(shared.pairs[0]) or n < 3 or values.std() == 0:
        return float(norm.ppf(0.975) * alone)
    a, b = ((part - part.mean()) / max(part.std(), 1e-12) for part in (values, y.astype(float)))
    influence = a * b - r * (a**2 + b**2) / 2
    effect = max(1.0, shared.variance(influence) / max(float((influence**2).sum()), 1e-12))
    return float(t.ppf(0.975, max(shared.independent - 1, 1)) * alone * np.sqrt(effect))


def _sign_stability(values: np.ndarray, y: np.ndarray, group: np.ndarray, r: float, folds: int = 5) -> float:
    """Share of fifths of the groups without which r keeps its sign and half its size."""
    parts = np.array_split(np.unique(group), folds)
    kept = 0
    for part in parts:
        rest = ~np.isin(group, part)
        without = correlations(values[rest, None], y[rest][None])[0, 0] if rest.any() else 0.0
        kept += without * np.sign(r) > 0.5 * abs(r)
    return kept / len(parts)


def column_facts(x: np.ndarray, features: tuple[str, ...]) -> tuple[ColumnFact, ...]:
    """What is wrong with a column whatever the labels: no spread, almost constant, or filled at some positions only."""
    facts = []
    for i, name in enumerate(features):
        column = x[:, :, i].astype(float)
        std, varying = float(column.std()), float((column.std(0) > 1e-9).mean())
        remark = ""
        if std < 1e-9:
            remark = "constant"
        elif varying < 0.5:
            remark = f"differs between windows at {varying:.0%} of the bars only"
        elif std < 0.05:
            remark = "almost constant: standardise it before adding noise"
        facts.append(ColumnFact(name, float(column.mean()), std, varying, remark))
    return tuple(facts)


def _courses(x: np.ndarray, label: np.ndarray, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    parts = [x[label == name] for name in classes]
    mean = np.stack([part.mean(0).T for part in parts])
    return mean, np.stack([part.std(0).T / np.sqrt(len(part)) for part in parts])


def _correlation(means: np.ndarray) -> np.ndarray:
    centred = means - means.mean(0)
    scale = np.sqrt((centred**2).sum(0))
    return centred.T @ centred / np.maximum(np.outer(scale, scale), 1e-12)
