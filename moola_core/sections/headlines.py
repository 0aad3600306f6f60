"""What a result says in a sentence or two, on pages, in reports and on the command line alike.

One function for each claim. Whether a claim is supported, opposed or cannot be told is decided by its interval, and the sentence says
which; a result of an older version, which has no interval, is said to be unmeasured. No sentence says more than its interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from moola_core.diagnostics.results import (
    Balance,
    CalibrationReport,
    Domain,
    Evaluation,
    Expectation,
    Interval,
    Measure,
    Pointing,
    PretrainReport,
    Probe,
    Rank,
)
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, UNMEASURED, Outcome, above, of_pointer
from moola_core.metrics import METRICS
from moola_core.sections.formatting import interval, probability

STARVED = 0.1  # share of the other task's gradient that counts as almost none
CHANCE = 0.5
CALIBRATED = METRICS["ece"].high or 0.0
ALIKE = 0.6  # AUROC below which windows can hardly be told apart
HIGH_RANK = 4
SIGNIFICANT = 0.05
ONE_GROUP = "All windows share bars, so there is no interval."
OLDER = "It was not measured: the result is of a version that did not store the interval. Compute it again to have it."
CLASSES_ALONE = "Only classes are predicted, and AUROC needs probabilities."


@dataclass(frozen=True)
class Headline:
    """The `headline` to be set in bold, and the `rest`; either may be empty. outcome: what the interval says of the claim."""

    headline: str
    rest: str = ""
    outcome: Outcome = UNMEASURED

    @property
    def text(self) -> str:
        """The verdict as plain text."""
        return f"{self.headline} {self.rest}".strip().replace("`", "")


def of_classes(report: Evaluation | CalibrationReport) -> Headline:
    """Whether the model tells the classes better than chance."""
    auroc = report.auroc if isinstance(report, CalibrationReport) else report.auroc_within_folds
    outcome = above(auroc, CHANCE)
    headline = {
        SUPPORTED: "The model tells the classes better than chance.",
        OPPOSED: "The model tells the classes worse than chance.",
        OPEN: "Whether the model tells the classes better than chance cannot be told.",
        UNMEASURED: "Does the model tell the classes better than chance?",
    }[outcome]
    if auroc is None:
        alone = isinstance(report, Evaluation) and "accuracy" in report.metrics and "auroc" not in report.metrics
        return Headline(headline, CLASSES_ALONE if alone else OLDER)
    return Headline(headline, f"AUROC among the windows of a fold: {interval(auroc, '.2f')}; chance is 0.50.", outcome)


def of_majority(evaluation: Evaluation) -> Headline:
    """Whether the accuracy is above that of always predicting the most frequent class."""
    accuracy, majority = (evaluation.metrics.get("accuracy") or {}), evaluation.majority.get("accuracy")
    gap, outcome = evaluation.over_majority, above(evaluation.over_majority)
    headline = {
        SUPPORTED: "It is better than the most frequent class.",
        OPPOSED: "It is worse than always predicting the most frequent class.",
        OPEN: "Whether it is better than the most frequent class cannot be told.",
        UNMEASURED: "Is it better than the most frequent class?",
    }[outcome]
    rest = "" if majority is None else f"Accuracy {_mean(accuracy):.3f}, and {majority:.3f} for always predicting it"
    if gap is None:
        return Headline(headline, f"{rest}. {OLDER}".lstrip(". "))
    return Headline(headline, f"{rest}: difference {interval(gap, '+.3f')}.", outcome)


def _mean(spread: object) -> float:
    value = spread.get("mean") if isinstance(spread, dict) else getattr(spread, "mean", None)
    return float("nan") if value is None else float(value)


def of_pointers(evaluation: Evaluation) -> Headline:
    """Whether the pointers beat those of always predicting the training windows' median; of center and length, the worse counts."""
    gains = evaluation.pointer_gains
    if not gains:
        return Headline("Do the pointers beat a constant pointer?", OLDER)
    outcomes = {name: of_pointer(name, gain) for name, gain in gains.items()}
    rest = "; ".join(
        f"the error of the {name} is smaller by {interval(gain, '.1f')} bars" for name, gain in gains.items()
    )
    rest = f"{rest[0].upper()}{rest[1:]}."
    failing = {
        "center": "The predicted center does not beat a constant one by one bar.",
        "length": "The predicted length is worse than a constant one.",
    }
    sentences = [failing[name] for name, outcome in outcomes.items() if outcome == OPPOSED]
    unsure = " and ".join(name for name, outcome in outcomes.items() if outcome == OPEN)
    sentences += [f"Whether the predicted {unsure} beats a constant one cannot be told."] if unsure else []
    if not sentences:
        return Headline("The pointers beat a constant pointer.", rest, SUPPORTED)
    return Headline(" ".join(sentences), rest, OPPOSED if OPPOSED in outcomes.values() else OPEN)


