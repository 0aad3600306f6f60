"""Vital signs of the pointers: whether the expansions that they mark are movements, and whether another reading of them fits better."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.stats import norm, t

from moola_core.diagnostics.vitals.groups import parts
from moola_core.diagnostics.vitals.other_rows import far_rows, of_several, other_rows
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

LAGS = np.arange(-30, 31)
ZERO = np.zeros(1, int)
CHANCE = 0.5  # rank of a span that lies anywhere
SURE = 3.5  # standard errors, the largest of many lags
FAR_LAG, PART_SURE = 10, 8.0  # bars, and standard errors for a part of the spans; in healthy runs the most is 6.4
LEAST = 20  # windows with a pointer
RANDOM = 10  # orders of the rows, for what a pointer of any row holds
STEPS = (2, 3, 4, 5, 10, 15)  # bars of a coarser chart, or dots of a finer screen
SHARES = (1 / 3, 1 / 2, 2 / 3)  # of a span that may be all that was meant
LIKELY = 3  # slips by many rows whose ranks are computed


class Pointers:
    """The windows with a pointer: rows [m] of the evidence, first and last bar [m], prices [m, K, 4]."""

    def __init__(self, evidence: Evidence) -> None:
        self.rows = np.flatnonzero(evidence.windows.has_pointer)
        if len(self.rows) < LEAST:
            raise NotKnown(f"It needs {LEAST} windows with a pointer.")
        self.start = evidence.windows.start[self.rows].astype(int)
        self.end = evidence.windows.end[self.rows].astype(int)
        self.prices = evidence.windows.prices[self.rows]
        self.bars = self.prices.shape[1]

    def ranks(self, start: np.ndarray, end: np.ndarray, lags: np.ndarray = ZERO) -> np.ndarray:
        """Share [lags, m] of all spans of the same length in the window that move less than the span, moved by each lag.

        nan where that leaves the window.
        """
        out = np.full((len(lags), len(start)), np.nan)
        for i, (window, s, e) in enumerate(zip(self.prices, start, end, strict=True)):
            if not 0 <= s <= e < self.bars:
                continue
            moves = np.abs(window[e - s :, 3] - window[: self.bars - (e - s), 0])
            inside = (s + lags >= 0) & (s + lags < len(moves))
            ordered, own = np.sort(moves), moves[s + lags[inside]]
            both = np.searchsorted(ordered, own, "left") + np.searchsorted(ordered, own, "right")
            out[inside, i] = both / (2 * len(moves))
        return out

    @cached_property
    def own(self) -> np.ndarray:
        """The ranks [m] of the labelled spans."""
        return self.ranks(self.start, self.end)[0]

    @cached_property
    def profile(self) -> np.ndarray:
        """The ranks [lags, m] of the labelled spans moved by each of LAGS."""
        return self.ranks(self.start, self.end, LAGS)


def pointers_of(evidence: Evidence) -> Pointers:
    return evidence.kept("pointers", lambda: Pointers(evidence))


def gain_in_movement(better: np.ndarray, own: np.ndarray) -> float:
    """Mean of better less own [m], over its standard error."""
    difference = (better - own)[np.isfinite(better - own)]
    if len(difference) < LEAST:
        return 0.0
    return float(difference.mean() / max(difference.std(ddof=1) / np.sqrt(len(difference)), 1e-9))


@sign(
    "labels",
    "Spread of the pointers",
    "Pointers that all lie at one place teach a model that place, and nothing of the window.",
    "Look at how the pointers were set: a default that was never changed?",
    unit="bars",
    tail="low",
    usual=(6.0, np.inf),
)
def pointer_spread(evidence: Evidence) -> Measured:
    """Distance of the quartiles of the expansions' centers."""
    own = pointers_of(evidence)
    return Measured(float(np.subtract(*np.percentile((own.start + own.end) / 2, [75, 25]))))


