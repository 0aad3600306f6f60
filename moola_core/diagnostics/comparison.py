"""Arms on shared folds: the differences of their metrics, and the verdicts.

Every metric is judged by what each window adds to it (`intervals.estimate`), Holm (1979) over the arms. One of them decides: how well
the probabilities rank the windows, which needs no threshold and errs least; the others describe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from moola_core.diagnostics.intervals import LEVEL, TWO_MODELS, Estimate, estimate
from moola_core.diagnostics.results import ArmFacts, LabelCurve, Verdict
from moola_core.metrics import METRICS, Predictions, better, find, influence
from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable

MARGIN = 0.02
DECIDES = ("auroc", "f1_macro", "hit_at_3")  # the first that all arms have: only ranks need probabilities


@dataclass(frozen=True, eq=False)
class ArmPredictions:
    """One arm's out-of-fold predictions, windows in one order for all arms.

    predictions: with the R repeats as leading dimension; shared: which windows share bars; pretraining [R]: the pre-training that each
    repeat started from, where there were several.
    """

    predictions: Predictions
    shared: Overlap
    pretraining: np.ndarray | None = None

    @property
    def target(self) -> np.ndarray:
        """True class numbers [n]."""
        return self.predictions.target[0]

    @property
    def windows(self) -> int:
        return self.predictions.target.shape[1]

    @property
    def repeats(self) -> int:
        return self.predictions.target.shape[0]


def arm_predictions(
    predictions: pd.DataFrame, shared: Overlap | None, window_id: Sequence[str], pretrainings: Sequence[int] = ()
) -> ArmPredictions:
    """A run's predictions of the windows `window_id`, in that order; pretrainings: which one each of its repeats began with."""
    grid = PredictionTable(predictions).grid(window_id)
    pretraining = np.asarray(pretrainings)[grid.repeats] if len(set(pretrainings)) > 1 else None
    return ArmPredictions(grid.predictions(), grid.shared(shared), pretraining)


def influences(arm: ArmPredictions) -> dict[str, np.ndarray]:
    """What each window adds to every compared metric [R, n]; `NAME CLASS` where it has an entry per class."""
    rows: dict[str, list[np.ndarray]] = {}
    for r in range(arm.repeats):
        own = arm.predictions.repeat(r)
        for name, metric in METRICS.items():
            if not metric.compared or not metric.measures(own):
                continue
            values = influence(own, name)
            for label, column in zip(own.classes, values.T, strict=True) if metric.by_class else (("", values),):
                rows.setdefault(f"{name} {label}" if label else name, []).append(column)
    return {name: np.stack(parts) for name, parts in rows.items()}


def margin_of(metric: str, margin: float) -> float:
    """The region of practical equivalence: `margin` for shares, the metric's own in other units."""
    own = find(metric)
    return own.margin if own is not None and own.unit else margin


def compare(arms: Mapping[str, ArmPredictions], against: str, margin: float = MARGIN) -> tuple[Verdict, ...]:
    """A verdict for every arm but `against` and every metric that all arms have, Holm over the arms of each metric."""
    control, values = arms[against], {name: influences(one) for name, one in arms.items()}
    metrics = [
        name for name in values[against] if all(np.isfinite(one.get(name, np.nan)).any() for one in values.values())
    ]
    verdicts: list[Verdict] = []
    for metric in metrics:
        differences = {
            name: estimate(
                values[name][metric] - values[against][metric],
                control.shared,
                TWO_MODELS,
                control.pretraining if one.pretraining is None else one.pretraining,
            )
            for name, one in arms.items()
            if name != against
        }
        known = {name: difference for name, difference in differences.items() if difference is not None}
        verdicts += _holm(known, against, metric, control, margin, metric == deciding(metrics))
    return tuple(verdicts)


def _holm(
    own: Mapping[str, Estimate], against: str, metric: str, control: ArmPredictions, margin: float, decides: bool
) -> list[Verdict]:
    """The verdicts on a metric's differences from `control`, the arm called `against`; decides: whether this is the metric that does.

    Step down from the smallest p: each is judged at 1 − α / (arms left), and none after the first that fails.

    No two-sided intervals agree with these steps and hold all at once, so those that do are given next to them, at 1 − α / arms (Bonferroni).
    """
    order = sorted(own, key=lambda name: own[name].p)
    verdicts, open_, p_holm = [], True, 0.0
    for rank, name in enumerate(order):
        left = len(order) - rank
        p_holm = max(p_holm, min(1.0, left * own[name].p))
        judged = judge(own[name], metric, control, 1 - (1 - LEVEL) / left, margin)
        decided = judged.verdict in ("helps", "hurts")
        if decided and not open_:
            judged = replace(judged, verdict="undecided")
        open_ = open_ and decided
        together = own[name].interval(1 - (1 - LEVEL) / len(order))
        judged = replace(judged, together_low=together.low, together_high=together.high)
        verdicts.append(replace(judged, arm=name, against=against, p_holm=p_holm, decides=decides))
    return verdicts


