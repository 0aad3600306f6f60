"""How figures are read out, on pages and in reports alike."""

from __future__ import annotations

from moola_core.diagnostics.results import Interval
from moola_core.durations import duration as duration
from moola_core.durations import expected_time as expected_time
from moola_core.durations import time_range as time_range

KIND_TITLES = {"finetune": "fine-tuning", "pretrain": "pre-training"}
# What the reports of each kind are of.
REPORT_OF = {
    "finetune": "a fine-tuning run",
    "pretrain": "a pre-training run",
    "study": "a study",
    "compare": "a comparison of runs",
    "plan": "a plan of studies",
    "investigation": "an investigation",
    "search": "a search over settings",
    "doctor": "what the doctor found",
    "predict": "predictions for new windows",
}


def size(count: float) -> str:
    """Bytes as `310 kB`, `4.2 MB` or `1.1 GB`."""
    for unit, divisor in (("GB", 1e9), ("MB", 1e6)):
        if count >= divisor:
            return f"{count / divisor:.1f} {unit}"
    return f"{max(1, round(count / 1e3))} kB"


def counted(count: int, noun: str) -> str:
    """A number with its noun, as `1 repeat` or `1,200 repeats`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def interval(estimate: Interval, form: str) -> str:
    """An estimate with its interval, as `0.61 (95% interval 0.52 to 0.70)`."""
    value, low, high = (format(part, form) for part in (estimate.value, estimate.low, estimate.high))
    return f"{value} (95% interval {low} to {high})"


def probability(value: float) -> str:
    """A p-value as it is read: never 0."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def likelihood(value: float) -> str:
    """A probability that is never read as certain."""
    return "< 0.01" if value < 0.01 else "> 0.99" if value > 0.99 else f"{value:.2f}"
