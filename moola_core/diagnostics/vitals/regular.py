"""Vital signs of pointers that a tool or a habit has set: on a grid, the same again and again, or otherwise in one group than in the rest."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import binom, ks_2samp

from moola_core.diagnostics.results.weak_slices import MOST_WINDOWS
from moola_core.diagnostics.vitals.groups import FAR, parts, surprise
from moola_core.diagnostics.vitals.pointing import LEAST, pointers_of
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

HALF, FARTHEST = 0.5, 5000  # share of the rows, and distance in rows
GRIDS = (2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)  # bars or minutes that a tool or a person may round to


@sign(
    "labels",
    "The same pointer again and again",
    "Expansions begin and end anywhere, so two windows seldom have the same pointer: one that returns is a default or was filled in.",
    "Look at the windows with this pointer: were they labelled at all?",
    usual=(-np.inf, 0.06),
)
def same_pointer(evidence: Evidence) -> Measured:
    """Share of the windows with the most frequent pair of start and end."""
    own = pointers_of(evidence)
    (pair, count) = Counter(zip(own.start.tolist(), own.end.tolist(), strict=True)).most_common(1)[0]
    rows = own.rows[(own.start == pair[0]) & (own.end == pair[1])]
    return Measured(count / len(own.rows), f"bars {pair[0]} to {pair[1]} in {count}", evidence.some(rows))


@sign(
    "labels",
    "Pointers that count on from row to row",
    "From one row of the file to the next an expansion may lie anywhere; where it moves by the same number of bars row after row, cells were filled in as a series or down.",
    "Look at these rows in their order: which of them were labelled, and which filled in?",
    usual=(-np.inf, 0.08),
)
def pointer_steps(evidence: Evidence) -> Measured:
    """Share of the rows whose start and end lie as far from those of the row before as in most others; of rows that share no bars with it."""
    own = evidence.every
    both = own.has_pointer[1:] & own.has_pointer[:-1]
    if not np.isnat(own.start_time).any():  # of windows that overlap the same expansion may well be marked
        apart = np.abs(np.diff(own.start_time)).astype("timedelta64[ns]").astype(np.int64) / 1e9
        both &= apart >= own.bars * own.interval_s
    rows = np.flatnonzero(both)
    if len(rows) < LEAST:
        raise NotKnown(f"It needs {LEAST} rows that follow one with a pointer and share no bars with it.")
    steps = list(zip(np.diff(own.start)[rows].tolist(), np.diff(own.end)[rows].tolist(), strict=True))
    (step, count) = Counter(steps).most_common(1)[0]
    same = [row + 1 for row, one in zip(rows, steps, strict=True) if one == step]
    detail = f"start {step[0]:+g} and end {step[1]:+g} bars in {count} of {len(rows)}"
    return Measured(count / len(rows), detail, tuple(own.window_id[same[:MOST_WINDOWS]].astype(str).tolist()))


@sign(
    "labels",
    "Pointers on a grid",
    "Expansions begin and end at any bar; where they do so at every fifth or fifteenth alone, they were drawn on coarser bars or rounded.",
    "Set the pointers on the bars that the model reads, or tell apart only what the grid allows.",
    unit="−log10 p",
    usual=(-np.inf, 8.0),
)
def pointer_grid(evidence: Evidence) -> Measured:
    """How surely starts or ends fall on one place of a grid of so many bars or minutes, as −log10 of p times the grids tried."""
    own = pointers_of(evidence)
    counted = {"starts": own.start, "ends": own.end}
    first = evidence.windows.start_time[own.rows]
    if not np.isnat(first).any() and evidence.windows.interval_s == 60.0:
        minute = first.astype("datetime64[m]").astype(np.int64)
        counted |= {"starts by the clock": minute + own.start, "ends by the clock": minute + own.end}
    best = (0.0, "")
    for name, values in counted.items():
        reach = np.subtract(*np.percentile(values, [75, 25]))
        for grid in (
            grid for grid in GRIDS if grid <= reach
        ):  # on a coarser one, values as near as these are all at one place
            place, count = Counter((values % grid).tolist()).most_common(1)[0]
            surprise = _surprise(count, len(values), 1 / grid, len(counted) * len(GRIDS) * grid)
            if surprise > best[0]:
                best = (
                    surprise,
                    f"{name}: {count} of {len(values)} at {place} of every {grid}, {1 / grid:.0%} are usual",
                )
    return Measured(*best)


def _surprise(count: int, n: int, share: float, tried: int) -> float:
    """−log10 of the binomial probability of so many at one place, times the places tried."""
    return float(np.clip(-(binom.logsf(count - 1, n, share) + np.log(tried)) / np.log(10), 0.0, FAR))


@sign(
    "labels",
    "A group whose pointers are otherwise",
    "Where expansions of one grade, source or period are longer or lie elsewhere than those of the rest, they were marked by another convention.",
    "Compare windows of the group with others: what counts as the first and the last bar of an expansion?",
    unit="−log10 p",
    usual=(-np.inf, 8.0),
)
def pointer_by_group(evidence: Evidence) -> Measured:
    """Largest two-sample distance of lengths, starts and ends between a group and the rest, as −log10 of p times the comparisons."""
    own = pointers_of(evidence)
    described = {"length": own.end - own.start + 1, "start": own.start, "end": own.end}
    tried = []
    for group, mask in parts(evidence, hours=False):
        inside = mask[own.rows]
        if min(inside.sum(), (~inside).sum()) >= LEAST:
            for name, values in described.items():
                p = ks_2samp(values[inside], values[~inside]).pvalue
                middle = (np.median(values[inside]), np.median(values[~inside]))
                tried.append((p, f"{group}: {name} {middle[0]:g} bars in the median, elsewhere {middle[1]:g}", inside))
    if not tried:
        raise NotKnown("The windows cannot be divided: too few, or without times, grades and sources.")
    p, detail, inside = min(tried, key=lambda row: row[0])
    return Measured(surprise(p, len(tried)), detail, evidence.some(own.rows[inside]))


@sign(
    "labels",
    "Pointers from the lowest to the highest bar",
    "An expansion is a part of the move of its window; where it always runs from the lowest to the highest bar, a tool has drawn it, and it is the range of the window.",
    "Look at how the pointers were drawn: do they mark what was to be marked?",
    usual=(-np.inf, 0.3),
)
def pointer_at_extremes(evidence: Evidence) -> Measured:
    """Share of the expansions whose first and last bar are, to one bar, those of the window's highest and lowest price."""
    own = pointers_of(evidence)
    bars = np.sort([own.prices[:, :, 1].argmax(1), own.prices[:, :, 2].argmin(1)], axis=0)
    whole = (np.abs(bars - [own.start, own.end]) <= 1).all(0)
    return Measured(float(whole.mean()), f"{whole.sum()} of {len(whole)}", evidence.some(own.rows[whole]))