def of_confidence(pointing: Pointing) -> Headline:
    """Whether centers lie within 3 bars as often as the model states."""
    excess, rows = pointing.excess, pointing.confidence
    if not rows:
        return Headline("", "The model states no probability that its expansion is right.")
    if excess is None:
        return Headline("Whether the stated probabilities of the expansion come true cannot be told.", ONE_GROUP, OPEN)
    stated, hit_rate = (mean(getattr(row, name) for row in rows) for name in ("stated", "hit_rate"))
    errors = [row.error for row in rows]
    error, low, high, null = (
        median(getattr(one, name) for one in errors) for name in ("value", "low", "high", "null_95")
    )
    rest = (
        f"{hit_rate:.0%} of the centers lie within 3 bars, and {stated:.0%} are stated: difference {interval(excess, '+.3f')}. "
        f"Calibration error {interval(Interval(error, low, high), '.3f')}; 95% of calibrated models have one below {null:.3f}."
    )
    if excess.low > 0 or excess.high < 0:
        way = "overconfident" if excess.low > 0 else "underconfident"
        return Headline(f"The stated probabilities of the expansion are {way}.", rest, OPPOSED)
    least = min(row.p_value for row in rows)
    if least * len(rows) < SIGNIFICANT:  # Holm's first step, over the repeats
        rest += f" Smallest p-value over the repeats: {probability(least)}."
        return Headline("The stated probabilities of the expansion do not come true in every bin.", rest, OPPOSED)
    if high < CALIBRATED and median(row.p_value for row in rows) >= SIGNIFICANT:
        return Headline("The stated probabilities of the expansion come true.", rest, SUPPORTED)
    return Headline("Whether the stated probabilities of the expansion come true cannot be told.", rest, OPEN)


def of_label_noise(counts: Mapping[str, Any], assumed: bool = False) -> Headline:
    """How the fits read the labelled expansions; empty where they did not. assumed: the settings gave it, and no label was asked."""
    noise = counts.get("label_noise")
    if not noise or assumed:
        return Headline("")
    scatter, misplaced = sorted(noise["scatter_bars"]), sorted(100 * share for share in noise["misplaced_frac"])
    headline = (
        f"The labelled ends scatter by about {median(scatter):.2g} bars; about {median(misplaced):.2g}% lie elsewhere."
    )
    rest = f"Estimated by {len(scatter)} fits from training windows that they held out: {_range(scatter)} bars, {_range(misplaced)}%."
    return Headline(headline, rest)


def _range(values: Sequence[float]) -> str:
    """Sorted values as `0.2`, or `0.2 to 1.5`."""
    low, high = f"{values[0]:.2g}", f"{values[-1]:.2g}"
    return low if low == high else f"{low} to {high}"


def of_calibration(report: CalibrationReport) -> Headline:
    """Whether the probabilities are well calibrated: the model beats chance, and they come true."""
    error, excess = report.repeats[0].errors[0], report.excess
    ece = Interval(error.value, error.low, error.high)
    if report.auroc is None or excess is None:
        return Headline("Are the probabilities well calibrated?", OLDER)
    rest = f"Calibration error {interval(ece, '.3f')}; Brier score less what the probabilities imply: {interval(excess, '+.3f')}."
    if excess.low > 0 or excess.high < 0:
        way = "overconfident" if excess.low > 0 else "underconfident"
        return Headline(f"The probabilities are {way}.", rest, OPPOSED)
    if above(report.auroc, CHANCE) != SUPPORTED:
        return Headline(
            "Whether the probabilities can be used cannot be told.", f"{of_classes(report).text} {rest}", OPEN
        )
    if ece.high < CALIBRATED:
        return Headline("The probabilities are well calibrated.", rest, SUPPORTED)
    return Headline(
        "Whether the probabilities are well calibrated cannot be told.",
        f"No miscalibration shows, but an error above {CALIBRATED:g} is not excluded. {rest}",
        OPEN,
    )


