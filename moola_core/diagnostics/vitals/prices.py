"""Vital signs of the data: what the prices of the windows are, and how they differ between groups."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import ks_2samp, rankdata

from moola_core.diagnostics.vitals.groups import parts
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign
from moola_core.market.bars import Bars
from moola_core.market.stamps import one_bar

COLUMNS = ("open", "high", "low", "close")
OFF = 0.05  # of the window's mean range: what rounding does not explain
MANY = 0.2  # of the windows within the time of the bars: the others should be, too
LONGEST_S = 300.0
LEAST_UNITS = 20  # whole units in which there are prices, so that all decimals could occur
ROUNDED = 1e-6  # of a bar's range
AROUND = 3  # bars whose bodies a range may go with in the place of its own
SAME_BARS, NEIGHBOURS = 2, 5  # bars apart, and windows that begin next to one
ALIKE = 0.999  # correlation of two windows' bars from which they are one moment of the market


def ranges(prices: np.ndarray) -> np.ndarray:
    """High less low [n, K] of prices [n, K, 4]."""
    return prices[:, :, 1] - prices[:, :, 2]


def mean_range(prices: np.ndarray) -> np.ndarray:
    """Mean range [n] of each window, never zero."""
    return np.maximum(ranges(prices).mean(1), 1e-12)


@sign(
    "data",
    "Windows unlike the bars",
    "A labelled window is cut from the bars, so its prices are theirs but for a constant.",
    "Compare one of these windows with the bars at the same time, see whether the file of bars is whole, and cut the windows anew.",
    usual=(-np.inf, 0.02),
)
def unlike_bars(evidence: Evidence) -> Measured:
    """Share of the windows that do not have the prices of the bars anywhere, or not at the time that they state."""
    elsewhere = _outside(evidence)
    try:
        own, prices, theirs, off = next_to_bars(evidence)
    except NotKnown:
        if not elsewhere.any():
            raise
        return Measured(1.0, f"none states a time that lies in the bars, {_count(elsewhere)}", evidence.some(elsewhere))
    wrong = off.any((1, 2))
    claimed = _stated(evidence)[1]
    minutes = (evidence.windows.start_time[own] - claimed[own]).astype("timedelta64[m]").astype(int)
    away = wrong & (evidence.windows.position[own] >= 0) & (minutes != 0)
    how = _how(prices[wrong], theirs[wrong], off[wrong], minutes[away]) if wrong.any() else ""
    rows = np.union1d(own[wrong], np.flatnonzero(elsewhere))
    if elsewhere.sum() > wrong.sum():
        how = _count(elsewhere)
    return Measured(len(rows) / len(np.union1d(own, np.flatnonzero(elsewhere))), how, evidence.some(rows))


def _outside(evidence: Evidence) -> np.ndarray:
    """Windows [n] that state a time before the first or after the last bar, where their prices lie in the bars or many other windows do: bars may well be of another period."""
    bars, claimed = _stated(evidence)
    inside = (claimed >= bars.time[0]) & (claimed <= bars.time[-1])  # false of times that are not stated
    outside = ~np.isnat(claimed) & ~inside
    return outside & ((inside.mean() >= MANY) | (evidence.windows.position >= 0))


def _count(outside: np.ndarray) -> str:
    return f"{outside.sum()} of {len(outside)} state a time before the first bar or after the last"


def _stated(evidence: Evidence) -> tuple[Bars, np.ndarray]:
    """The bars, and the start times [n] that the file states. Raises NotKnown where it states none, or the bars are not known."""
    if evidence.bars is None or evidence.claimed is None:
        raise NotKnown("It needs the bars that the windows were cut from, and start times in their file.")
    return evidence.bars, evidence.claimed


def next_to_bars(evidence: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows [m] of the windows whose stated time lies in the bars, their prices and those of the bars there [m, K, 4], and which differ.

    Prices differ where they are off by more than rounding after a constant of the window. Raises NotKnown where there are none.
    """
    bars, claimed = _stated(evidence)
    own, first = _claims(bars, claimed, evidence.windows.bars)
    prices = evidence.windows.prices[own]
    theirs = bars.ohlc[first[:, None] + np.arange(prices.shape[1])]
    difference = prices - theirs
    difference -= np.median(difference[:, :, 3], axis=1)[:, None, None]
    return own, prices, theirs, np.abs(difference) > OFF * mean_range(prices)[:, None, None]


