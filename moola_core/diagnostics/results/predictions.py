"""What a run's models predict for new windows."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_STATED = 0.1  # of thousands of windows that see nothing only expansions at least so probable are kept
UNUSUAL_LEVEL = 0.05  # windows whose best span states less than in all but this share of the labelled ones are counted


@dataclass(frozen=True)
class Expansion:
    """A predicted expansion in the bars.

    Of a model that states probabilities of spans, the span of a window that no more probable one overlaps, with p_span, the stated
    probability that its center lies within 3 bars; else a stretch in which at least half of the windows that cover it see one.
    first, last: bar numbers, inclusive; label: the most likely class of the windows that see it, with its mean probability; support:
    the share of the covering windows that see it; start_time, end_time: ISO, UTC; conformal_p: (k + 1) / (n + 1), where k of n labelled
    windows state no more out of fold (None of a model that states nothing, and of older versions).
    """

    first: int
    last: int
    start_time: str
    end_time: str
    label: str
    probability: float
    support: float
    p_span: float | None = None
    conformal_p: float | None = None


@dataclass(frozen=True)
class Predicted:
    """What the ensemble of `fits` models predicted for `windows` windows; the rows are in predicted.parquet.

    counts: windows by predicted class; agreement: mean share of the fits that predict the same class as the ensemble; out_of_distribution: windows that
    lie further from the training windows than 99% of those lie from each other (None where that could not be judged);
    training: windows that share bars with those the fits were trained on; over_bars: whether the windows were cut from bars at
    `stride`; expansions: in the order of time, over bars only;
    unusual: windows whose conformal p-value is at most `UNUSUAL_LEVEL`, None where there is none.
    """

    classes: tuple[str, ...]
    windows: int
    fits: int
    window_bars: int
    counts: dict[str, int]
    agreement: float | None
    out_of_distribution: int | None
    training: int
    over_bars: bool
    stride: int
    seconds: float
    expansions: tuple[Expansion, ...]
    unusual: int | None = None