@sign(
    "labels",
    "Expansions of one length",
    "Expansions take some bars or many; where nearly all have the same length it was set by a rule, or start and end are one column.",
    "Check that start and end are different columns; where a fixed number of bars was marked, the length says nothing of the move.",
    usual=(-np.inf, 0.7),
)
def one_length(evidence: Evidence) -> Measured:
    """Share of the expansions with the most frequent length."""
    own = pointers_of(evidence)
    lengths, counts = np.unique(own.end - own.start + 1, return_counts=True)
    return Measured(
        float(counts.max() / counts.sum()), f"{lengths[counts.argmax()]} bars in {counts.max()} of {counts.sum()}"
    )


@sign(
    "labels",
    "Pointers at the edge of the window",
    "Pointers that reach beyond the window are cut off at its first or last bar.",
    "Check from which bar, and in which unit, pointers are counted.",
    usual=(-np.inf, 0.1),
)
def pointer_at_edge(evidence: Evidence) -> Measured:
    """Share of expansions that begin at the first bar or end at the last."""
    own = pointers_of(evidence)
    edge = (own.start == 0) | (own.end == own.bars - 1)
    return Measured(float(edge.mean()), windows=evidence.some(own.rows[edge]))


@sign(
    "labels",
    "Movement in the labelled spans",
    "An expansion moves further than other spans of its length in the window; a pointer at random is in the middle of them.",
    "Draw some windows with their pointers: do they mark a movement?",
    tail="low",
    usual=(0.65, np.inf),
)
def span_movement(evidence: Evidence) -> Measured:
    """Mean share of all spans of the same length in the window that move less than the labelled one."""
    own = pointers_of(evidence)
    return Measured(float(own.own.mean()), windows=evidence.some(own.rows[own.own < 0.3]))


@sign(
    "labels",
    "Expansions of one direction",
    "Markets expand up and down; where all labelled expansions go one way, a model has never seen the other.",
    "Look at how windows were chosen: add expansions of the other direction, or ask the model of one direction alone.",
    usual=(-np.inf, 0.9),
)
def one_direction(evidence: Evidence) -> Measured:
    """Share of the expansions that go the more frequent way, from the first open to the last close."""
    own = pointers_of(evidence)
    each = np.arange(len(own.rows))
    up = own.prices[each, own.end, 3] > own.prices[each, own.start, 0]
    return Measured(float(max(up.mean(), 1 - up.mean())), f"{up.sum()} of {len(up)} rise")


@sign(
    "labels",
    "Pointers at a constant lag",
    "Where all spans would move further some bars earlier or later, pointers are counted from another bar.",
    "Check whether bars are counted from 0 or 1, from the window's start or from another time, and by which end bars are stamped.",
    unit="bars",
    tail="both",
    usual=(-2.0, 2.0),
)
def pointer_lag(evidence: Evidence) -> Measured:
    """Bars by which the spans must be moved to hold the most movement; 0 where that is no clear gain."""
    own = pointers_of(evidence)
    lag, gain = _best_lag(own.profile)
    return Measured(float(lag), f"gain in movement {gain:.1f} standard errors")


