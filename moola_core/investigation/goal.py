"""The user's goal, and the targets of the plan, next to the score to expect."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import norm

from moola_core.diagnostics.results import Best, Gauge
from moola_core.errors import SpecError
from moola_core.metrics import METRICS
from moola_core.specs import Investigation
from moola_core.specs.investigation import GOAL

SURE = 0.975  # as the 95% interval lies on one side


@dataclass(frozen=True)
class Goal:
    """A metric that is to be above, or below, a threshold."""

    metric: str
    above: bool
    threshold: float


def goal_of(spec: Investigation) -> Goal | None:
    """What the spec's goal says; None without one. Raises SpecError for an unknown metric, or one with a value for each class."""
    match = GOAL.fullmatch(spec.goal)
    if match is None:
        return None
    name, sign, number = match.groups()
    if METRICS[name].by_class:
        raise SpecError(f"{name} has a value for each class.", where="goal", hint="Give a metric with one value.")
    return Goal(name, sign.startswith(">"), float(number))


def goals(spec: Investigation, tasks: tuple[str, ...]) -> list[Goal]:
    """The goal that was given, else the plan's targets of these metrics."""
    own = goal_of(spec)
    if own is not None:
        return [own]
    lows = {name: METRICS[name].low for name in tasks}
    return [Goal(name, True, low) for name, low in lows.items() if low is not None]


def gauge(goal: Goal, best: Best | None) -> Gauge:
    """Whether the recommended model meets a goal: the probability from the interval of its expected score, taken as normal."""
    values = best.score(goal.metric) if best else None
    if values is None:
        return Gauge(goal.metric, goal.threshold, goal.above, None, None)
    expected, low, high = values
    error = (high - low) / (2 * norm.isf(0.025))
    beyond = float(norm.sf((goal.threshold - expected) / error) if error > 0 else expected > goal.threshold)
    p = beyond if goal.above else 1 - beyond
    return Gauge(goal.metric, goal.threshold, goal.above, p, True if p >= SURE else False if p <= 1 - SURE else None)