def of_recalibration(report: CalibrationReport) -> Headline:
    """Which recalibration to use, if one surely lowers the log loss; none is offered of a model that is not shown to beat chance."""
    if report.auroc is None or not report.gains:
        return Headline("Would a recalibration help?", OLDER)
    if above(report.auroc, CHANCE) != SUPPORTED:
        return Headline(
            "No recalibration is offered.",
            f"{of_classes(report).text} A map fitted to such a model only hides that it does not know.",
            above(report.auroc, CHANCE),
        )
    outcomes = {method: above(gain) for method, gain in report.gains.items()}
    rest = "; ".join(f"{method} {interval(gain, '+.3f')}" for method, gain in report.gains.items())
    rest = f"Log loss lowered by: {rest} (together at 95%)."
    helping = next((method for method, outcome in outcomes.items() if outcome == SUPPORTED), None)
    if helping is not None:
        return Headline(f"Recalibrate with {helping}.", rest, SUPPORTED)
    if set(outcomes.values()) == {OPPOSED}:
        return Headline("Leave the probabilities as they are: every recalibration makes them worse.", rest, OPPOSED)
    return Headline(
        "Whether a recalibration helps cannot be told.", f"Leave the probabilities as they are. {rest}", OPEN
    )


def of_pretraining(result: PretrainReport) -> Headline:
    """Whether pre-training learned its own task; whether the labels can be read from it is another question (`of_probe`)."""
    if result.masked_mae is None:
        return _of_measures(result.measures)
    if result.covered_mae is not None and result.covered_mae > 1.5 * result.masked_mae:
        return Headline(
            "The target was visible.",
            f"With the hidden bars covered the error is {result.covered_mae:.3f}, not {result.masked_mae:.3f}: the network copied its input.",
            OPPOSED,
        )
    outcome = above(result.gain)
    headline = {
        SUPPORTED: "It learned to rebuild hidden bars.",
        OPPOSED: "It learned nothing that the feature mean or the last visible bar does not know.",
        OPEN: "Whether it learned to rebuild hidden bars cannot be told.",
        UNMEASURED: "Did it learn to rebuild hidden bars?",
    }[outcome]
    best = min(result.trivial.values())
    rest = f"Error at hidden bars {result.masked_mae:.3f}, and {best:.3f} of the better of feature mean and last visible bar"
    if result.gain is None:
        return Headline(headline, f"{rest}. {OLDER}")
    return Headline(headline, f"{rest}: smaller by {interval(result.gain, '.4f')}.", outcome)


def _of_measures(measures: tuple[Measure, ...]) -> Headline:
    """Of the objectives that are not about hidden bars: supported where every figure is better than without learning."""
    outcomes = [above(measure.gain) for measure in measures]
    if not measures or UNMEASURED in outcomes:
        return Headline("Did it learn its task?", OLDER)
    rest = "; ".join(f"{m.name} better by {interval(m.gain, '.3f')}" for m in measures if m.gain is not None)
    rest = f"{rest[0].upper()}{rest[1:]}."
    if set(outcomes) == {SUPPORTED}:
        return Headline("It learned its task.", f"Every figure is better than without learning. {rest}", SUPPORTED)
    if SUPPORTED not in outcomes and OPPOSED in outcomes:
        return Headline("It did not learn its task.", rest, OPPOSED)
    return Headline("Whether it learned its task cannot be told.", rest, OPEN)


def of_probe(probe: Probe, used: str = "pre-trained", against: str = "random weights") -> Headline:
    """Whether pre-training made the labels easier to read: more than from random weights, and more than by chance."""
    scores = {score.representation: score.interval for score in probe.scores}
    gap = next((row.gap for row in probe.gaps or () if (row.representation, row.against) == (used, against)), None)
    own = scores.get(used)
    if gap is None or own is None:
        return Headline("Did pre-training make the labels easier to read?", OLDER)
    rest = f"AUROC of a linear probe {interval(own, '.2f')}; less that on {against}, on the same windows: {interval(gap, '+.2f')}."
    if above(gap) == OPPOSED:
        headline = f"Pre-training made the labels harder to read than {against} leave them."
        return Headline(headline, f"{rest} Do not freeze this encoder.", OPPOSED)
    if above(gap) == SUPPORTED and above(own, CHANCE) == SUPPORTED:
        return Headline(f"Pre-training made the labels easier to read than {against} leave them.", rest, SUPPORTED)
    headline = "Whether pre-training made the labels easier to read cannot be told."
    if above(own, CHANCE) != SUPPORTED:
        rest += " It is not shown that they can be read from the encoder at all."
    return Headline(headline, rest, OPEN)


