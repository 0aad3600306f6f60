"""Differences between arms, as questions read and word them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scipy.stats import norm

from moola_core.diagnostics.results import Comparison, Interval, Verdict
from moola_core.diagnostics.results.interval import Claim
from moola_core.investigation.known import UNDECIDED
from moola_core.metrics import METRICS

# What a difference may be seen in: how the probabilities rank the windows, and where the expansion is.
SEEN_IN = ("auroc", "hit_at_3")
# What is looked at again with more repeats errs in 9 to 12% of equal pairs at 95% a time. This factor of the half-width makes it 4 to 6%,
# simulated for rounds of 1, 2, 3, 5 and 8 repeats with 0.3 to 3 times as much variance in a refit as in the windows.
LOOKED = 1.17


def in_words(row: Verdict) -> str:
    """A difference with its interval."""
    title = METRICS[row.metric].title if row.metric in METRICS else row.metric
    return f"{title} {row.delta:+.2f} ({row.low:+.2f} to {row.high:+.2f})"


def as_claim(row: Verdict) -> Claim:
    """A difference as the claim that the arm is better."""
    sign = 1 if row.better == "higher" else -1
    low, high = sorted((sign * row.low, sign * row.high))
    return Claim(f"difference in {row.metric} of {row.arm}", Interval(sign * row.delta, low, high))


def widened(interval: Interval, count: int) -> Interval:
    """The interval for one of `count` looked at together (Bonferroni)."""
    factor, value = float(norm.isf(0.025 / count) / norm.isf(0.025)), interval.value
    return Interval(value, value - factor * (value - interval.low), value + factor * (interval.high - value))


def rows_of(comparison: Comparison, rounds: int = 1, metrics: Iterable[str] = SEEN_IN) -> list[Verdict]:
    """The verdicts against the control in these metrics, placebos left out; in the deciding one where there is none of them.

    Intervals and words hold for all metrics and all `rounds` in which the question may be asked together.
    """
    own = [row for row in comparison.verdicts if row.against == comparison.against and row.arm not in comparison.inert]
    kept = [row for row in own if row.metric in metrics] or [row for row in own if row.decides]
    count = len({row.metric for row in kept})
    return [_over_all(row, count, rounds) for row in kept]


def _over_all(row: Verdict, metrics: int, rounds: int) -> Verdict:
    """The verdict with an interval that holds for so many metrics and rounds together."""
    interval = widened(Interval(row.delta, row.low, row.high), metrics)
    factor = LOOKED if rounds > 1 else 1.0
    low, high = (row.delta + factor * (end - row.delta) for end in (interval.low, interval.high))
    clear = low > 0 or high < 0
    return replace(
        row,
        low=low,
        high=high,
        verdict=row.verdict if clear or row.verdict == "equivalent" else UNDECIDED,
        resolvable=row.resolvable * (high - low) / max(row.high - row.low, 1e-12),
    )


def word_of(rows: Iterable[Verdict]) -> str:
    """helps or hurts where any metric says so and none the opposite; equivalent where all are; undecided else."""
    words = {row.verdict for row in rows}
    for word, opposite in (("helps", "hurts"), ("hurts", "helps")):
        if word in words and opposite not in words:
            return word
    return "equivalent" if words == {"equivalent"} else UNDECIDED


def smallest(rows: Iterable[Verdict]) -> float:
    """The difference that would have been found in each of these; nan without any."""
    return max((row.resolvable for row in rows), default=float("nan"))


def settled_by_repeats(rows: Iterable[Verdict], repeats: int) -> float:
    """The probability that so many repeats settle one of these differences; a judgement where that cannot be worked out yet."""
    chances = [0.0]
    for row in rows:
        if row.verdict == "undecided":
            needed = row.repeats_needed
            chances.append(0.25 if needed is None and row.p > 0.02 else min(0.8, 0.8 * repeats / (needed or repeats)))
    return max(chances)
