"""What a result says in a sentence or two, on pages, in reports and on the command line alike.

One function under `@judges` for each kind of sentence. Whether a claim is supported, opposed or cannot be told is decided by its interval
and its threshold, and the sentence says which; a result of an older version, which has no interval, is said to be unmeasured. A
`Headline` that judges without a decided claim cannot be made, so no sentence says more than its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median

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
from moola_core.diagnostics.results.interval import (
    OPEN,
    OPPOSED,
    SUPPORTED,
    UNMEASURED,
    Claim,
    beats_constant,
    exactly,
)
from moola_core.metrics import METRICS
from moola_core.runs.facts import ReadLabels
from moola_core.sections.formatting import interval, probability
from moola_core.sections.headline import Headline, judges

EXPOSED = 1.5  # error at surely covered bars over that as trained: beyond it the target was visible
STARVED = 0.1  # share of the other task's gradient that counts as almost none
CHANCE = 0.5
CALIBRATED = METRICS["ece"].high or 0.0
ALIKE = 0.6  # AUROC below which windows can hardly be told apart
HIGH_RANK = 4
SIGNIFICANT = 0.05
NO_PAIRS = "Each fold holds windows of one class alone, so there is no AUROC within folds. Read accuracy and macro F1."
ONE_GROUP = "All windows share bars, so there is no interval."
OLDER = "It was not measured: the result is of a version that did not store the interval. Compute it again to have it."
CLASSES_ALONE = "Only classes are predicted, and AUROC needs probabilities."


def beats_chance(auroc: Interval | None) -> Claim:
    """That the model tells the classes better than chance."""
    return Claim("AUROC among the windows of a fold", auroc, CHANCE)


@judges
def of_classes(report: Evaluation | CalibrationReport) -> Headline:
    """Whether the model tells the classes better than chance."""
    auroc = report.auroc if isinstance(report, CalibrationReport) else report.auroc_within_folds
    claim = beats_chance(auroc)
    headline = {
        SUPPORTED: "The model tells the classes better than chance.",
        OPPOSED: "The model tells the classes worse than chance.",
        OPEN: "Whether the model tells the classes better than chance cannot be told.",
        UNMEASURED: "Does the model tell the classes better than chance?",
    }[claim.outcome]
    if auroc is None:
        if isinstance(report, Evaluation) and "accuracy" in report.metrics and "auroc" not in report.metrics:
            return Headline(headline, CLASSES_ALONE)
        newer = report.excess if isinstance(report, CalibrationReport) else report.sampled
        return Headline(headline, OLDER if newer is None else NO_PAIRS)
    rest = f"AUROC among the windows of a fold: {interval(auroc, '.2f')}; chance is 0.50."
    return Headline(headline, rest, claim.outcome, (claim,))


@judges
def of_majority(evaluation: Evaluation) -> Headline:
    """Whether the accuracy is above that of always predicting the most frequent class."""
    accuracy, majority = (evaluation.metrics.get("accuracy") or {}), evaluation.majority.get("accuracy")
    gap = evaluation.over_majority
    claim = Claim("accuracy less that of the most frequent class", gap)
    headline = {
        SUPPORTED: "It is better than the most frequent class.",
        OPPOSED: "It is worse than always predicting the most frequent class.",
        OPEN: "Whether it is better than the most frequent class cannot be told.",
        UNMEASURED: "Is it better than the most frequent class?",
    }[claim.outcome]
    rest = "" if majority is None else f"Accuracy {_mean(accuracy):.3f}, and {majority:.3f} for always predicting it"
    if gap is None:
        return Headline(headline, f"{rest}. {OLDER}".lstrip(". "))
    return Headline(headline, f"{rest}: difference {interval(gap, '+.3f')}.", claim.outcome, (claim,))


def _mean(spread: object) -> float:
    value = spread.get("mean") if isinstance(spread, dict) else getattr(spread, "mean", None)
    return float("nan") if value is None else float(value)


@judges
def of_pointers(evaluation: Evaluation) -> Headline:
    """Whether the pointers beat those of always predicting the training windows' median; of center and length, the worse counts."""
    gains = evaluation.pointer_gains
    if not gains:
        return Headline("Do the pointers beat a constant pointer?", OLDER)
    claims = {name: beats_constant(name, gain) for name, gain in gains.items()}
    outcomes = {name: claim.outcome for name, claim in claims.items()}
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
        return Headline("The pointers beat a constant pointer.", rest, SUPPORTED, tuple(claims.values()))
    outcome = OPPOSED if OPPOSED in outcomes.values() else OPEN
    return Headline(" ".join(sentences), rest, outcome, tuple(claims.values()))


