"""Arms on shared folds: the two-way paired bootstrap and its verdicts.

Each draw resamples groups of windows that share bars and, independently, repeats (seeds), and recomputes the difference of the
pooled metric. Beside it: the corrected resampled t test (Nadeau and Bengio 2003), which is strict. Holm (1979) over the arms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from moola_core.diagnostics.results import ArmFacts, LabelCurve, Verdict
from moola_core.diagnostics.results.metrics import better
from moola_core.metrics.probability import BINS

DRAWS, LEVEL, MARGIN, POWER = 4000, 0.95, 0.02, 0.80
JOINT_BARS = 3


@dataclass(frozen=True, eq=False)
class Answers:
    """One arm's out-of-fold answers, windows in one order for all arms.

    classes [C]; target [n]; probability [S, n, C] by repeat (None without a class head); center_error [S, n] bars, nan where
    unknown (None without pointers); group [n]: windows that share bars; fold [S, n]: the test fold of each window.
    """

    classes: tuple[str, ...]
    target: np.ndarray
    probability: np.ndarray | None
    center_error: np.ndarray | None
    group: np.ndarray
    fold: np.ndarray

    @cached_property
    def predicted(self) -> np.ndarray | None:
        return None if self.probability is None else self.probability.argmax(2)


def read_answers(predictions: pd.DataFrame, group: Mapping[str, int], window_id: Sequence[str]) -> Answers:
    """The answers of a run's predictions to the windows `window_id`, in that order."""
    classes = tuple(sorted(predictions["label"].astype(str).unique()))
    wide = {name: predictions.pivot(index="repeat", columns="window_id", values=name)[list(window_id)] for name in predictions
            if name not in ("repeat", "window_id")}  # fmt: skip
    target = np.searchsorted(np.array(classes), wide["label"].iloc[0].astype(str).to_numpy())
    probability = None
    if all(f"p_{name}" in wide for name in classes) and not wide[f"p_{classes[0]}"].isna().to_numpy().any():
        probability = np.stack([wide[f"p_{name}"].to_numpy(float) for name in classes], axis=2)
    error = None
    if "start_pred" in wide and not wide["start_pred"].isna().to_numpy().all():
        said = wide["start_pred"].to_numpy(float) + wide["end_pred"].to_numpy(float)
        error = np.abs(said - wide["start_true"].to_numpy(float) - wide["end_true"].to_numpy(float)) / 2
    groups = np.unique([group[name] for name in window_id], return_inverse=True)[1]
    return Answers(classes, target, probability, error, groups, wide["fold"].to_numpy(int))


