"""Which windows of bars are left for pre-training: counted from the bars and the settings, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moola_core.errors import DataError
from moola_core.market.bars import Bars, contains_break, shares_bars
from moola_core.specs import Pretrain, change
from moola_core.specs.objectives import rules_of
from moola_core.specs.pretrain import refuse_without_fold

LEAST_WINDOWS = 100
REASONS = {
    "over_gaps": "span a gap or a roll",
    "filler": "hold filler bars of a closed market (sampling.exclude_filler)",
    "labelled": "share bars with labelled windows (sampling.labelled)",
    "between": "lie across the split of training and validation",
    "not_active": "are not active enough (sampling.keep)",
    "not_similar": "are not similar enough (sampling.keep)",
}
NOTHING = np.empty(0, np.int64)
SETTING = "sampling.labelled"


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Labelled windows that pre-training may have to leave out, by the first bars of windows of its own length that cover them.

    first [n]: of all labelled windows, or of those that a pre-training for one fold leaves out; folds: of what each fold of each repeat of a
    study tests or stops on; pretrainings: how many the study makes with each choice of `sampling.labelled`. Both are empty outside of studies.
    """

    first: np.ndarray
    folds: Sequence[np.ndarray] = ()
    pretrainings: dict[str, int] = field(default_factory=dict)

    def of(self, spec: Pretrain) -> Sequence[np.ndarray]:
        """What each pre-training leaves out. Raises SpecError for one that is to be made for a fold that nobody names."""
        if spec.sampling.labelled != "per_fold":
            return [self.first]
        if not self.folds:
            refuse_without_fold(spec)
        return self.folds or [self.first]


@dataclass(frozen=True)
class Choice:
    """What one value of `sampling.labelled` leaves and costs: the fewest and the most windows over the pre-trainings, and how many these are."""

    labelled: str
    fewest: int
    most: int
    pretrainings: int

    @property
    def windows(self) -> str:
        """How many windows, in words."""
        return f"{self.fewest:,} windows" if self.fewest == self.most else f"{self.fewest:,} to {self.most:,} windows"

    def __str__(self) -> str:
        return f"{self.windows}, {self.pretrainings} pre-training{'s' * (self.pretrainings != 1)}"