@judges
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
    claims: tuple[Claim, ...] = (
        Claim("stated probability less the share of centers within 3 bars", excess),
        Claim("calibration error of the stated probabilities", Interval(error, low, high), CALIBRATED),
    )
    if claims[0].outcome != OPEN:
        way = "overconfident" if claims[0].outcome == SUPPORTED else "underconfident"
        return Headline(f"The stated probabilities of the expansion are {way}.", rest, OPPOSED, claims)
    least = min(row.p_value for row in rows) * len(rows)  # Holm's first step, over the repeats
    if least < SIGNIFICANT:
        rest += f" Smallest p-value over the repeats: {probability(least / len(rows))}."
        claims += (exactly("smallest p-value over the repeats, times their number", least, SIGNIFICANT),)
        return Headline(
            "The stated probabilities of the expansion do not come true in every bin.", rest, OPPOSED, claims
        )
    if claims[1].outcome == OPPOSED and median(row.p_value for row in rows) >= SIGNIFICANT:
        return Headline("The stated probabilities of the expansion come true.", rest, SUPPORTED, claims)
    return Headline("Whether the stated probabilities of the expansion come true cannot be told.", rest, OPEN, claims)


def of_label_noise(noise: ReadLabels | None, assumed: bool = False) -> Headline:
    """How the fits read the labelled expansions; empty where they did not. assumed: the settings gave it, and no label was asked."""
    if noise is None or assumed:
        return Headline("")
    scatter, misplaced = sorted(noise.scatter_bars), sorted(100 * share for share in noise.misplaced_frac)
    headline = (
        f"The labelled ends scatter by about {median(scatter):.2g} bars; about {median(misplaced):.2g}% lie elsewhere."
    )
    rest = f"Estimated by {len(scatter)} fits from training windows that they held out: {_range(scatter)} bars, {_range(misplaced)}%."
    return Headline(headline, rest)


def _range(values: Sequence[float]) -> str:
    """Sorted values as `0.2`, or `0.2 to 1.5`."""
    low, high = f"{values[0]:.2g}", f"{values[-1]:.2g}"
    return low if low == high else f"{low} to {high}"


def ece_of(report: CalibrationReport) -> Interval:
    """The one ECE of a run, as its metrics show it: the mean over the repeats, and of their intervals the mean ends."""
    errors = [one.errors[0] for one in report.repeats]
    return Interval(*(mean(getattr(error, name) for error in errors) for name in ("value", "low", "high")))


@judges
def of_calibration(report: CalibrationReport) -> Headline:
    """Whether the probabilities are well calibrated: the model beats chance, and they come true."""
    ece, excess = ece_of(report), report.excess
    if excess is None:
        return Headline("Are the probabilities well calibrated?", OLDER)
    rest = f"Calibration error {interval(ece, '.3f')}; Brier score less what the probabilities imply: {interval(excess, '+.3f')}."
    claims = (
        Claim("Brier score less what the probabilities imply", excess),
        beats_chance(report.auroc),
        Claim("calibration error (ECE)", ece, CALIBRATED),
    )
    if claims[0].outcome != OPEN:
        way = "overconfident" if claims[0].outcome == SUPPORTED else "underconfident"
        return Headline(f"The probabilities are {way}.", rest, OPPOSED, claims)
    if claims[1].outcome != SUPPORTED:
        rest = f"{of_classes(report).text} {rest}"
        return Headline("Whether the probabilities can be used cannot be told.", rest, OPEN, claims)
    if claims[2].outcome == OPPOSED:
        return Headline("The probabilities are well calibrated.", rest, SUPPORTED, claims)
    rest = f"No miscalibration shows, but an error above {CALIBRATED:g} is not excluded. {rest}"
    return Headline("Whether the probabilities are well calibrated cannot be told.", rest, OPEN, claims)


@judges
def of_recalibration(report: CalibrationReport) -> Headline:
    """Which recalibration to use, if one surely lowers the log loss; none is offered of a model that is not shown to beat chance."""
    if report.excess is None or not report.gains:
        return Headline("Would a recalibration help?", OLDER)
    known = beats_chance(report.auroc)
    if known.outcome != SUPPORTED:
        rest = f"{of_classes(report).text} A map fitted to such a model only hides that it does not know."
        return Headline("No recalibration is offered.", rest, known.outcome, (known,))
    claims = {method: Claim(f"log loss lowered by {method}", gain) for method, gain in report.gains.items()}
    outcomes, all_claims = {method: claim.outcome for method, claim in claims.items()}, (known, *claims.values())
    rest = "; ".join(f"{method} {interval(gain, '+.3f')}" for method, gain in report.gains.items())
    rest = f"Log loss lowered by: {rest} (together at 95%)."
    helping = next((method for method, outcome in outcomes.items() if outcome == SUPPORTED), None)
    if helping is not None:
        return Headline(f"Recalibrate with {helping}.", rest, SUPPORTED, all_claims)
    if set(outcomes.values()) == {OPPOSED}:
        headline = "Leave the probabilities as they are: every recalibration makes them worse."
        return Headline(headline, rest, OPPOSED, all_claims)
    rest = f"Leave the probabilities as they are. {rest}"
    return Headline("Whether a recalibration helps cannot be told.", rest, OPEN, all_claims)


