"""What experiments on a run show, in words that rest on their intervals."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from moola_core.diagnostics.doctor import known_market
from moola_core.diagnostics.results.experiments import Experiment, Experiments, MetricGain, UsualScore
from moola_core.diagnostics.results.interval import Interval
from moola_core.metrics import METRICS, better

CHANCE = 0.5
BY_HEART = 0.9  # AUROC of windows that were trained on: below it the model does not fit even what it is shown
HEART, MARKET, MENDED, SHUFFLED = "copies of each", "a demo market", "a mended copy", "labels in random order"
JOIN = " and "  # between settings that are set back together, where they are one key
SURER = 2.576 / 1.960  # how much wider an interval of 99% is than one of 95%


def decided_gain(experiment: Experiment | None) -> MetricGain | None:
    """The metric that surely gains, the surest first; None where none does or nothing was fitted."""
    gains = [one for one in (experiment.gains if experiment else ()) if one.interval.low > 0]
    return max(gains, key=lambda one: one.interval.low / (one.interval.high - one.interval.low), default=None)


def words(gain: MetricGain) -> str:
    """The metric with its values and how far it gains."""
    metric = METRICS[gain.metric]
    unit = " bars" if metric.unit == "bars" else ""
    low, high = gain.interval.low, gain.interval.high
    return f"{metric.title} {gain.own:.2f} → {gain.other:.2f}{unit}, better by {gain.interval.value:.2f} ({low:.2f} to {high:.2f})"


def experiment_at(result: Experiments, where: str) -> Experiment | None:
    """The run's own settings fitted to these windows."""
    own = [one for one in result.tried if one.usual is None and not one.why_not and not one.changes]
    fitted = [one for one in own if one.where.endswith(where)]
    return fitted[0] if where and fitted else None


def gain_of(result: Experiments, names: Collection[str]) -> MetricGain | None:
    """What setting back these settings and no others gains in the metric that decided, as last fitted."""
    own = [one for one in result.tried if set(one.changes) == set(names) and one.where == result.where]
    return next((gain for one in reversed(own) for gain in one.gains if gain.metric == result.metric), None)


def forgets(result: Experiments) -> bool:
    """Whether the model surely fails to learn by heart the few windows that it is shown."""
    heart = experiment_at(result, HEART)
    return heart is not None and heart.auroc is not None and heart.auroc.high < BY_HEART


class Unsound(NamedTuple):
    """A fit of known settings to known windows, and a score of it that healthy fits do not have."""

    fit: Experiment
    score: UsualScore


def unsound(result: Experiments) -> Unsound | None:
    """The fit of known settings to known windows, where it is worse than nearly all healthy ones (99.5%, in its pointers 99.9%); None else."""
    scores = [(one, score) for one in result.tried for score in next_to_usual(one)]
    return next((Unsound(one, score) for one, score in scores if shortfall(score).low > 0), None)


def next_to_usual(fit: Experiment) -> tuple[UsualScore, ...]:
    """The scores of a fit of which it is known what is usual: the ranking first, then the pointers."""
    own = () if fit.usual is None or fit.auroc is None else (UsualScore("auroc", fit.auroc.value, fit.usual),)
    return (*own, *(fit.pointers or ()))


def shortfall(score: UsualScore) -> Interval:
    """By how much the score is worse than those of healthy fits."""
    sign, usual = (1 if better(score.metric) == "higher" else -1), score.usual
    ends = sorted(sign * (end - score.value) for end in (usual.low, usual.high))
    return Interval(sign * (usual.value - score.value), *ends)


def told_at_random(result: Experiments) -> Interval | None:
    """The AUROC of labels in random order with a range of 99%, where that is above chance; None else."""
    shuffled = experiment_at(result, SHUFFLED)
    return None if shuffled is None else surely_told(shuffled)


def surely_told(shuffled: Experiment) -> Interval | None:
    """The AUROC of a fit to labels in random order with a range of 99%, where that is above chance; None else."""
    own = shuffled.auroc
    if own is None:
        return None
    surer = Interval(
        own.value, own.value - SURER * (own.value - own.low), min(own.value + SURER * (own.high - own.value), 1.0)
    )
    return surer if surer.low > CHANCE else None