def of_balance(balance: Balance) -> Headline:
    """Whether one task gets almost no gradient. It is a fact of the steps that were taken, and needs no interval."""
    if not balance.shared_parameters:
        return Headline(
            "", "The tasks share no trained parameter: neither σ nor PCGrad can change what one does to the other."
        )
    if balance.gradient_ratio is None:
        return Headline(
            "", "The tasks' gradients were not measured, so it cannot be told whether one of them gets almost none."
        )
    if balance.gradient_ratio < STARVED:
        return Headline(
            "The pointer task gets almost no gradient.",
            f"Its gradient is {balance.gradient_ratio:.1%} of the class's where both train the same parameters. "
            "Try `loss.weighting=equal`, or a fixed `loss.lambda_pointer` of 10 or more.",
            SUPPORTED,
        )
    if balance.gradient_ratio > 1 / STARVED:
        return Headline(
            "The class task gets almost no gradient.",
            f"The pointer's gradient is {balance.gradient_ratio:.0f} times as large on the shared parameters.",
            SUPPORTED,
        )
    return Headline("", "Neither task dominates the gradient on the shared parameters.", OPPOSED)


def of_expectation(row: Expectation) -> Headline:
    """Whether a feature goes with a class as the researcher expects: yes, no, or that it cannot be told."""
    if row.actual is None:
        return Headline("cannot be judged", "The feature or the class does not occur.")
    if row.low is None or row.high is None or row.least is None:
        return Headline("not measured", f"r = {row.actual:.3f}. {OLDER}")
    correlation = Interval(row.actual, row.low, row.high)
    outcome = above(correlation, row.least)
    headline = {SUPPORTED: "yes", OPPOSED: "no", OPEN: "cannot be told"}[outcome]
    return Headline(headline, f"r = {interval(correlation, '.3f')}", outcome)


def of_domain(domain: Domain) -> Headline:
    """Whether the labelled windows can be told from the other bars."""
    curated = "Curated windows should differ somewhat: this is evidence, not a verdict."
    null = f"without a difference it lies from {domain.null_low:.2f} to {domain.null_high:.2f}"
    rest = f"{interval(domain.interval, '.2f') if domain.interval else f'{domain.auc:.2f}'}; {null}"
    if domain.auc > domain.null_high and above(domain.interval, CHANCE) in (SUPPORTED, UNMEASURED):
        headline = "The labelled windows can be told from the other bars."
        return Headline(
            headline, f"AUROC {rest}. Pre-training sees other bars than fine-tuning does. {curated}", SUPPORTED
        )
    if domain.interval is not None and domain.interval.high < ALIKE:
        return Headline("The labelled windows can hardly be told from the other bars.", f"AUROC {rest}.", OPPOSED)
    return Headline("Whether the labelled windows differ from the other bars cannot be told.", f"AUROC {rest}.", OPEN)


def of_rank(ranking: tuple[Rank, ...], output: str, group: str, evaluation: Evaluation | None) -> Headline:
    """Whether the group is among the first in the ranking, as expected; nothing is read off a model that is not shown to beat chance."""
    rows = [row for row in ranking if row.output == output]
    own = next((row for row in rows if row.group == group), None)
    if own is None:
        return Headline("")
    headline = f"{group} was expected high:"
    if evaluation is None or evaluation.auroc_within_folds is None:
        return Headline(headline, f"number {own.rank} of {len(rows)}. Whether the model beats chance was not measured.")
    if above(evaluation.auroc_within_folds, CHANCE) != SUPPORTED:
        return Headline(
            headline, f"it cannot be told. {of_classes(evaluation).text} Its ranking is not reliable.", OPEN
        )
    ranks = sorted(1 + sum(other.by_fit[k] > value for other in rows) for k, value in enumerate(own.by_fit))
    off = len(ranks) // 40  # 2.5% of the fits on either side
    low, high = ranks[off], ranks[-1 - off]
    rest = f"number {own.rank} of {len(rows)}, and {low} to {high} in 95% of the fits"
    if high <= HIGH_RANK:
        return Headline(headline, f"{rest}, as expected.", SUPPORTED)
    if low > HIGH_RANK:
        return Headline(headline, f"{rest}, not as expected.", OPPOSED)
    return Headline(headline, f"{rest}: it cannot be told.", OPEN)