def _best_lag(profile: np.ndarray) -> tuple[int, float]:
    """The lag of the largest mean rank of a profile [lags, m] and its gain over no lag in standard errors; 0 where it is below SURE."""
    known = np.isfinite(profile).sum(1) >= max(LEAST, 0.6 * profile.shape[1])
    means = np.array([np.nanmean(row) if ok else -np.inf for row, ok in zip(profile, known, strict=True)])
    best = int(means.argmax())
    gain = gain_in_movement(profile[best], profile[len(LAGS) // 2])
    return (int(LAGS[best]), gain) if gain > SURE else (0, gain)


@sign(
    "labels",
    "A group whose pointers lag",
    "Where the spans of one group would move further at another lag than the rest, that group counts bars differently.",
    "Look at who or what set the pointers of the group, and when that changed.",
    unit="bars",
    usual=(-np.inf, 3.0),
)
def group_lag(evidence: Evidence) -> Measured:
    """Largest difference between the lag of a group of windows, or of the spans that hold little movement, and that of the rest."""
    lag, rows = lag_of_quiet(pointers_of(evidence))
    quiet = np.isin(np.arange(len(evidence.windows)), rows)
    best = (float(abs(lag)), f"{len(rows)} spans that hold little movement: {lag:+d} bars" if lag else "", quiet)
    for name, mask, inside, outside in lags_of_groups(evidence):
        if abs(inside - outside) > best[0]:
            best = (float(abs(inside - outside)), f"{name}: {inside:+d} bars, elsewhere {outside:+d}", mask)
    return Measured(best[0], best[1], evidence.some(best[2] & evidence.windows.has_pointer))


def lag_of_quiet(own: Pointers) -> tuple[int, np.ndarray]:
    """The lag in bars at which spans that hold little movement surely hold more than at others, and their windows; 0 where there is none."""
    quiet, far = own.own < CHANCE, np.flatnonzero(np.abs(LAGS) >= FAR_LAG)
    if quiet.sum() < 2 * LEAST:
        return 0, own.rows[:0]
    profile = own.profile[far][:, quiet]
    usual = np.maximum(np.nanmean(profile, axis=0), CHANCE)
    gains = [gain_in_movement(ranks, usual) for ranks in profile]
    best = int(np.argmax(gains))
    return (int(LAGS[far[best]]), own.rows[quiet]) if gains[best] > PART_SURE else (0, own.rows[:0])


def lags_of_groups(evidence: Evidence) -> Iterator[tuple[str, np.ndarray, int, int]]:
    """Of each group of windows: its name, a mask [n], and the lags in bars at which the spans inside and outside of it hold the most movement."""
    own = pointers_of(evidence)
    for name, mask in parts(evidence):
        inside = mask[own.rows]
        if min(inside.sum(), (~inside).sum()) >= LEAST:
            first, second = (_best_lag(own.profile[:, side])[0] for side in (inside, ~inside))
            yield name, mask, first, second


@sign(
    "labels",
    "Pointers that mean something else",
    "Where the spans hold more movement when pointers are counted from the last bar or in steps of several bars, read as a width and a bar, with their digits exchanged, or as a part as long, they are that.",
    "Give the first and the last bar, counted in bars from the first bar of the window.",
    unit="standard errors",
    usual=(-np.inf, 3.5),
)
def pointer_read(evidence: Evidence) -> Measured:
    """By how many standard errors the movement grows in the spans, or exceeds chance in those that hold little, when pointers are read otherwise."""
    own = pointers_of(evidence)
    quiet, measured = own.own < CHANCE, [Measured(0.0)]
    for words, start, end in readings(own):
        ranks = own.ranks(start, end)[0]
        known = quiet & np.isfinite(ranks)
        part = gain_in_movement(ranks[known], np.full(known.sum(), CHANCE))
        detail = f"{words}, in {known.sum()} spans that hold little movement"
        measured += [
            Measured(gain_in_movement(ranks, own.own), words),
            Measured(_as_if_of_many(part, int(known.sum())), detail, evidence.some(own.rows[known])),
        ]
    measured += [
        Measured(gain_in_movement(own.ranks(start, end)[0], own.own), words) for words, start, end in shorter(own)
    ]
    return max(measured, key=lambda one: one.value)


def _as_if_of_many(gain: float, spans: int) -> float:
    """The standard errors that a mean of many has by chance as seldom as that of so few spans has these (Student's t)."""
    return float(min(gain, norm.isf(t.sf(gain, spans - 1)))) if gain > 0 and spans > 1 else gain


def readings(own: Pointers) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Other ways to read the pointers, each in words, with the first and last bar [m] that they then mean."""
    yield "counted from the end", own.bars - 1 - own.end, own.bars - 1 - own.start
    yield "as the width and the first bar", own.end, own.end + own.start - 1
    for step in STEPS:
        yield f"in steps of {step} bars", step * own.start, step * own.end + step - 1
    sides = np.sort([_exchanged_digits(own.start), _exchanged_digits(own.end)], axis=0)
    yield "with their digits exchanged", *sides


def _exchanged_digits(bars: np.ndarray) -> np.ndarray:
    """Bars [m] with their last two digits exchanged."""
    return bars // 100 * 100 + bars % 10 * 10 + bars // 10 % 10


def shorter(own: Pointers) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Parts of the spans that may be all that was meant, as of `readings`."""
    for share in SHARES:
        short = np.maximum(np.round(share * (own.end - own.start + 1)).astype(int), 1)
        yield f"as {share:.1f} times as long from the same start", own.start, own.start + short - 1
        yield f"as {share:.1f} times as long to the same end", own.end - short + 1, own.end
        middle = own.start + (own.end - own.start + 1 - short) // 2
        yield f"as {share:.1f} times as long in the middle", middle, middle + short - 1


@sign(
    "labels",
    "Pointers of the row before or after",
    "Where windows fit the pointer of a neighbouring row, or of the row at their place in another order, better than their own, the columns of pointers have slipped or were joined by row.",
    "Compare the rows of the labels with the rows of the windows, by id and not by order.",
    unit="standard errors",
    usual=(-np.inf, 3.0),
)
def neighbours_pointer(evidence: Evidence) -> Measured:
    """By how many standard errors the movement in the spans grows with the pointers of another row, or in those that hold little exceeds that of pointers of any row,
    less what the largest of so many gains by chance."""
    own = pointers_of(evidence)
    quiet = own.own < CHANCE
    any_row = np.nanmean([_with_pointers_of(evidence, own, source) for source in _random_rows(evidence)], axis=0)
    measured = []
    for tried, ways in ((other_rows(evidence),) * 2, (far_rows(evidence), likely_far_rows(evidence, own))):
        for words, source in ways:
            ranks = _with_pointers_of(evidence, own, source)
            part = f"{words}, in {(quiet & np.isfinite(ranks)).sum()} spans that hold little movement"
            gains = {words: gain_in_movement(ranks, own.own), part: gain_in_movement(ranks[quiet], any_row[quiet])}
            measured += [Measured(of_several(gain, 2 * len(tried)), where) for where, gain in gains.items()]
    return max(measured, key=lambda one: one.value)


def likely_far_rows(evidence: Evidence, own: Pointers) -> list[tuple[str, np.ndarray]]:
    """Of the slips by many rows the few with whose pointers the spans move furthest for their length, which is sooner found than ranks are."""
    ways = far_rows(evidence)
    each, usual = np.arange(len(own.rows)), np.abs(np.diff(own.prices[:, :, 3], axis=1)).mean(1)
    moved = []
    for _, source in ways:
        start, end = _pointers_of(evidence, own, source)
        far = np.abs(own.prices[each, end, 3] - own.prices[each, start, 0]) / np.sqrt(end - start + 1)
        known = start >= 0
        moved.append(float((far / np.maximum(usual, 1e-12))[known].mean()) if known.any() else 0.0)
    return [ways[i] for i in np.argsort(moved)[::-1][:LIKELY]]


def _with_pointers_of(evidence: Evidence, own: Pointers, source: np.ndarray) -> np.ndarray:
    """The ranks [m] of the spans with the pointers of the rows that `source` [N] has for them."""
    return own.ranks(*_pointers_of(evidence, own, source))[0]


def _pointers_of(evidence: Evidence, own: Pointers, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last bar [m] of the pointers of the rows that `source` [N] has for the spans, -1 where there is none."""
    every, other = evidence.every, source[evidence.rows_in_file[own.rows]]
    known = every.has_pointer[other] & (other >= 0)
    start, end = (np.where(known, side[other], -1).astype(int) for side in (every.start, every.end))
    return start, end


def _random_rows(evidence: Evidence) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    yield from (rng.permutation(len(evidence.every)) for _ in range(RANDOM))
