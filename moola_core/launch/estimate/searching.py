"""How long the trials of a search take: those of settings that are drawn from its space, which may be far from the first one's."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator
from typing import Any

from moola_core.errors import MoolaError
from moola_core.launch.estimate.evidence import Evidence
from moola_core.launch.estimate.ranges import Seconds
from moola_core.specs import Dimension, Finetune, Search

DRAWN = 16  # trials that stand for all
PRUNED = 0.8  # of the time of whole trials: about what trials take, since some end early
PRUNED_UNSURE = 0.25


def count_of(spec: Search) -> int:
    """The largest number of trials that there can be."""
    return spec.trials if spec.size is None else min(spec.trials, spec.size + 1)


def later_trials(evidence: Evidence, spec: Search, windows: int, count: int) -> Seconds:
    """So many trials after the first."""
    each = [evidence.run(trial, windows)[0] for trial in _drawn(spec)] or [evidence.run(spec.base, windows)[0]]
    mean = statistics.fmean(one.mean for one in each)
    between = statistics.pstdev(one.mean for one in each) / mean
    unsure = statistics.fmean(one.deviation for one in each)
    deviation = math.sqrt(unsure**2 + math.log1p(between**2 / count) + PRUNED_UNSURE**2)
    return Seconds(math.log(PRUNED * count * mean) - deviation**2 / 2, deviation)


def _drawn(spec: Search) -> Iterator[Finetune]:
    """Trials as a search may make them, each setting drawn evenly; the same ones every time."""
    rng = random.Random(spec.seed)
    for _ in range(DRAWN):
        values = {name: _value(rng, one, spec.is_whole(name)) for name, one in spec.space.items()}
        try:
            yield spec.trial(values)
        except MoolaError:  # settings that contradict each other make no trial
            continue


def _value(rng: random.Random, dimension: Dimension, whole: bool) -> Any:
    if dimension.choices is not None:
        return rng.choice(dimension.choices)
    assert dimension.low is not None and dimension.high is not None
    if dimension.step is not None:
        return rng.choice(dimension.values(whole) or ())
    ends = float(dimension.low), float(dimension.high)
    value = math.exp(rng.uniform(*map(math.log, ends))) if dimension.log else rng.uniform(*ends)
    return round(value) if whole else value
