"""The researcher's thresholds, by name, with units: each shown as target, actual and gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """A metric's wanted range: above `low`, below `high`, or between them."""

    name: str
    title: str
    metric: str
    low: float | None
    high: float | None
    unit: str

    def met(self, actual: float) -> bool:
        return (self.low is None or actual > self.low) and (self.high is None or actual < self.high)

    def gap(self, actual: float) -> float:
        """How far `actual` is on the wrong side of the nearer bound; 0 when the target is met."""
        below = self.low - actual if self.low is not None else 0.0
        above = actual - self.high if self.high is not None else 0.0
        return max(below, above, 0.0)

    @property
    def text(self) -> str:
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        return f"> {self.low:g}" if self.low is not None else f"< {self.high:g}"


@dataclass(frozen=True)
class Judgement:
    """A target beside what was reached. `actual` is None when the run has no such metric."""

    target: Target
    actual: float | None
    met: bool | None
    gap: float | None
    gap_percent: float | None


NOTABLE_R = 0.15  # the researcher's rule for a feature's correlation with a label

TARGETS: tuple[Target, ...] = (
    Target("f1_macro", "Macro F1", "f1_macro", 0.60, None, ""),
    Target("recall", "Recall of the weakest class", "recall_min", 0.40, None, ""),
    Target("ece", "Calibration error (ECE)", "ece", None, 0.10, ""),
    Target("center_mae_frac", "Center error", "center_mae_frac", None, 0.02, "of the window"),
    Target("hit_at_3", "Center within 3 bars", "hit_at_3", 0.60, None, ""),
    Target("sigma_ratio", "σ pointer / σ class", "sigma_ratio", 0.5, 2.0, ""),
)


def judge(metrics: Mapping[str, Any]) -> list[Judgement]:
    """Each target beside the mean of its metric. `metrics` maps a name to {"mean", "std"}, as a run stores them."""
    return [_judge(target, metrics.get(target.metric)) for target in TARGETS]


def _judge(target: Target, metric: Mapping[str, float] | None) -> Judgement:
    actual = metric.get("mean") if metric else None
    if actual is None:
        return Judgement(target, None, None, None, None)
    gap = target.gap(actual)
    bound = target.low if target.low is not None and actual < target.low else (target.high or target.low or 1.0)
    return Judgement(target, actual, target.met(actual), gap, 100 * gap / abs(bound))
