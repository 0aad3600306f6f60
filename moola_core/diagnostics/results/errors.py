"""Where a run is wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slice:
    """The windows with one `value` of `by`: accuracy with its Wilson interval, macro F1, center error with its interval.

    Figures are means over the repeats; None where the run has no such head.
    """

    by: str
    value: str
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    f1_macro: float | None
    center_mae_bars: float | None
    center_low: float | None
    center_high: float | None


@dataclass(frozen=True)
class Suspect:
    """A window that the models contradict: its label, their predicted class, and the mean probability of each."""

    window_id: str
    label: str
    answer: str
    p_answer: float
    p_label: float


@dataclass(frozen=True)
class Errors:
    """Where a run is wrong: slices, its most confident errors, and possible label errors (with the reason if there are none)."""

    slices: tuple[Slice, ...]
    confident: tuple[Suspect, ...]
    second_look: tuple[Suspect, ...]
    second_look_note: str