def candidates(bars: Bars, spec: Pretrain, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """First bars of the windows to train on and of those to validate on, and what was left out, counted by reason.

    left_out: first bars of labelled windows in these bars, which are left out unless sampling.labelled is see. What sampling.keep selects
    among the windows is ignored.
    """
    sampling, reach = spec.sampling, reach_bars(spec)
    first = np.arange(0, max(len(bars) - reach + 1, 0), sampling.stride_bars)
    counts = {"in_bars": len(first)}
    broken = contains_break(bars.breaks, first, reach)
    first, counts["over_gaps"] = first[~broken], int(broken.sum())
    if sampling.exclude_filler and bars.filler is not None:
        before = np.r_[0, np.cumsum(bars.filler)]
        filled = before[first + reach] > before[first]
        first, counts["filler"] = first[~filled], int(filled.sum())
    counts["labelled"] = 0
    if sampling.labelled != "see" and len(left_out):
        shared = shares_bars(first, reach, np.sort(left_out), sampling.window_bars)
        first, counts["labelled"] = first[~shared], int(shared.sum())
    cut = first[min(round(len(first) * (1 - sampling.valid_frac)), len(first) - 1)] if len(first) else 0
    valid = first[first >= cut]
    train = first[first + reach <= cut]
    counts["between"] = len(first) - len(train) - len(valid)
    return train, valid, counts


def reach_bars(spec: Pretrain) -> int:
    """Bars from a window's first on that its inputs or its target are made from."""
    return spec.sampling.window_bars + rules_of(spec.objective.name).count_beyond(spec.objective)


def kept_of(count: int, share: float) -> int:
    """How many of `count` windows are kept when `share` of them is; at least one of any."""
    return max(1, round(count * share)) if count else 0


def as_windows(first: np.ndarray, length_bars: int, window_bars: int) -> np.ndarray:
    """First bars of windows of `window_bars` bars that cover the runs of `length_bars` bars from each of `first`."""
    last = max(length_bars - window_bars, 0)
    steps = np.unique(np.minimum(np.arange(0, length_bars, window_bars), last))
    return np.unique((np.asarray(first)[:, None] + steps).reshape(-1)).astype(np.int64)


def choices(bars: Bars, spec: Pretrain, held: HeldOut) -> list[Choice]:
    """What each value of `sampling.labelled` that is possible leaves of the bars, and how many pre-trainings it takes."""
    possible = ("exclude", "per_fold", "see") if held.folds else ("exclude", "see")
    return [_choice(bars, change(spec, {SETTING: labelled}), held) for labelled in possible]


def _choice(bars: Bars, spec: Pretrain, held: HeldOut) -> Choice:
    counts = [_left(bars, spec, left_out)[0] for left_out in held.of(spec)]
    labelled = spec.sampling.labelled
    return Choice(labelled, min(counts), max(counts), held.pretrainings.get(labelled, 1))


def listed(options: Sequence[Choice]) -> str:
    """The choices with what they leave and cost, in a sentence."""
    return f"{SETTING} leaves: {'; '.join(f'{one.labelled} {one}' for one in options)}."


def refuse_too_few(bars: Bars, spec: Pretrain, held: HeldOut, prefix: str = "") -> None:
    """Raise DataError when fewer than 100 windows are left, with how many each reason took and the settings that would leave enough.

    prefix: what stands before the names of the settings where they are given, such as "pretrain." in a study.
    """
    count, counts = min((_left(bars, spec, left_out) for left_out in held.of(spec)), key=lambda one: one[0])
    if count >= LEAST_WINDOWS:
        return
    gone = [f"{number} {REASONS[name]}" for name, number in counts.items() if name in REASONS and number]
    why = f": {', '.join(gone)}" if gone else ""
    enough = _enough(bars, spec, held, prefix)
    instead = (
        f"These settings would leave enough: {'; '.join(enough)}. Or give more bars." if enough else "Give more bars."
    )
    all_choices = f" {listed(choices(bars, spec, held))}" if held.folds else ""
    raise DataError(
        f"only {count} of {counts['in_bars']} windows are left for pre-training, fewer than {LEAST_WINDOWS}{why}.{all_choices}",
        where="sampling",
        hint=instead,
    )


def _left(bars: Bars, spec: Pretrain, left_out: np.ndarray) -> tuple[int, dict[str, int]]:
    """How many windows are left, none where one of the two parts is empty, and what was left out by reason."""
    train, valid, counts = candidates(bars, spec, left_out)
    sizes = [len(train), len(valid)]
    if spec.sampling.keep != "all":
        kept = [kept_of(size, spec.sampling.keep_frac) for size in sizes]
        counts[f"not_{spec.sampling.keep}"] = sum(sizes) - sum(kept)
        sizes = kept
    return sum(sizes) if all(sizes) else 0, counts


def _enough(bars: Bars, spec: Pretrain, held: HeldOut, prefix: str) -> list[str]:
    """Changes of the sampling after which enough windows are left, the smallest of each kind, and how many are left then."""
    sampling = spec.sampling
    every: list[dict[str, Any]] = [{"sampling.keep": "all"}] if sampling.keep != "all" else []
    filled = [{"sampling.exclude_filler": False}] if sampling.exclude_filler and bars.filler is not None else []
    shorter = [{"sampling.stride_bars": sampling.stride_bars >> k} for k in range(1, sampling.stride_bars.bit_length())]
    laxer = (
        ("per_fold", "see") if sampling.labelled == "exclude" else ("see",) if sampling.labelled == "per_fold" else ()
    )
    seen = [[{SETTING: one}] for one in laxer if len(held.first) and (one != "per_fold" or held.folds)]

    def first_that_leaves_enough(kind: list[dict[str, Any]]) -> list[str]:
        for changes in kind:
            left = _choice(bars, change(spec, changes | _fold_of(spec, changes)), held)
            if left.fewest >= LEAST_WINDOWS:
                return [_sentence(changes, left, prefix)]
        return []

    single = [text for kind in (every, filled, *seen, shorter) for text in first_that_leaves_enough(kind)]
    both = [[one | shorter_ for shorter_ in shorter] for (one,) in seen]
    return single or [text for kind in both for text in first_that_leaves_enough(kind)]


def _fold_of(spec: Pretrain, changes: dict[str, Any]) -> dict[str, Any]:
    """What a pre-training for one fold leaves out goes where another choice is made."""
    return {"sampling.left_out": ()} if SETTING in changes and spec.sampling.left_out else {}


def _sentence(changes: dict[str, Any], left: Choice, prefix: str) -> str:
    names = " with ".join(f"{prefix}{name}={str(value).lower()}" for name, value in changes.items())
    seen = {
        "per_fold": f", {left.pretrainings} pre-trainings, each without the bars that its fold tests or stops on",
        "see": ", and pre-training sees bars of labelled windows, without their labels",
    }
    return f"{names} ({left.windows}{seen.get(changes.get(SETTING, ''), '')})"