def _claims(bars: Bars, claimed: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of windows whose stated time lies in the bars, and the bars that they begin at. Raises NotKnown where there are none."""
    place = np.searchsorted(bars.time, claimed)
    inside = ~np.isnat(claimed) & (claimed >= bars.time[0]) & (place <= len(bars) - length)
    near = np.zeros(len(claimed), bool)
    near[inside] = bars.time[place[inside]] - claimed[inside] < one_bar(bars.interval_s)
    rows = np.flatnonzero(near)
    if not len(rows):
        raise NotKnown("No window states a time that lies in the bars.")
    return rows, place[rows]


def _how(prices: np.ndarray, bars: np.ndarray, off: np.ndarray, minutes: np.ndarray) -> str:
    """In which way most of these windows [m, K, 4] differ from the bars."""
    m = len(prices)
    if len(minutes) > m / 2:
        usual, times = Counter(minutes.tolist()).most_common(1)[0]
        return f"{len(minutes)} of them occur in the bars at another time, {times} of them {usual:+d} minutes away"
    scale = np.median(prices[:, :, 3] / bars[:, :, 3], axis=1)
    if (np.abs(np.log(scale)) > 0.2).mean() > 0.5:
        return f"their prices are those of the bars times {np.median(scale):.3g}"
    if (
        np.mean(
            [_follows(one[::-1, 1:3].mean(1), other[:, 1:3].mean(1)) for one, other in zip(prices, bars, strict=True)]
        )
        > 0.5
    ):
        return "their bars are in reverse order"
    by_column = off.mean((0, 1))
    names = [name for name, share in zip(COLUMNS, by_column, strict=True) if share > 0.5 * by_column.max()]
    at = off.any(2).mean(0)
    where = f"at bar {int(at.argmax())} most often" if at.max() > 4 * at.mean() else f"at {at.mean():.0%} of the bars"
    return f"the {', '.join(names)} differ {where}"


def _follows(one: np.ndarray, other: np.ndarray) -> bool:
    spread = one.std() * other.std()
    return spread > 0 and ((one - one.mean()) * (other - other.mean())).mean() / spread > 0.99


@sign(
    "data",
    "Bars that stand still",
    "A bar without a range, or with the prices of the bar before, is filled in or stale.",
    "Look for gaps that were filled with the last price, and leave such bars out.",
    usual=(-np.inf, 0.15),
)
def still_bars(evidence: Evidence) -> Measured:
    """Share of bars without a range or with the four prices of the bar before."""
    prices = evidence.windows.prices
    still = ranges(prices) == 0
    still[:, 1:] |= (prices[:, 1:] == prices[:, :-1]).all(2)
    by_window = still.mean(1)
    return Measured(float(still.mean()), windows=evidence.some(by_window > 0.5))


@sign(
    "data",
    "Largest bar of a window",
    "A price that is wrong at one bar makes a bar far larger than the others.",
    "Look at the largest bars of these windows: spikes are errors of the feed, and one of them sets the scale of a window.",
    unit="median ranges",
    usual=(-np.inf, 30.0),
)
def largest_bar(evidence: Evidence) -> Measured:
    """Largest range of a bar over the median range of its window; the median over windows."""
    own = ranges(evidence.windows.prices)
    ratio = own.max(1) / np.maximum(np.median(own, axis=1), own.mean(1) / 10 + 1e-12)
    return Measured(float(np.median(ratio)), f"at bar {int(np.median(own.argmax(1)))} in the median")


@sign(
    "data",
    "Step between a close and the next open",
    "Trading goes on from bar to bar, so a bar opens where the bar before closed.",
    "Check how the columns of the file were joined, and whether noise was added to the prices.",
    unit="mean ranges",
    usual=(-np.inf, 0.15),
)
def open_step(evidence: Evidence) -> Measured:
    """Mean distance of an open from the close before it, over the window's mean range; the median over windows."""
    prices = evidence.windows.prices
    step = np.abs(prices[:, 1:, 0] - prices[:, :-1, 3]).mean(1) / mean_range(prices)
    return Measured(float(np.median(step)), windows=evidence.some(step > 0.5))


@sign(
    "data",
    "Body and range of a bar",
    "A bar that goes far has a wide range; where its range goes with the body of another bar, or with none, open and close, or high and low, are not its own.",
    "Check that the four prices of a row are those of the same bar, and that none was filled in.",
    unit="rank correlation",
    tail="low",
    usual=(0.2, np.inf),
)
def body_and_range(evidence: Evidence) -> Measured:
    """Rank correlation of |close − open| and high − low within windows, less that with the bodies of the bars around; the mean over windows."""
    prices = evidence.windows.prices
    body, size = (rankdata(one, axis=1) for one in (np.abs(prices[:, :, 3] - prices[:, :, 0]), ranges(prices)))
    body, size = (one - one.mean(1, keepdims=True) for one in (body, size))
    scale = np.maximum(np.sqrt(np.square(body).sum(1) * np.square(size).sum(1)), 1e-12)

    def correlation(lag: int) -> float:
        bars = np.arange(max(-lag, 0), prices.shape[1] - max(lag, 0))
        return float(((body[:, bars + lag] * size[:, bars]).sum(1) / scale).mean())

    goes_with = {lag: correlation(lag) for lag in range(-AROUND, AROUND + 1)}
    own = goes_with.pop(0)
    lag = max(goes_with, key=lambda one: goes_with[one])
    return Measured(own - goes_with[lag], f"{own:.2f}, and {goes_with[lag]:.2f} with the body {lag:+d} bars away")


@sign(
    "data",
    "Bars that open or close at their high or low",
    "In minutes of trading many bars, and never all, open or close at their highest or lowest price; where none does, high and low are not of the same trades as open and close, and where all do there are none of their own.",
    "Check where high and low come from: quotes in place of trades, prices smoothed, averaged or interpolated, another bar or day.",
    tail="both",
    usual=(0.04, 0.97),
)
def touching_bars(evidence: Evidence) -> Measured:
    """Share of the bars with a range whose open or close is their high or low; of bars of at most five minutes."""
    if evidence.windows.interval_s > LONGEST_S:
        raise NotKnown("In bars of more than five minutes hardly any opens or closes at its high or low.")
    prices, size = evidence.windows.prices, ranges(evidence.windows.prices)
    reach = np.abs(prices[:, :, 1:3, None] - prices[:, :, None, [0, 3]]).min((2, 3))
    return Measured(float((reach <= ROUNDED * size)[size > 0].mean()))


@sign(
    "data",
    "The same expansion in several windows",
    "Windows that mark the same bars of the market are one case: there are fewer cases than rows, and scores are surer than they should be.",
    "Keep one window of each expansion, or count these windows as one.",
    usual=(-np.inf, 0.3),
)
def same_expansion(evidence: Evidence) -> Measured:
    """Share of the windows with a pointer whose expansion lies at the same time, to two bars, as that of another one of the same instrument."""
    windows = evidence.windows
    rows = np.flatnonzero(windows.has_pointer & ~np.isnat(windows.start_time))
    if len(rows) < 2:
        raise NotKnown("It needs start times and pointers.")
    first = windows.start_time[rows].astype("datetime64[s]").astype(np.int64) / windows.interval_s
    start, end = first + windows.start[rows], first + windows.end[rows]
    order = np.lexsort((start, windows.instrument[rows].astype(str)))
    start, end, name = start[order], end[order], windows.instrument[rows].astype(str)[order]
    again = np.zeros(len(rows), bool)
    for step in range(1, NEIGHBOURS + 1):
        alike = name[step:] == name[:-step]
        alike &= (np.abs(start[step:] - start[:-step]) <= SAME_BARS) & (np.abs(end[step:] - end[:-step]) <= SAME_BARS)
        again[step:] |= alike
        again[:-step] |= alike
    return Measured(float(again.mean()), f"{again.sum()} of {len(rows)}", evidence.some(rows[order[again]]))


@sign(
    "data",
    "Decimals that no price has",
    "Prices that move over whole units have all decimals that the tick allows; where a stretch of them is missing, fractions were read as decimals, or digits were lost.",
    "Compare some prices with the source: quoted in thirty-seconds or eighths, or with zeros left out?",
    unit="times the usual step between decimals",
    usual=(-np.inf, 8.0),
)
def missing_decimals(evidence: Evidence) -> Measured:
    """Widest stretch of hundredths of a unit that no price has, over the median step between those that some have."""
    prices = evidence.windows.prices
    if len(np.unique(np.floor(prices))) < LEAST_UNITS:
        raise NotKnown(f"Prices lie within fewer than {LEAST_UNITS} whole units.")
    hundredths = np.unique(np.round(prices * 100).astype(np.int64) % 100)
    steps = np.diff(np.r_[hundredths, hundredths[0] + 100])
    widest = int(steps.argmax())
    return Measured(
        float(steps.max() / np.median(steps)),
        f"none from .{hundredths[widest]:02d} to .{(hundredths[widest] + steps.max()) % 100:02d}",
    )


@sign(
    "data",
    "Spread of the price level",
    "Windows in another unit, such as cents or a hundredth, lie at another level than the rest.",
    "Sort the windows by their price: groups far apart are in different units or of different instruments.",
    unit="powers of ten",
    usual=(-np.inf, 0.8),
)
def level_spread(evidence: Evidence) -> Measured:
    """Logarithm of the 95th over the 5th percentile of the windows' median close."""
    level = np.median(evidence.windows.prices[:, :, 3], axis=1)
    low, high = np.percentile(level, [5, 95])
    return Measured(float(np.log10(high / low)), f"from {low:g} to {high:g}")


@sign(
    "data",
    "Windows of the same moment",
    "A window that is in the file twice is counted twice, and leaks where its copies lie in different folds.",
    "Keep one of each pair; where their classes differ, decide on one.",
    usual=(-np.inf, 0.02),
)
def twins(evidence: Evidence) -> Measured:
    """Share of windows that have the same shape as another one, or of those in the file with the prices of another one and a different label."""
    pairs = _twins(evidence)
    rows, differ = np.unique(pairs), int((evidence.target[pairs[:, 0]] != evidence.target[pairs[:, 1]]).sum())
    contradict = f", {differ} of them with two classes" if differ else ""
    share, contradicting = len(rows) / len(evidence.windows), evidence.every.report.contradicting
    # Of those that the reading left out nothing is left to compare.
    in_file = contradicting / (len(evidence.every) + contradicting / 2)
    if in_file > share:
        return Measured(
            in_file, f"{contradicting} windows of the file have the prices of another one and a different label"
        )
    return Measured(share, f"{len(pairs)} pairs{contradict}", evidence.some(rows))


def _twins(evidence: Evidence) -> np.ndarray:
    """Pairs [m, 2] of windows whose closes and ranges, bar by bar, correlate almost perfectly."""
    prices = evidence.windows.prices
    moves = np.concatenate([np.diff(prices[:, :, 3], axis=1), ranges(prices)], axis=1)
    moves = moves / mean_range(prices)[:, None]
    moves = moves - moves.mean(1, keepdims=True)
    moves /= np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-12)
    return np.argwhere(np.triu(moves @ moves.T > ALIKE, 1))