def measure(answers: Answers, weight: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric [D, S] under window weights [D, n] (or [D, S, n]); weights of 1 give the pooled metric."""
    repeats = answers.fold.shape[0]
    if weight.ndim == 2:
        parts = [_repeat(answers, weight, s) for s in range(repeats)]
    else:
        parts = [_repeat(answers, weight[:, s], s) for s in range(repeats)]
    return {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}


def _repeat(answers: Answers, weight: np.ndarray, s: int) -> dict[str, np.ndarray]:
    """The metrics [D] of repeat s under weights [D, n]. All sums over windows are one product with the weights."""
    columns = _columns(answers, s)
    sums = dict(zip(columns, _split(weight @ np.concatenate(list(columns.values()), axis=1), columns), strict=True))
    found: dict[str, np.ndarray] = {}
    if "hit" in sums:
        f1 = _ratio(2 * sums["hit"], sums["own"] + sums["claimed"])
        recall = _ratio(sums["hit"], sums["own"])
        found["f1_macro"] = f1.mean(1)
        found |= {f"f1 {name}": f1[:, c] for c, name in enumerate(answers.classes)}
        found |= {f"recall {name}": recall[:, c] for c, name in enumerate(answers.classes)}
        found["ece"] = _ratio(np.abs(sums["gap"]).sum(1), weight.sum(1))
    if "known" in sums:
        found["center_mae_bars"] = _ratio(sums["error"], sums["known"])[:, 0]
    if "joint" in sums:
        found["joint_at_3"] = _ratio(sums["joint"], sums["known"])[:, 0]
    return found


def _columns(answers: Answers, s: int) -> dict[str, np.ndarray]:
    """What the metrics of repeat s sum over windows, each [n, m]."""
    columns: dict[str, np.ndarray] = {}
    right = np.ones(len(answers.target), bool)
    if answers.probability is not None and answers.predicted is not None:
        every = np.arange(len(answers.classes))
        right = answers.predicted[s] == answers.target
        own, claimed = answers.target[:, None] == every, answers.predicted[s][:, None] == every
        columns |= {"hit": own & claimed, "own": own, "claimed": claimed}
        confidence = answers.probability[s].max(1)
        place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        columns["gap"] = np.eye(BINS)[place] * (right - confidence)[:, None]
    if answers.center_error is not None:
        error = answers.center_error[s]
        known = np.isfinite(error)
        columns |= {"known": known[:, None], "error": np.where(known, error, 0.0)[:, None]}
        if answers.probability is not None:
            near = np.where(known, error, np.inf) <= JOINT_BARS
            columns["joint"] = (known & right & near)[:, None]
    return {name: values.astype(float) for name, values in columns.items()}


def _split(sums: np.ndarray, columns: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return np.split(sums, np.cumsum([part.shape[1] for part in columns.values()])[:-1], axis=1)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a, dtype=float), where=b > 0)


def margin_of(metric: str, margin: float) -> float:
    """The region of practical equivalence: a share for shares, whole bars for bars."""
    return 1.0 if metric.endswith("_bars") else margin


@dataclass(frozen=True, eq=False)
class Draws:
    """Differences of one metric: `delta` as measured, drawn over windows and repeats [D], over windows alone, over repeats alone, and by
    fold [S · folds]."""

    delta: float
    both: np.ndarray
    windows: np.ndarray
    repeats: np.ndarray
    folds: np.ndarray


def draw_differences(arm: Answers, against: Answers, seed: int = 0, draws: int = DRAWS) -> dict[str, Draws]:
    """Every metric that both arms have, arm less against, on the same draws of window groups and repeats."""
    rng = np.random.default_rng(seed)
    n, repeats, groups = len(arm.target), arm.fold.shape[0], arm.group.max() + 1
    count = rng.multinomial(groups, np.full(groups, 1 / groups), draws)[:, arm.group].astype(float)
    share = rng.multinomial(repeats, np.full(repeats, 1 / repeats), draws) / repeats
    whole = [measure(one, np.ones((1, n))) for one in (arm, against)]
    drawn = [measure(one, count) for one in (arm, against)]
    by_fold = [_by_fold(one) for one in (arm, against)]
    found = {}
    for name in whole[0]:
        if name not in whole[1]:
            continue
        each = (whole[0][name] - whole[1][name])[0]
        moved = drawn[0][name] - drawn[1][name]
        found[name] = Draws(
            float(each.mean()), (moved * share).sum(1), moved.mean(1), share @ each, by_fold[0][name] - by_fold[1][name]
        )
    return found


def _by_fold(answers: Answers) -> dict[str, np.ndarray]:
    """Every metric of each fold of each repeat alone [S · folds]."""
    folds = np.unique(answers.fold)
    weight = (answers.fold[None] == folds[:, None, None]).astype(float)
    return {name: values.ravel() for name, values in measure(answers, weight).items()}


def compare(
    arms: Mapping[str, Answers], against: str, margin: float = MARGIN, seed: int = 0, draws: int = DRAWS
) -> tuple[Verdict, ...]:
    """A verdict for every arm but `against` and every metric, Holm over the arms of each metric."""
    control = arms[against]
    found = {name: draw_differences(answers, control, seed, draws) for name, answers in arms.items() if name != against}
    metrics = dict.fromkeys(metric for one in found.values() for metric in one)
    verdicts: list[Verdict] = []
    for metric in metrics:
        own = {name: one[metric] for name, one in found.items() if metric in one}
        verdicts += _holm(own, (against, metric), control, margin)
    return tuple(verdicts)


def _holm(own: Mapping[str, Draws], names: tuple[str, str], control: Answers, margin: float) -> list[Verdict]:
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


def judge(found: Draws, metric: str, control: Answers, level: float, margin: float) -> Verdict:
    """One difference judged at one confidence level."""
    low, high = np.quantile(found.both, [(1 - level) / 2, (1 + level) / 2])
    reach, way = margin_of(metric, margin), better(metric)
    sign = 1 if way == "higher" else -1
    up, down = float((found.both > 0).mean()), float((found.both < 0).mean())
    word = "undecided"
    if low > 0 or high < 0:
        word = "helps" if (low > 0) == (sign > 0) else "hurts"
    elif -reach <= low and high <= reach:
        word = "equivalent"
    strict = strict_reading(found.folds, control.fold.shape[0])
    z = norm.ppf((1 + level) / 2)
    needed = _needed(found, z, (len(control.target), control.fold.shape[0])) if word == "undecided" else (None, None)
    return Verdict(
        "", "", metric, way, found.delta, float(low), float(high), level, word,
        up if sign > 0 else down, down if sign > 0 else up, two_sided(found.both), 1.0, *strict,
        float((z + norm.ppf(POWER)) * found.both.std()), reach, *needed,
    )  # fmt: skip


def strict_reading(folds: np.ndarray, repeats: int) -> tuple[float | None, float | None, float | None]:
    """p and 95% interval of the corrected resampled t test over the folds' differences [S · k]."""
    count = len(folds)
    k = count // repeats
    spread = folds.std(ddof=1) if count > 1 else 0.0
    if k < 2 or spread == 0:
        return None, None, None
    error = spread * np.sqrt(1 / count + 1 / (k - 1))
    value, reach = folds.mean() / error, t.ppf((1 + LEVEL) / 2, count - 1) * error
    return float(2 * t.sf(abs(value), count - 1)), float(folds.mean() - reach), float(folds.mean() + reach)


def _needed(found: Draws, z: float, size: tuple[int, int]) -> tuple[int | None, int | None]:
    """Windows, or repeats, with which an interval as wide as it then would be leaves out 0, if the difference stays as it is.

    The variance is split into that of windows, of repeats, and of both together, which either makes smaller.
    """
    wanted = (found.delta / z) ** 2
    by_windows, by_repeats = float(found.windows.var()), float(found.repeats.var())
    shared = max(float(found.both.var()) - by_windows - by_repeats, 0.0)
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
    told = []
    score = {arm.name: arm.metrics.get("f1_macro") for arm in arms}
    networks = {arm.name for arm in arms if arm.model == "network"}
    if beaten_by:
        best = max((score[name] or 0.0) for name in networks)
        rival = max(networks, key=lambda name: score[name] or 0.0)
        sure = any(
            (v.arm, v.against, v.metric, v.verdict) == (beaten_by[0], rival, "f1_macro", "helps") for v in verdicts
        )
        how = "beats every network" if sure else "is ahead of every network, which it may not beat"
        told.append(
            f"A simple model {how}: {beaten_by[0]} reaches {score[beaten_by[0]]:.3f}, the best network {best:.3f}."
        )
    metric = "f1_macro" if any(v.metric == "f1_macro" for v in verdicts) else "center_mae_bars"
    told += [_told(v) for v in verdicts if v.metric == metric and v.against == against and v.arm in networks]
    return "\n".join(told)


def _told(v: Verdict) -> str:
    span = f"{v.delta:+.3f} ({v.low:+.3f} to {v.high:+.3f})"
    if v.verdict == "equivalent":
        return f"{v.arm} is as good as {v.against}: {span}, within ±{v.margin:g}."
    if v.verdict != "undecided":
        sure = v.p_helps if v.verdict == "helps" else v.p_hurts
        return f"{v.arm} {v.verdict}: {span}, probability {min(sure, 0.999):.3f}."
    if v.low > 0 or v.high < 0:
        return f"{v.arm} is undecided: {span} is clear of 0 alone, but not as one of several arms (Holm)."
    ways = [f"{v.labels_needed} labels"] * (v.labels_needed is not None) + [f"{v.repeats_needed} repeats"] * (
        v.repeats_needed is not None
    )
    settle = f" If it stays so, {' or '.join(ways)} would settle it." if ways else ""
    return f"{v.arm} is undecided: {span}; this design finds differences from {v.resolvable:.2f} on.{settle}"


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
