"""Arms on shared folds: the two-way paired bootstrap and its verdicts.

Each draw resamples groups of windows that share bars and, independently, repeats (seeds), and recomputes the difference of the
pooled metric. Next to it: the corrected resampled t test (Nadeau and Bengio 2003), which finds fewer differences. Holm (1979) over the arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from moola_core.diagnostics.results import ArmFacts, LabelCurve, Verdict
from moola_core.metrics import METRICS, Predictions, better, find, measure
from moola_core.runs.predictions import PredictionTable

DRAWS, LEVEL, MARGIN, POWER = 4000, 0.95, 0.02, 0.80


@dataclass(frozen=True, eq=False)
class ArmPredictions:
    """One arm's out-of-fold predictions, windows in one order for all arms.

    predictions: with the S repeats as leading dimension; group [n]: windows that share bars; fold [S, n]: the test fold of each window.
    """

    predictions: Predictions
    group: np.ndarray
    fold: np.ndarray

    @property
    def target(self) -> np.ndarray:
        """True class numbers [n]."""
        return self.predictions.target[0]

    @property
    def size(self) -> tuple[int, int]:
        """Number of windows and of repeats."""
        repeats, windows = self.fold.shape
        return windows, repeats


def arm_predictions(predictions: pd.DataFrame, group: Mapping[str, int], window_id: Sequence[str]) -> ArmPredictions:
    """A run's predictions of the windows `window_id`, in that order."""
    grid = PredictionTable(predictions).grid(window_id)
    groups = np.unique([group[name] for name in window_id], return_inverse=True)[1]
    return ArmPredictions(grid.predictions(), groups, grid.fold)