def judge(difference: Estimate, metric: str, control: ArmPredictions, level: float, margin: float) -> Verdict:
    """One difference of a metric from `control` judged at one confidence level."""
    interval = difference.interval(level)
    low, high = interval.low, interval.high
    reach, way = margin_of(metric, margin), better(metric)
    sign = 1 if way == "higher" else -1
    up, down = difference.above(reach), 1 - difference.above(-reach)
    word = "undecided"
    if low > 0 or high < 0:
        word = "helps" if (low > 0) == (sign > 0) else "hurts"
    elif -reach <= low and high <= reach:
        word = "equivalent"
    open_ = word == "undecided"
    total = difference.error**2
    return Verdict(
        arm="",
        against="",
        metric=metric,
        better=way,
        delta=difference.value,
        low=low,
        high=high,
        level=level,
        verdict=word,
        p_helps=up if sign > 0 else down,
        p_hurts=down if sign > 0 else up,
        p=difference.p,
        p_holm=1.0,
        resolvable=difference.resolvable(level),
        margin=reach,
        labels_needed=difference.windows_needed(control.windows, level) if open_ else None,
        repeats_needed=difference.repeats_needed(control.repeats, level) if open_ and control.repeats > 1 else None,
        p_within=max(0.0, 1 - up - down),
        equivalence=difference.reach(level),
        pretraining_share=difference.of_pretraining / total if total > 0 else 0.0,
    )


def deciding(names: Iterable[str]) -> str:
    """The metric that decides between arms that have these; empty where none of them does."""
    names = set(names)
    return next((name for name in DECIDES if name in names), "")


def sentence(
    verdicts: Sequence[Verdict], arms: Sequence[ArmFacts], against: str, placebos: Mapping[str, str] | None = None
) -> str:
    """The answer in words: what the deciding metric says of each network, and what macro F1 says next to it.

    placebos: the arms that have one, with it. An arm that is no better than its placebo has no more than a better start.
    """
    placebos = placebos or {}
    networks = {arm.name for arm in arms if arm.model == "network"}.difference(placebos.values())
    own = [v for v in verdicts if v.against == against and v.arm in networks]
    f1 = {v.arm: v for v in own if v.metric == "f1_macro"}
    helping = {v.arm for v in own if v.decides and v.verdict == "helps"}
    lines = [_verdict_line(v, f1.get(v.arm)) for v in own if v.decides]
    lines += [_placebo_line(v, v.arm in helping) for v in verdicts if v.decides and placebos.get(v.arm) == v.against]
    return "\n".join(lines)


def _placebo_line(v: Verdict, helps: bool) -> str:
    """What an arm is next to its placebo; helps: whether it helps next to the arm that all are compared with."""
    span = f"{METRICS[v.metric].title} {_span(v)}"
    twin = f"its {v.against}, which was pre-trained on the same bars in random order"
    if v.verdict == "helps":
        return f"{v.arm} is better than {twin}: {span}. It gains from the order of the bars."
    if v.verdict == "undecided":
        means = "its pre-training is more than a better start" if helps else "the order of the bars adds anything"
        return f"{v.arm} is not shown to be better than {twin}: {span}. That {means} is not shown."
    means = "Its pre-training is no more than a better start." if helps else "The order of the bars adds nothing."
    return f"{v.arm} is {'worse than' if v.verdict == 'hurts' else 'as good as'} {twin}: {span}. {means}"


def _verdict_line(v: Verdict, f1: Verdict | None) -> str:
    metric = METRICS[v.metric]
    span = f"{metric.title} {_span(v)}"
    described = "" if f1 is None else f" Macro F1: {_span(f1)}; {metric.title} decides."
    rest = f"{_probabilities(v)}{described}"
    if v.verdict == "equivalent":
        return f"{v.arm} is as good as {v.against}: {span}, within ±{v.margin:g}. {rest}"
    if v.verdict != "undecided":
        return f"{v.arm} {v.verdict}: {span}. {rest}"
    if v.p <= 1 - LEVEL:
        return f"{v.arm} is undecided: {span}. Alone its 95% interval would exclude 0, but not as one of several arms (Holm). {rest}"
    return f"{v.arm} is undecided: {span}. {rest}"


def _probabilities(v: Verdict) -> str:
    """The probabilities of all three answers, none of them read as certain."""
    within = v.p_within if v.p_within is not None else max(0.0, 1 - v.p_helps - v.p_hurts)
    better, same, worse = (f"{min(max(p, 0.001), 0.999):.3f}" for p in (v.p_helps, within, v.p_hurts))
    return f"It is better by more than {v.margin:g} with probability {better}, worse by more than that with {worse}, in between with {same}."


def _span(v: Verdict) -> str:
    return f"{v.delta:+.3f} ({v.low:+.3f} to {v.high:+.3f})"


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
