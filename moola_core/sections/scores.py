"""What a run's own scores say: macro F1 with its interval, and each target met, missed, or that it cannot be told."""

from __future__ import annotations

from collections import Counter

from moola_core.diagnostics.results import CalibrationReport, Evaluation, Interval, Sampled
from moola_core.diagnostics.results.interval import (
    OPEN,
    OPPOSED,
    SUPPORTED,
    UNMEASURED,
    Claim,
    Outcome,
    decided,
    exactly,
)
from moola_core.sections.formatting import interval, likelihood
from moola_core.sections.headline import Headline, judges
from moola_core.sections.headlines import CHANCE, OLDER, beats_chance, ece_of
from moola_core.targets import Judgement, Target, judge

F1 = "f1_macro"
MET: dict[Outcome, str] = {SUPPORTED: "yes", OPPOSED: "no", OPEN: "cannot be told", UNMEASURED: "not measured"}


def sampled_of(evaluation: Evaluation, name: str) -> Sampled | None:
    """How far the metric may differ on new windows; None where it was not measured."""
    return (evaluation.sampled or {}).get(name)


def chances(sampled: Sampled) -> str:
    """The chances of passing each threshold, as `above 0.50: 0.97; above 0.60: 0.41`; empty where there is none."""
    return "; ".join(f"above {chance.threshold:.2f}: {likelihood(chance.probability)}" for chance in sampled.chances)


@judges
def of_f1(evaluation: Evaluation) -> Headline:
    """Whether macro F1 is above one half, what a coin flip scores on two classes and the researcher's rule reads."""
    mean, sampled = (evaluation.metrics.get(F1) or {}), sampled_of(evaluation, F1)
    claim = Claim("macro F1", sampled.interval if sampled else None, CHANCE)
    headline = {
        SUPPORTED: "Macro F1 is above 0.50.",
        OPPOSED: "Macro F1 is below 0.50.",
        OPEN: "Whether macro F1 is above 0.50 cannot be told.",
        UNMEASURED: "Is macro F1 above 0.50?",
    }[claim.outcome]
    if sampled is None:
        value = mean.get("mean") if isinstance(mean, dict) else mean.mean
        return Headline(headline, OLDER if value is None else f"Macro F1 {value:.3f}. {OLDER}")
    rest = f"Macro F1 {interval(sampled.interval, '.3f')}. Probabilities on windows like these: {chances(sampled)}."
    return Headline(headline, rest, claim.outcome, (claim,))


def target_interval(
    evaluation: Evaluation, target: Target, calibration: CalibrationReport | None = None
) -> Interval | None:
    """The interval that decides a target; None where it was not measured. That of the ECE is in the calibration.

    That of a class's own metric is everything from 0 to 1 of a model that is not shown to beat chance.
    """
    if target.metric.name == "ece":
        return ece_of(calibration) if calibration else None
    sampled = sampled_of(evaluation, target.name)
    if sampled is None:
        return None
    if target.metric.by_class and beats_chance(evaluation.auroc_within_folds).outcome != SUPPORTED:
        # Which class a model at chance prefers follows the labels of its windows, which their interval does not show.
        return Interval(sampled.interval.value, 0.0, 1.0)
    return sampled.interval


@judges
def of_target(row: Judgement, sampled: Interval | None) -> Headline:
    """Whether a target is met: yes or no where all of the interval lies on one side of its bounds."""
    metric, title = row.target.metric, row.target.title
    if row.actual is None:
        return Headline("–")
    bounds = [bound for bound in (metric.low, metric.high) if bound is not None]
    if metric.task == "fit":  # measured in the fits that were made, not sampled from windows
        claims = tuple(exactly(title, row.actual, bound) for bound in bounds)
        outcome: Outcome = SUPPORTED if row.met else OPPOSED
        return Headline(MET[outcome], "", outcome if decided(claims) else OPEN, claims)
    claims = tuple(Claim(title, sampled, bound) for bound in bounds)
    wanted = {bound: SUPPORTED if bound == metric.low else OPPOSED for bound in bounds}
    outcomes = [(claim.outcome, wanted[claim.than]) for claim in claims]
    if sampled is None:
        outcome = UNMEASURED
    elif all(actual == right for actual, right in outcomes):
        outcome = SUPPORTED
    else:
        outcome = OPPOSED if any(actual not in (OPEN, right) for actual, right in outcomes) else OPEN
    return Headline(MET[outcome], "", outcome, claims)


def of_each(evaluation: Evaluation, calibration: CalibrationReport | None = None) -> list[tuple[Judgement, Headline]]:
    """Each target that the run has a figure for, with whether it is met."""
    rows = [row for row in judge(evaluation.metrics) if row.actual is not None]
    return [(row, of_target(row, target_interval(evaluation, row.target, calibration))) for row in rows]


@judges
def of_targets(evaluation: Evaluation, calibration: CalibrationReport | None = None) -> Headline:
    """How many targets are surely met and surely missed, and which are missed."""
    each = of_each(evaluation, calibration)
    count = Counter(verdict.outcome for _, verdict in each)
    words = [f"{count[SUPPORTED]} of {len(each)} targets are met", f"{count[OPPOSED]} missed"]
    words += [f"{count[OPEN]} cannot be told"] if count[OPEN] else []
    words += [f"{count[UNMEASURED]} not measured"] if count[UNMEASURED] else []
    missed = [row.target.title for row, verdict in each if verdict.outcome == OPPOSED]
    claims = tuple(claim for _, verdict in each for claim in verdict.claims)
    outcome: Outcome = OPPOSED if missed else SUPPORTED if each and count[SUPPORTED] == len(each) else OPEN
    return Headline(f"{', '.join(words)}.", f"Missed: {', '.join(missed)}." if missed else "", outcome, claims)
