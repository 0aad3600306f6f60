"""What experiments on a run show, in words that rest on their intervals."""

from __future__ import annotations

from collections.abc import Collection

from moola_core.diagnostics.results.experiments import Experiment, Experiments, MetricGain
from moola_core.diagnostics.results.interval import Interval
from moola_core.metrics import METRICS

CHANCE = 0.5
BY_HEART = 0.9  # AUROC of windows that were trained on: below it the model does not fit even what it is shown
HEART, MARKET, MENDED, SHUFFLED = "copies of each", "a demo market", "a mended copy", "labels in random order"
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


def unsound(result: Experiments) -> Experiment | None:
    """The fit of known settings to known windows, where it is worse than 99.5% of healthy ones; None else."""
    for one in result.tried:
        if one.usual is not None and one.auroc is not None and one.auroc.value < one.usual.low:
            return one
    return None


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


def _of_known_settings(worse: Experiment) -> str:
    """What known settings do on known windows next to what they usually do."""
    assert worse.auroc is not None and worse.usual is not None
    return (
        f"On {worse.where} with {worse.title} the AUROC is {worse.auroc.value:.2f}; 99% of healthy fits of the same have "
        f"{worse.usual.low:.2f} to {worse.usual.high:.2f}. Neither your data nor your settings take part in that."
    )


def _of_shuffled(leaked: Interval) -> str:
    """What it means that labels in random order are told."""
    return (
        f"Trained on {SHUFFLED}, which nothing can tell, it still ranks the tested windows by them: AUROC {leaked.value:.2f} "
        f"(99%: {leaked.low:.2f} to {leaked.high:.2f}). Labels of tested windows reach the training."
    )


def _of_settings(result: Experiments) -> str:
    """What the reference's settings gain together, and which of them does it."""
    together, alone = gain_of(result, result.departures), gain_of(result, result.culprits)
    place = f"On {result.where}, w" if result.where else "W"
    text = f"{place}ith the settings of {result.reference}: {words(together)}." if together else ""
    names = " and ".join(
        f"{name} ({result.departures[name][0]} → {result.departures[name][1]})" for name in result.culprits
    )
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