def measure_arm(arm: ArmPredictions, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Every compared metric [D, S] under window weights [D, n] (or [D, S, n]); `NAME CLASS` where it has an entry per class.

    A draw or fold without a window that counts says nothing: 0.
    """
    names = [name for name, metric in METRICS.items() if metric.compared]
    columns: dict[str, list[np.ndarray]] = {}
    for s in range(arm.fold.shape[0]):
        own = arm.predictions.repeat(s)
        for name, values in measure(own, weight if weight.ndim == 2 else weight[:, s], names).items():
            by_class = zip(own.classes, values.T, strict=True) if METRICS[name].by_class else ((None, values),)
            for label, column in by_class:
                columns.setdefault(f"{name} {label}" if label else name, []).append(np.nan_to_num(column))
    return {name: np.stack(parts, axis=1) for name, parts in columns.items()}


def margin_of(metric: str, margin: float) -> float:
    """The region of practical equivalence: `margin` for shares, the metric's own in other units."""
    own = find(metric)
    return own.margin if own is not None and own.unit else margin


@dataclass(frozen=True, eq=False)
class Draws:
    """Differences of one metric: `delta` as measured, drawn over windows and repeats [D], over windows alone, over repeats alone, and by
    fold [S · folds]."""

    delta: float
    both: np.ndarray
    windows: np.ndarray
    repeats: np.ndarray
    folds: np.ndarray


def draw_differences(
    arm: ArmPredictions, against: ArmPredictions, seed: int = 0, draws: int = DRAWS
) -> dict[str, Draws]:
    """Every metric that both arms have, arm less against, on the same draws of window groups and repeats."""
    rng = np.random.default_rng(seed)
    (n, repeats), groups = arm.size, arm.group.max() + 1
    count = rng.multinomial(groups, np.full(groups, 1 / groups), draws)[:, arm.group].astype(float)
    share = rng.multinomial(repeats, np.full(repeats, 1 / repeats), draws) / repeats
    whole = [measure_arm(one, np.ones((1, n))) for one in (arm, against)]
    drawn = [measure_arm(one, count) for one in (arm, against)]
    by_fold = [_by_fold(one) for one in (arm, against)]
    differences = {}
    for name in whole[0]:
        if name not in whole[1]:
            continue
        each = (whole[0][name] - whole[1][name])[0]
        moved = drawn[0][name] - drawn[1][name]
        differences[name] = Draws(
            float(each.mean()), (moved * share).sum(1), moved.mean(1), share @ each, by_fold[0][name] - by_fold[1][name]
        )
    return differences


def _by_fold(arm: ArmPredictions) -> dict[str, np.ndarray]:
    """Every metric of each fold of each repeat alone [S · folds]."""
    folds = np.unique(arm.fold)
    weight = (arm.fold[None] == folds[:, None, None]).astype(float)
    return {name: values.ravel() for name, values in measure_arm(arm, weight).items()}


def compare(
    arms: Mapping[str, ArmPredictions], against: str, margin: float = MARGIN, seed: int = 0, draws: int = DRAWS
) -> tuple[Verdict, ...]:
    """A verdict for every arm but `against` and every metric, Holm over the arms of each metric."""
    control = arms[against]
    differences = {name: draw_differences(one, control, seed, draws) for name, one in arms.items() if name != against}
    metrics = dict.fromkeys(metric for one in differences.values() for metric in one)
    verdicts: list[Verdict] = []
    for metric in metrics:
        own = {name: one[metric] for name, one in differences.items() if metric in one}
        verdicts += _holm(own, (against, metric), control, margin)
    return tuple(verdicts)


def _holm(own: Mapping[str, Draws], names: tuple[str, str], control: ArmPredictions, margin: float) -> list[Verdict]:
    """Step down from the smallest p: each is judged at 1 − α / (arms left), and none after the first that fails."""
    order = sorted(own, key=lambda name: two_sided(own[name].both))
    verdicts, open_, p_holm = [], True, 0.0
    for rank, name in enumerate(order):
        left = len(order) - rank
        p_holm = max(p_holm, min(1.0, left * two_sided(own[name].both)))
        judged = judge(own[name], names[1], control, 1 - (1 - LEVEL) / left, margin)
        decided = judged.verdict in ("helps", "hurts")
        if decided and not open_:
            judged = replace(judged, verdict="undecided")
        open_ = open_ and decided
        verdicts.append(replace(judged, arm=name, against=names[0], p_holm=p_holm))
    return verdicts


def two_sided(drawn: np.ndarray) -> float:
    """Twice the smaller tail of the draws beyond no difference; never 0."""
    tail = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return float(min(1.0, max(2 * tail, 2 / (len(drawn) + 1))))


def judge(drawn: Draws, metric: str, control: ArmPredictions, level: float, margin: float) -> Verdict:
    """One difference judged at one confidence level."""
    low, high = np.quantile(drawn.both, [(1 - level) / 2, (1 + level) / 2])
    reach, way = margin_of(metric, margin), better(metric)
    sign = 1 if way == "higher" else -1
    up, down = float((drawn.both > 0).mean()), float((drawn.both < 0).mean())
    word = "undecided"
    if low > 0 or high < 0:
        word = "helps" if (low > 0) == (sign > 0) else "hurts"
    elif -reach <= low and high <= reach:
        word = "equivalent"
    corrected = corrected_t_test(drawn.folds, control.size[1])
    z = norm.ppf((1 + level) / 2)
    needed = _needed(drawn, z, control.size) if word == "undecided" else (None, None)
    return Verdict(
        "",
        "",
        metric,
        way,
        drawn.delta,
        float(low),
        float(high),
        level,
        word,
        up if sign > 0 else down,
        down if sign > 0 else up,
        two_sided(drawn.both),
        1.0,
        *corrected,
        float((z + norm.ppf(POWER)) * drawn.both.std()),
        reach,
        *needed,
    )


def corrected_t_test(folds: np.ndarray, repeats: int) -> tuple[float | None, float | None, float | None]:
    """p and 95% interval of the corrected resampled t test over the folds' differences [S · k]."""
    count = len(folds)
    k = count // repeats
    spread = folds.std(ddof=1) if count > 1 else 0.0
    if k < 2 or spread == 0:
        return None, None, None
    error = spread * np.sqrt(1 / count + 1 / (k - 1))
    value, reach = folds.mean() / error, t.ppf((1 + LEVEL) / 2, count - 1) * error
    return float(2 * t.sf(abs(value), count - 1)), float(folds.mean() - reach), float(folds.mean() + reach)


def _needed(drawn: Draws, z: float, size: tuple[int, int]) -> tuple[int | None, int | None]:
    """Windows, or repeats, with which an interval as wide as it then would be leaves out 0, if the difference stays as it is.

    The variance is split into that of windows, of repeats, and of both together, which either makes smaller.
    """
    wanted = (drawn.delta / z) ** 2
    by_windows, by_repeats = float(drawn.windows.var()), float(drawn.repeats.var())
    shared = max(float(drawn.both.var()) - by_windows - by_repeats, 0.0)
    labels = size[0] * (by_windows + shared) / (wanted - by_repeats) if wanted > by_repeats else np.inf
    repeats = size[1] * (by_repeats + shared) / (wanted - by_windows) if wanted > by_windows else np.inf
    most = 100  # times as many: beyond that it is no advice
    return (
        max(int(np.ceil(labels)), size[0] + 1) if labels < most * size[0] else None,
        max(int(np.ceil(repeats)), size[1] + 1) if size[1] > 1 and repeats < most * size[1] else None,
    )


def sentence(
    verdicts: Sequence[Verdict], arms: Sequence[ArmFacts], against: str, beaten_by: Sequence[str], why_not: str
) -> str:
    """The answer in words, for macro F1 (center error, where no class is predicted)."""
    if why_not:
        return why_not
    lines = []
    score = {arm.name: arm.metrics.get("f1_macro") for arm in arms}
    networks = {arm.name for arm in arms if arm.model == "network"}
    if beaten_by:
        best = max((score[name] or 0.0) for name in networks)
        rival = max(networks, key=lambda name: score[name] or 0.0)
        sure = any(
            (v.arm, v.against, v.metric, v.verdict) == (beaten_by[0], rival, "f1_macro", "helps") for v in verdicts
        )
        how = "beats every network" if sure else "is ahead of every network, which it may not beat"
        lines.append(
            f"A simple model {how}: {beaten_by[0]} reaches {score[beaten_by[0]]:.3f}, the best network {best:.3f}."
        )
    metric = "f1_macro" if any(v.metric == "f1_macro" for v in verdicts) else "center_mae_bars"
    lines += [_verdict_line(v) for v in verdicts if v.metric == metric and v.against == against and v.arm in networks]
    return "\n".join(lines)


def _verdict_line(v: Verdict) -> str:
    span = f"{v.delta:+.3f} ({v.low:+.3f} to {v.high:+.3f})"
    if v.verdict == "equivalent":
        return f"{v.arm} is as good as {v.against}: {span}, within ±{v.margin:g}."
    if v.verdict != "undecided":
        sure = v.p_helps if v.verdict == "helps" else v.p_hurts
        return f"{v.arm} {v.verdict}: {span}, probability {min(sure, 0.999):.3f}."
    if v.low > 0 or v.high < 0:
        return f"{v.arm} is undecided: {span} excludes 0 on its own, but not after correction for several arms (Holm)."
    ways = [f"{v.labels_needed} labels"] * (v.labels_needed is not None) + [f"{v.repeats_needed} repeats"] * (
        v.repeats_needed is not None
    )
    needed = f" Sample size needed if it stays so: {' or '.join(ways)}." if ways else ""
    return (
        f"{v.arm} is undecided: {span}; the smallest difference found with {POWER:.0%} power is "
        f"{v.resolvable:.2f}.{needed}"
    )


def label_curve(scores: Mapping[int, Sequence[float]], seed: int = 0, draws: int = 1000) -> LabelCurve:
    """Macro F1 of each repeat by number of labels, extrapolated to 1.5, 2 and 4 times the most.

    The error of learners falls about with a power of the sample; 1/√n is supposed (Figueroa et al. 2012 fit the power, which four points
    do not allow).
    """
    labels = sorted(scores)
    measured = np.array([scores[count] for count in labels])
    further = [round(labels[-1] * factor) for factor in (1.0, 1.5, 2.0, 4.0)]
    line = np.linalg.pinv(np.stack([np.ones(len(labels)), 1 / np.sqrt(labels)], axis=1))
    at = np.stack([np.ones(len(further)), 1 / np.sqrt(further)], axis=1)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, measured.shape[1], (draws, measured.shape[1]))
    drawn = np.stack([at @ line @ measured[:, row].mean(1) for row in rows])
    middle = at @ line @ measured.mean(1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    ahead = tuple(
        (count, float(m), float(a), float(b)) for count, m, a, b in zip(further, middle, low, high, strict=True)
    )
    return LabelCurve(tuple(labels), tuple(map(tuple, measured.tolist())), ahead)