@judges
def of_pretraining(result: PretrainReport) -> Headline:
    """Whether pre-training learned its own task; whether the labels can be read from it is another question (`of_probe`)."""
    if result.masked_mae is None:
        return _of_measures(result.measures)
    if result.masked_input_mae is not None and result.masked_input_mae > EXPOSED * result.masked_mae:
        return Headline(
            "The target was visible.",
            f"With the hidden bars covered the error is {result.masked_input_mae:.3f}, not {result.masked_mae:.3f}: the network copied its input.",
            OPPOSED,
            (exactly("error with covered bars", result.masked_input_mae, EXPOSED * result.masked_mae),),
        )
    claim = Claim("error of the better trivial predictor less that at hidden bars", result.gain)
    headline = {
        SUPPORTED: "It learned to rebuild hidden bars.",
        OPPOSED: "It learned nothing that the feature mean or the last visible bar does not know.",
        OPEN: "Whether it learned to rebuild hidden bars cannot be told.",
        UNMEASURED: "Did it learn to rebuild hidden bars?",
    }[claim.outcome]
    best = min(result.trivial.values())
    rest = f"Error at hidden bars {result.masked_mae:.3f}, and {best:.3f} of the better of feature mean and last visible bar"
    if result.gain is None:
        return Headline(headline, f"{rest}. {OLDER}")
    return Headline(headline, f"{rest}: smaller by {interval(result.gain, '.4f')}.", claim.outcome, (claim,))


def _of_measures(measures: tuple[Measure, ...]) -> Headline:
    """Of the objectives that are not about hidden bars: supported where every figure is better than without learning."""
    claims = tuple(Claim(measure.name, measure.gain) for measure in measures)
    outcomes = {claim.outcome for claim in claims}
    if not measures or UNMEASURED in outcomes:
        return Headline("Did it learn its task?", OLDER)
    rest = "; ".join(f"{m.name} better by {interval(m.gain, '.3f')}" for m in measures if m.gain is not None)
    rest = f"{rest[0].upper()}{rest[1:]}."
    if outcomes == {SUPPORTED}:
        rest = f"Every figure is better than without learning. {rest}"
        return Headline("It learned its task.", rest, SUPPORTED, claims)
    if SUPPORTED not in outcomes and OPPOSED in outcomes:
        return Headline("It did not learn its task.", rest, OPPOSED, claims)
    return Headline("Whether it learned its task cannot be told.", rest, OPEN, claims)


@judges
def of_probe(probe: Probe, used: str = "pre-trained", against: str = "random weights") -> Headline:
    """Whether pre-training made the labels easier to read: more than from random weights, and more than by chance."""
    scores = {score.representation: score.interval for score in probe.scores}
    gap = next((row.gap for row in probe.gaps or () if (row.representation, row.against) == (used, against)), None)
    own = scores.get(used)
    if gap is None or own is None:
        return Headline("Did pre-training make the labels easier to read?", OLDER)
    rest = f"AUROC of a linear probe {interval(own, '.2f')}; less that on {against}, on the same windows: {interval(gap, '+.2f')}."
    claims = (
        Claim(f"AUROC of a linear probe less that on {against}", gap),
        Claim("AUROC of a linear probe", own, CHANCE),
    )
    more, known = (claim.outcome for claim in claims)
    if more == OPPOSED:
        headline = f"Pre-training made the labels harder to read than {against} leave them."
        return Headline(headline, f"{rest} Do not freeze this encoder.", OPPOSED, claims)
    if more == known == SUPPORTED:
        headline = f"Pre-training made the labels easier to read than {against} leave them."
        return Headline(headline, rest, SUPPORTED, claims)
    headline = "Whether pre-training made the labels easier to read cannot be told."
    if known != SUPPORTED:
        rest += " It is not shown that they can be read from the encoder at all."
    return Headline(headline, rest, OPEN, claims)


