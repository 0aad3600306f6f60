"""Vital signs of pointers that a tool or a habit has set: on a grid, the same again and again, or otherwise in one group than in the rest."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import binom, ks_2samp, poisson

from moola_core.diagnostics.results.weak_slices import MOST_WINDOWS
from moola_core.diagnostics.vitals.groups import FAR, parts, surprise
from moola_core.diagnostics.vitals.pointing import LEAST, pointers_of
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

NEAR, MOST_COMPARED = 3, 5000  # bars, and windows whose pairs are counted
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
    "Pointers on a line with those of the rows around",
    "From one row of the file to the next an expansion may lie anywhere; where start and end lie midway between those of the row before and after, cells were filled in as a series, down, or between two that were set.",
    "Look at these rows in their order: which of them were labelled, and which filled in?",
    usual=(-np.inf, 0.08),
)
def pointer_steps(evidence: Evidence) -> Measured:
    """Share of the rows whose start and end lie, to a bar, midway between those of the rows before and after; of rows that share no bars with these."""
    own = evidence.every
    known = own.has_pointer
    both = known[1:-1] & known[2:] & known[:-2]
    if not np.isnat(own.start_time).any():  # of windows that overlap the same expansion may well be marked
        apart = (
            np.abs(np.diff(own.start_time)).astype("timedelta64[ns]").astype(np.int64) / 1e9
            >= own.bars * own.interval_s
        )
        both &= apart[1:] & apart[:-1]
    rows = np.flatnonzero(both) + 1
    if len(rows) < LEAST:
        raise NotKnown(f"It needs {LEAST} rows between others with a pointer, which share no bars with them.")
    bent = np.array([np.abs(side[rows] - (side[rows - 1] + side[rows + 1]) / 2) for side in (own.start, own.end)])
    straight = rows[(bent <= 1).all(0)]
    detail = f"{len(straight)} of {len(rows)}"
    return Measured(
        len(straight) / len(rows), detail, tuple(own.window_id[straight[:MOST_WINDOWS]].astype(str).tolist())
    )


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
    "Where expansions of one grade, source or period are longer, lie elsewhere or move less than those of the rest, they were marked by another convention, or without a look.",
    "Compare windows of the group with others: what counts as the first and the last bar of an expansion, and who marked them?",
    unit="−log10 p",
    usual=(-np.inf, 8.0),
)
def pointer_by_group(evidence: Evidence) -> Measured:
    """Largest two-sample distance of lengths, starts, ends and movement between a group and the rest, as −log10 of p times the comparisons."""
    own = pointers_of(evidence)
    described = {
        "length": own.end - own.start + 1.0,
        "start": own.start,
        "end": own.end,
        "share of other spans that move less": own.own,
    }
    tried = []
    for group, mask in parts(evidence, hours=False):
        inside = mask[own.rows]
        if min(inside.sum(), (~inside).sum()) >= LEAST:
            for name, values in described.items():
                p = ks_2samp(values[inside], values[~inside]).pvalue
                middle = (np.median(values[inside]), np.median(values[~inside]))
                tried.append((p, f"{group}: {name} {middle[0]:.3g} in the median, elsewhere {middle[1]:.3g}", inside))
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
    "The same labels in several windows",
    "Two windows seldom have one class, one start and one end; where many more do than have one class and length a bar or two from each other, labels were copied, pasted, or joined by a number that begins anew.",
    "Look at how labels were joined to the windows: is the id unique in the whole file, and were rows hidden when answers were pasted?",
    unit="−log10 p",
    usual=(-np.inf, 5.0),
)
def labels_again(evidence: Evidence) -> Measured:
    """How surely more pairs of windows have the same class, start and end than pairs of one class and length up to three bars apart say, as −log10 of p (Poisson)."""
    every = evidence.every
    rows = np.flatnonzero(every.has_pointer)[:MOST_COMPARED]
    if len(rows) < 2 * LEAST:
        raise NotKnown(f"It needs {2 * LEAST} windows with a pointer.")
    kind = np.unique(every.label[rows].astype(str), return_inverse=True)[1]
    place = np.stack([kind * FAR, (every.end - every.start)[rows] * FAR, every.start[rows]], axis=1)
    tree = cKDTree(place)
    same, near = ((int(tree.count_neighbors(tree, reach, p=np.inf)) - len(rows)) // 2 for reach in (0.5, NEAR + 0.5))
    chance = max((near - same) / (2 * NEAR), 1.0)
    return Measured(surprise(float(poisson.sf(same - 1, chance))), f"{same} pairs, {chance:.0f} are usual")
