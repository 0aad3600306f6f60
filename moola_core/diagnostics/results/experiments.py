"""What the doctor tried within a budget: a run fitted again with one thing changed, next to the run as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moola_core.diagnostics.results.interval import Interval


@dataclass(frozen=True)
class MetricGain:
    """What a metric gains over the run as it is, on the same windows and folds; positive is better.

    metric: a metric's name; own, other: its values; interval: of the gain, at 98.75%, since two metrics are looked at, each more than once;
    of a repair of the data at 99.4%, since up to four are tried.
    """

    metric: str
    own: float
    other: float
    interval: Interval


@dataclass(frozen=True)
class UsualScore:
    """A metric of a fit, and where nearly all healthy fits of the same settings to the same windows have it."""

    metric: str
    value: float
    usual: Interval


@dataclass(frozen=True)
class Experiment:
    """One fitting of the run with something changed.

    title: what was changed, in words; where: the windows, empty for the run's own; changes: settings that were set back, {name: [of the run, set to]}; run_id; gains: over the run as it is, empty where
    the windows are others; auroc: how well it ranks its own windows, None without classes; why_not: why it could not be fitted; mended:
    of a repair of the data, the windows that it concerns; file: the mended copy of the labels; usual: where 99% of healthy fits of these
    settings to these windows have their AUROC, with its mean, None where that is not known; pointers: errors of the pointers next to the same.
    """

    title: str
    changes: dict[str, list[Any]]
    run_id: str
    gains: tuple[MetricGain, ...] = ()
    auroc: Interval | None = None
    why_not: str = ""
    where: str = ""
    mended: tuple[str, ...] = ()
    file: str = ""
    usual: Interval | None = None
    pointers: tuple[UsualScore, ...] | None = None


@dataclass(frozen=True)
class Experiments:
    """Paired experiments on one run.

    reference: the preset that its settings were compared with; departures: {setting: [of the run, of the reference]}; culprits: the
    settings that, set back alone, restore most of what the reference gains; restored: the share of it; alone: what settings restore that were set back each by itself, the
    most first, where others than the culprits were tried too; where two restore as much, both are culprits; metric, where: by which metric,
    and on which windows, empty for the run's own; seconds:
    of fitting; budget_s; repair: the title of the experiment that mended the data, where the score surely gains by it; untried: what there was no time for; conclusion: in a sentence or two.
    """

    reference: str
    departures: dict[str, list[Any]]
    tried: tuple[Experiment, ...]
    culprits: tuple[str, ...]
    restored: float | None
    metric: str
    seconds: float
    budget_s: float
    untried: tuple[str, ...]
    conclusion: str
    where: str = ""
    repair: str = ""
    alone: dict[str, float] | None = None