@judges
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
    ratio = balance.gradient_ratio
    small, large = (exactly("pointer's gradient over the class's", ratio, than) for than in (STARVED, 1 / STARVED))
    if small.outcome == OPPOSED:
        return Headline(
            "The pointer task gets almost no gradient.",
            f"Its gradient is {ratio:.1%} of the class's where both train the same parameters. "
            "Try `loss.weighting=equal`, or a fixed `loss.pointer_weight` of 10 or more.",
            SUPPORTED,
            (small,),
        )
    if large.outcome == SUPPORTED:
        rest = f"The pointer's gradient is {ratio:.0f} times as large on the shared parameters."
        return Headline("The class task gets almost no gradient.", rest, SUPPORTED, (large,))
    rest = "Neither task dominates the gradient on the shared parameters."
    return Headline("", rest, OPPOSED, (small, large))


@judges
def of_expectation(row: Expectation) -> Headline:
    """Whether a feature goes with a class as the researcher expects: yes, no, or that it cannot be told."""
    if row.actual is None:
        return Headline("cannot be judged", "The feature or the class does not occur.")
    if row.low is None or row.high is None or row.least is None:
        return Headline("not measured", f"r = {row.actual:.3f}. {OLDER}")
    correlation = Interval(row.actual, row.low, row.high)
    claim = Claim("correlation", correlation, row.least)
    headline = {SUPPORTED: "yes", OPPOSED: "no", OPEN: "cannot be told"}[claim.outcome]
    return Headline(headline, f"r = {interval(correlation, '.3f')}", claim.outcome, (claim,))


@judges
def of_domain(domain: Domain) -> Headline:
    """Whether the labelled windows can be told from the other bars."""
    curated = "Curated windows should differ somewhat: this is evidence, not a verdict."
    null = f"without a difference it lies from {domain.null_low:.2f} to {domain.null_high:.2f}"
    rest = f"{interval(domain.interval, '.2f') if domain.interval else f'{domain.auc:.2f}'}; {null}"
    apart, alike = (Claim("AUROC of a classifier", domain.interval, than) for than in (CHANCE, ALIKE))
    beyond = exactly("AUROC of a classifier, against what shuffles give", domain.auc, domain.null_high)
    if beyond.outcome == SUPPORTED and apart.outcome in (SUPPORTED, UNMEASURED):
        headline = "The labelled windows can be told from the other bars."
        rest = f"AUROC {rest}. Pre-training sees other bars than fine-tuning does. {curated}"
        return Headline(headline, rest, SUPPORTED, (beyond, apart))
    if alike.outcome == OPPOSED:
        headline = "The labelled windows can hardly be told from the other bars."
        return Headline(headline, f"AUROC {rest}.", OPPOSED, (alike,))
    headline = "Whether the labelled windows differ from the other bars cannot be told."
    return Headline(headline, f"AUROC {rest}.", OPEN, (apart, alike))


@judges
def of_rank(ranking: tuple[Rank, ...], output: str, group: str, evaluation: Evaluation | None) -> Headline:
    """Whether the group is among the first in the ranking, as expected; nothing is read off a model that is not shown to beat chance."""
    rows = [row for row in ranking if row.output == output]
    own = next((row for row in rows if row.group == group), None)
    if own is None:
        return Headline("")
    headline = f"{group} was expected high:"
    if evaluation is None or evaluation.auroc_within_folds is None:
        return Headline(headline, f"number {own.rank} of {len(rows)}. Whether the model beats chance was not measured.")
    known = beats_chance(evaluation.auroc_within_folds)
    if known.outcome != SUPPORTED:
        rest = f"it cannot be told. {of_classes(evaluation).text} No ranking is read off it."
        return Headline(headline, rest, OPEN, (known,))
    ranks = sorted(1 + sum(other.by_fit[k] > value for other in rows) for k, value in enumerate(own.by_fit))
    off = len(ranks) // 40  # 2.5% of the fits on either side
    low, high = ranks[off], ranks[-1 - off]
    rest = f"number {own.rank} of {len(rows)}, and {low} to {high} in 95% of the fits"
    # Ranks are whole numbers: one at most HIGH_RANK lies below the half step above it.
    claims = (known, Claim("rank over the fits", Interval(own.rank, low, high), HIGH_RANK + 0.5))
    words = {OPPOSED: ", as expected.", SUPPORTED: ", not as expected.", OPEN: ": it cannot be told."}
    outcomes = {OPPOSED: SUPPORTED, SUPPORTED: OPPOSED, OPEN: OPEN}
    return Headline(headline, rest + words[claims[1].outcome], outcomes[claims[1].outcome], claims)