@sign(
    "data",
    "A group of windows unlike the rest",
    "Windows of one grade, source, half of the file or period that look unlike the others come from elsewhere, or were changed.",
    "Look at windows of the group next to others: units, session, instrument, version of the export.",
    unit="−log10 p",
    usual=(-np.inf, 12.0),
)
def unlike_group(evidence: Evidence) -> Measured:
    """Largest two-sample distance over groups and descriptions, as −log10 of its p-value times the number of comparisons."""
    figures = described(evidence.windows.prices)
    tried = [
        (ks_2samp(values[mask], values[~mask]).pvalue, group, name, mask)
        for group, mask in parts(evidence, hours=False)  # markets differ between the hours of a day
        for name, values in figures.items()
    ]
    if not tried:
        raise NotKnown("The windows cannot be divided: too few, or without times, grades and sources.")
    p, group, name, mask = min(tried, key=lambda row: row[0])
    value = max(-np.log10(max(p * len(tried), 1e-300)), 0.0)
    return Measured(float(value), f"{group} differs in the {name}", evidence.some(mask))


def described(prices: np.ndarray) -> dict[str, np.ndarray]:
    """Figures [n] of each window that do not depend on its price level."""
    size, close = mean_range(prices), prices[:, :, 3]
    return {
        "body of a bar": np.abs(close - prices[:, :, 0]).mean(1) / size,
        "step to the next open": np.abs(prices[:, 1:, 0] - close[:, :-1]).mean(1) / size,
        "largest bar": ranges(prices).max(1) / size,
        "share of still bars": (ranges(prices) == 0).mean(1),
        "close within the bar": ((close - prices[:, :, 2]) / np.maximum(ranges(prices), 1e-12)).mean(1),
    }