def sentence(result: Experiments) -> str:
    """The conclusion."""
    if result.culprits:
        return _of_settings(result)
    if result.repair:
        return _of_repair(repair_of(result))
    worse, leaked = unsound(result), told_at_random(result)
    if worse is not None:
        return _of_known_settings(worse)
    if leaked is not None:
        return _of_shuffled(leaked)
    every = next(
        (one for one in reversed(result.tried) if set(one.changes) == set(result.departures) and not one.where), None
    )
    if not result.departures:
        first = f"Its settings are those of {result.reference}."
    elif every is None:
        first = f"There was no time to fit it with the settings of {result.reference}."
    elif every.why_not:
        first = f"With the settings of {result.reference} it could not be fitted: {every.why_not}"
    else:
        changes = "; ".join(words(one).replace("better by", "a change of") for one in every.gains)
        first = (
            f"With the settings of {result.reference} it is not shown to be better ({changes or 'no score in common'})."
        )
    return " ".join([first, *_of_other_windows(result)])


def repair_of(result: Experiments) -> Experiment:
    """The experiment that mended the data."""
    return next(one for one in result.tried if one.file and one.title == result.repair)


def _of_repair(tried: Experiment) -> str:
    """What the score gains on mended data, and where that is; the user's own file is as it was."""
    gains = "; ".join(words(gain) for gain in tried.gains if gain.interval.low > 0)
    return (
        f"Fitted to a copy of the labels that was mended ({tried.title}; {len(tried.mended)} windows), on the windows that both have: {gains}. "
        f"The copy is {tried.file}; your own file is not changed."
    )


def _of_known_settings(worse: Unsound) -> str:
    """What known settings do on known windows next to what they usually do."""
    metric, usual = METRICS[worse.score.metric], worse.score.usual
    unit = " bars" if metric.unit == "bars" else ""
    name = metric.title if metric.title.isupper() else metric.title.lower()
    return (
        f"On {worse.fit.where} with {worse.fit.title} the {name} is {worse.score.value:.2f}{unit}; {known_market.LEVELS[metric.name]:.1%} of healthy fits of the same have "
        f"{usual.low:.2f} to {usual.high:.2f}. Neither your data nor your settings take part in that."
    )


def _of_shuffled(leaked: Interval) -> str:
    """What it means that labels in random order are told."""
    return (
        f"Trained on {SHUFFLED}, which nothing can tell, it still ranks the tested windows by them: AUROC {leaked.value:.2f} "
        f"(99%: {leaked.low:.2f} to {leaked.high:.2f}). Labels of tested windows reach the training."
    )


def equals(result: Experiments) -> bool:
    """Whether the culprits are several of which each restores as much alone."""
    groups = [group for group in result.alone or {} if set(group.split(JOIN)) <= set(result.culprits)]
    return len(groups) > 1


def _change_of(result: Experiments, name: str) -> str:
    return f"{name} ({result.departures[name][0]} → {result.departures[name][1]})"


def _of_settings(result: Experiments) -> str:
    """What the reference's settings gain together, and which of them does it."""
    together, alone = gain_of(result, result.departures), gain_of(result, result.culprits)
    place = f"On {result.where}, w" if result.where else "W"
    text = f"{place}ith the settings of {result.reference}: {words(together)}." if together else ""
    names = " and ".join(_change_of(result, name) for name in result.culprits)
    if equals(result):
        each = "; ".join(
            f"{' and '.join(_change_of(result, name) for name in group.split(JOIN))} {share:.0%}"
            for group, share in (result.alone or {}).items()
            if set(group.split(JOIN)) <= set(result.culprits)
        )
        return f"{text} Several settings restore much the same of it, each alone: {each}. Which of them it is these windows do not tell."
    if len(result.culprits) == len(result.departures):
        return f"{text} They differ in {names}."
    text += f" Of the {len(result.departures)} that differ, {names} alone restores {result.restored:.0%} of it"
    if alone is not None and alone.interval.low <= 0:
        text += f", which is not sure by itself ({alone.interval.low:.2f} to {alone.interval.high:.2f})"
    return f"{text}. There was no time to narrow it down further." if result.untried else f"{text}."


def _of_other_windows(result: Experiments) -> list[str]:
    """What the run's settings do on windows that can be learned by heart, and on a market whose pattern is known."""
    texts = []
    heart, market = experiment_at(result, HEART), experiment_at(result, MARKET)
    if heart is not None and heart.auroc is not None:
        text = f"Trained and tested on {heart.title}, it ranks the classes with AUROC {heart.auroc.value:.2f}"
        texts.append(text + (": it does not even fit what it is shown." if forgets(result) else "."))
    if market is not None and market.auroc is not None:
        texts.append(
            f"On a demo market the same settings have AUROC {market.auroc.value:.2f} ({market.auroc.low:.2f} to {market.auroc.high:.2f})."
        )
    return texts
