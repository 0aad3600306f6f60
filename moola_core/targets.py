"""The researcher's targets: of each metric that has one, the wanted range with what was reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moola_core.metrics import METRICS, Metric

NOTABLE_R = 0.15  # the researcher's rule for a feature's correlation with a label


@dataclass(frozen=True)
class Target:
    """A metric's wanted range: above its `low`, below its `high`, or between them; of one class where it has an entry per class."""

    metric: Metric
    label: str = ""

    @property
    def name(self) -> str:
        """The metric's name, followed by the class where it has an entry per class."""
        return f"{self.metric.name} {self.label}".strip()

    @property
    def title(self) -> str:
        if not self.metric.by_class:
            return self.metric.title
        return f"{self.metric.title} of {self.label or 'each class'}"

    @property
    def path(self) -> tuple[str, ...]:
        """Where an evaluation holds it among its metrics."""
        return (self.metric.name, self.label) if self.metric.by_class else (self.metric.name,)

    @property
    def text(self) -> str:
        """The wanted range in words.

        >>> Target(METRICS["ece"]).text
        '< 0.1'
        """
        low, high = self.metric.low, self.metric.high
        if low is not None and high is not None:
            return f"{low:g} to {high:g}"
        return f"> {low:g}" if low is not None else f"< {high:g}"

    @property
    def wanted(self) -> str:
        """The wanted range with its unit."""
        return f"{self.text} {self.metric.unit}".strip()

    def met(self, actual: float) -> bool:
        low, high = self.metric.low, self.metric.high
        return (low is None or actual > low) and (high is None or actual < high)

    def gap(self, actual: float) -> float:
        """How far `actual` is on the wrong side of the nearer bound; 0 when the target is met."""
        low, high = self.metric.low, self.metric.high
        below = low - actual if low is not None else 0.0
        above = actual - high if high is not None else 0.0
        return max(below, above, 0.0)


@dataclass(frozen=True)
class Judgement:
    """A target with what was reached. `actual` is None when the run has no such metric."""

    target: Target
    actual: float | None
    met: bool | None
    gap: float | None
    gap_percent: float | None


def targets(classes: Iterable[str] = ()) -> tuple[Target, ...]:
    """Every target, with a row for each class where a metric has an entry per class (one for all when no class is known)."""
    labels = tuple(classes) or ("",)
    wanted = [metric for metric in METRICS.values() if metric.low is not None or metric.high is not None]
    return tuple(Target(metric, label) for metric in wanted for label in (labels if metric.by_class else ("",)))


def judge(metrics: Mapping[str, Any], classes: Iterable[str] = ()) -> list[Judgement]:
    """Each target with the mean of its metric.

    Parameters
    ----------
    metrics : mapping of str to dict
        A name to ``{"mean", "std"}`` as a run stores it, to a Spread or to a number; or to one of these per class.
    classes : iterable of str, optional
        The classes to judge; those that the metrics hold unless given.

    Returns
    -------
    list of Judgement
        In the order of the registry.
    """
    held = [name for metric in METRICS.values() if metric.by_class for name in metrics.get(metric.name) or ()]
    return [_judge(target, at(metrics, target)) for target in targets(classes or dict.fromkeys(held))]


def at(metrics: Mapping[str, Any], target: Target) -> Any:
    """What the metrics of an evaluation, or of an arm, hold for the target; None where they do not."""
    value: Any = metrics
    for step in target.path:
        value = (value or {}).get(step)
    return value


def _mean(metric: Any) -> float | None:
    """The mean of a metric as it is stored, restored, or of an arm."""
    if isinstance(metric, Mapping):
        return metric.get("mean")
    return metric if metric is None or isinstance(metric, float | int) else metric.mean


def _judge(target: Target, metric: Any) -> Judgement:
    actual = _mean(metric)
    if actual is None:
        return Judgement(target, None, None, None, None)
    gap, low = target.gap(actual), target.metric.low
    bound = low if low is not None and actual < low else (target.metric.high or low or 1.0)
    return Judgement(target, actual, target.met(actual), gap, 100 * gap / abs(bound))
