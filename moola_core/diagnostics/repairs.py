"""Which part of the labelled windows may be at fault (classes, pointers, prices), and how it would be mended: what experiments then try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moola_core.diagnostics.doctor.experimented import CUT_ANEW, EXCHANGED, POINTERS
from moola_core.diagnostics.doctor.where import RATE
from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.diagnostics.vitals.along import SURE as EXCHANGE_SURE
from moola_core.diagnostics.vitals.along import exchange
from moola_core.diagnostics.vitals.classes import SLIPPED, slip
from moola_core.diagnostics.vitals.other_rows import other_rows
from moola_core.diagnostics.vitals.pointing import (
    SURE,
    Pointers,
    gain_in_movement,
    lags_of_groups,
    likely_far_rows,
    pointers_of,
    readings,
    shorter,
)
from moola_core.diagnostics.vitals.prices import next_to_bars
from moola_core.diagnostics.vitals.sign import SIGNS, Evidence, NotKnown
from moola_core.diagnostics.weak_slices import masks
from moola_core.market.windows import Windows

JUDGED = ("auroc", "center_mae_bars")  # what of the class and of the pointers decides
MOST = 4  # that are tried: each takes a fitting, and is a chance to be taken in


@dataclass(frozen=True)
class Repair:
    """The labelled windows with a part of them mended or left out.

    title: what was done, in words; windows: the ids that it concerns; mended: the windows that are left; judged_by: the metrics that may show a gain.
    """

    title: str
    windows: tuple[str, ...]
    mended: Windows
    judged_by: tuple[str, ...] = JUDGED


def repairs(evidence: Evidence, slices: Sequence[WeakSlice]) -> list[Repair]:
    """What the evidence speaks for, at most four: a column of labels that has slipped, classes exchanged in a part, pointers counted otherwise, windows
    cut anew from the bars, a part left out."""
    weak = [one for one in slices if one.what == "class" and one.q <= RATE and one.inside < one.outside]
    searched = masks(evidence)
    without = [_without(evidence, one.part, searched[one.part]) for one in weak]
    ways = (_slipped, _exchanged, _moved_pointers, _cut_anew)
    return [*(one for way in ways for one in way(evidence)), *without][:MOST]


def _slipped(evidence: Evidence) -> Iterator[Repair]:
    """The class of the row some rows away, where windows fit it surely better than their own."""
    try:
        best = slip(evidence)
    except NotKnown:
        return
    if best.deviations <= SLIPPED:
        return
    source = best.source[evidence.rows_in_file]
    there = source >= 0
    kept = evidence.windows.select(np.flatnonzero(there))
    labels = evidence.every.label.astype(str)[source[there]].astype(object)
    yield Repair(
        f"each window given the class {best.words}", tuple(kept.window_id.astype(str)), replace(kept, label=labels)
    )


def _exchanged(evidence: Evidence) -> Iterator[Repair]:
    """Classes exchanged in the part in which that makes those of all windows surely told better.

    Of a part and the rest the smaller one is taken: which of the two is exchanged nothing in the data says.
    """
    try:
        best = exchange(evidence)
    except NotKnown:
        return
    if best.deviations <= EXCHANGE_SURE:
        return
    one, other = np.unique(evidence.label)
    labels = evidence.label.astype(object)
    labels[best.mask] = np.where(labels[best.mask] == one, other, one)
    yield Repair(f"{EXCHANGED} {best.words}", _ids(evidence, best.mask), replace(evidence.windows, label=labels))


def _moved_pointers(evidence: Evidence) -> Iterator[Repair]:
    """The pointers read in the way in which the spans surely hold the most movement, where that is another one."""
    try:
        own = pointers_of(evidence)
    except NotKnown:
        return
    surest, best = SURE, None
    for title, start, end in _readings(evidence, own):
        inside = (start[own.rows] >= 0) & (end[own.rows] < own.bars)
        read = (np.where(inside, side[own.rows], -1).astype(int) for side in (start, end))
        gain = gain_in_movement(own.ranks(*read)[0], own.own)
        if gain > surest:
            surest, best = gain, (title, start, end)
    if best is None:
        return
    title, start, end = best
    there = (start >= 0) & (end < own.bars)
    moved = replace(evidence.windows, start=np.where(there, start, np.nan), end=np.where(there, end, np.nan))
    changed = (start != evidence.windows.start) & evidence.windows.has_pointer
    yield Repair(f"{POINTERS} {title}", _ids(evidence, changed), moved)


def _readings(evidence: Evidence, own: Pointers) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Other ways [n] to read the pointers: at a lag, of all windows or of a part; from the end; of a row next to it."""
    windows = evidence.windows
    lag = SIGNS["pointer_lag"].measure(evidence).value
    if lag:
        yield _bars(lag), windows.start + lag, windows.end + lag
    for name, mask, inside, outside in lags_of_groups(evidence):
        if inside != outside:
            by = np.where(mask, inside, outside)
            lags = ((f"of {name}", inside), (f"outside of {name}", outside))
            title = ", ".join(f"{part} {_bars(lag)}" for part, lag in lags if lag)
            yield title, windows.start + by, windows.end + by
    for title, start, end in (*readings(own), *shorter(own)):
        yield title, _of_all(windows, own.rows, start), _of_all(windows, own.rows, end)
    every, rows = evidence.every, evidence.rows_in_file
    for words, source in (*other_rows(evidence), *likely_far_rows(evidence, own)):
        other = source[rows]
        start, end = (np.where(other >= 0, side[other], np.nan) for side in (every.start, every.end))
        yield f"taken {words}", start, end


def _of_all(windows: Windows, rows: np.ndarray, side: np.ndarray) -> np.ndarray:
    """The bars [m] of the windows at `rows` among all windows [n], nan elsewhere."""
    out = np.full(len(windows), np.nan)
    out[rows] = side
    return out


def _bars(lag: float) -> str:
    return f"{abs(lag):.0f} bars {'later' if lag > 0 else 'earlier'}"


def _cut_anew(evidence: Evidence) -> Iterator[Repair]:
    """The windows that do not have the prices of the bars at their time with the prices that they have there."""
    try:
        rows, _, theirs, off = next_to_bars(evidence)
    except NotKnown:
        return
    wrong = off.any((1, 2))
    if wrong.mean() <= SIGNS["unlike_bars"].usual[1]:
        return
    prices = evidence.windows.prices.copy()
    prices[rows[wrong]] = theirs[wrong]
    mask = np.zeros(len(prices), bool)
    mask[rows[wrong]] = True
    yield Repair(CUT_ANEW, _ids(evidence, mask), replace(evidence.windows, prices=prices))


def _without(evidence: Evidence, part: str, mask: np.ndarray) -> Repair:
    """Judged by the classes: where expansions lie within fewer bars a constant points nearer, too."""
    left = evidence.windows.select(np.flatnonzero(~mask))
    return Repair(f"without {part}", _ids(evidence, mask), left, ("auroc",))


def _ids(evidence: Evidence, mask: np.ndarray) -> tuple[str, ...]:
    return tuple(evidence.ids[mask].tolist())
