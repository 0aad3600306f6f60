"""Which windows of bars are left for pre-training: counted from the bars and the settings, before anything is computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from moola_core.errors import DataError
from moola_core.market.bars import Bars, crosses, shares_bars
from moola_core.specs import Pretrain, change
from moola_core.specs.objectives import rules_of

LEAST_WINDOWS = 100
REASONS = {
    "over_gaps": "span a gap or a roll",
    "filler": "hold filler bars of a closed market (sampling.exclude_filler)",
    "labelled": "share bars with labelled windows (sampling.exclude_labelled)",
    "between": "lie across the split of training and validation",
    "not_active": "are not active enough (sampling.keep)",
    "not_similar": "are not similar enough (sampling.keep)",
}


def candidates(bars: Bars, spec: Pretrain, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """First bars of the windows to train on and of those to validate on, and what was left out, counted by reason.

    labelled: first bars of the labelled windows in these bars. What sampling.keep selects among the windows is ignored.
    """
    sampling, reach = spec.sampling, reach_bars(spec)
    first = np.arange(0, max(len(bars) - reach + 1, 0), sampling.stride_bars)
    counts = {"in_bars": len(first)}
    broken = crosses(bars.breaks, first, reach)
    first, counts["over_gaps"] = first[~broken], int(broken.sum())
    if sampling.exclude_filler and bars.filler is not None:
        before = np.r_[0, np.cumsum(bars.filler)]
        filled = before[first + reach] > before[first]
        first, counts["filler"] = first[~filled], int(filled.sum())
    counts["labelled"] = 0
    if sampling.exclude_labelled and len(labelled):
        shared = shares_bars(first, reach, np.sort(labelled), sampling.window_bars)
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


def refuse_too_few(bars: Bars, spec: Pretrain, labelled: np.ndarray, prefix: str = "") -> None:
    """Raise DataError when fewer than 100 windows are left, with how many each reason took and the settings that would leave enough.

    prefix: what stands before the names of the settings where they are given, such as "pretrain." in a study.
    """
    count, counts = _left(bars, spec, labelled)
    if count >= LEAST_WINDOWS:
        return
    gone = [f"{number} {REASONS[name]}" for name, number in counts.items() if name in REASONS and number]
    why = f": {', '.join(gone)}" if gone else ""
    enough = _choices(bars, spec, labelled, prefix)
    instead = (
        f"These settings would leave enough: {'; '.join(enough)}. Or give more bars." if enough else "Give more bars."
    )
    raise DataError(
        f"only {count} of {counts['in_bars']} windows are left for pre-training, fewer than {LEAST_WINDOWS}{why}.",
        where="sampling",
        hint=instead,
    )


def _left(bars: Bars, spec: Pretrain, labelled: np.ndarray) -> tuple[int, dict[str, int]]:
    """How many windows are left, none where one of the two parts is empty, and what was left out by reason."""
    train, valid, counts = candidates(bars, spec, labelled)
    sizes = [len(train), len(valid)]
    if spec.sampling.keep != "all":
        kept = [kept_of(size, spec.sampling.keep_frac) for size in sizes]
        counts[f"not_{spec.sampling.keep}"] = sum(sizes) - sum(kept)
        sizes = kept
    return sum(sizes) if all(sizes) else 0, counts


def _choices(bars: Bars, spec: Pretrain, labelled: np.ndarray, prefix: str) -> list[str]:
    """Changes of the sampling after which enough windows are left, the smallest of each kind, and how many are left then."""
    sampling = spec.sampling
    every: list[dict[str, Any]] = [{"sampling.keep": "all"}] if sampling.keep != "all" else []
    seen = [{"sampling.exclude_labelled": False}] if sampling.exclude_labelled and len(labelled) else []
    filled = [{"sampling.exclude_filler": False}] if sampling.exclude_filler and bars.filler is not None else []
    shorter = [{"sampling.stride_bars": sampling.stride_bars >> k} for k in range(1, sampling.stride_bars.bit_length())]

    def first_that_leaves_enough(kind: list[dict[str, Any]]) -> list[str]:
        for changes in kind:
            count, _ = _left(bars, change(spec, changes), labelled)
            if count >= LEAST_WINDOWS:
                return [_sentence(changes, count, prefix)]
        return []

    single = [text for kind in (every, filled, seen, shorter) for text in first_that_leaves_enough(kind)]
    return single or first_that_leaves_enough([one | both for one in seen for both in shorter])


def _sentence(changes: dict[str, Any], count: int, prefix: str) -> str:
    names = " with ".join(f"{prefix}{name}={str(value).lower()}" for name, value in changes.items())
    seen = (
        ", and pre-training sees bars of labelled windows, without their labels"
        if "sampling.exclude_labelled" in changes
        else ""
    )
    return f"{names} ({count} windows{seen})"