@sign(
    "labels",
    "The same labels at a constant distance",
    "Class and pointers of a window are its own; where they return row for row further down the file, or in another source, labels were copied or joined by a number that begins anew.",
    "Look at how labels were joined to the windows: is the id unique in the whole file?",
    unit="−log10 p",
    usual=(-np.inf, 8.0),
)
def labels_again(evidence: Evidence) -> Measured:
    """How surely class, start and end are those of the row a constant number of rows before, in the file or by source, as −log10 of p times the distances tried."""
    every = evidence.every
    rows = np.flatnonzero(every.has_pointer)
    if len(rows) < 2 * LEAST:
        raise NotKnown(f"It needs {2 * LEAST} windows with a pointer.")
    triples = np.stack([np.unique(every.label.astype(str), return_inverse=True)[1], every.start, every.end])
    number = np.unique(np.where(np.isnan(triples), -1.0, triples), axis=1, return_inverse=True)[1].ravel()
    counts = np.bincount(number[rows])
    chance = max(float((counts * (counts - 1)).sum()) / (len(rows) * (len(rows) - 1)), 1 / len(rows))
    orders = {"in the file": rows, "by source": rows[np.argsort(every.source[rows].astype(str), kind="stable")]}
    best, detail = 0.0, ""
    for name, order in orders.items():
        own = number[order]
        for lag in range(2, min(len(own) - LEAST, FARTHEST) + 1):
            alike = int((own[lag:] == own[:-lag]).sum())
            surely = _surprise(alike, len(own) - lag, chance, len(orders) * len(own))
            if alike > HALF * (len(own) - lag) and surely > best:
                best = surely
                detail = f"{name}: {alike} of {len(own) - lag} rows are labelled as those {lag} rows before"
    return Measured(best, detail)
