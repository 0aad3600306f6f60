"""The spans of a window that may be the expansion, and how they are written as labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WIDEN_BARS = 2
MOST_LENGTHS = 40
MOST_SPANS = 1600


@dataclass(frozen=True, eq=False)
class Candidates:
    """Spans of a window of `window_bars` bars, by their first and last bar (inclusive).

    Attributes
    ----------
    start, end : ndarray of int, shape (S,)
        First and last bar of each span.
    window_bars : int
        Window length.
    share : ndarray, shape (S,)
        Share of the labels that a label put anywhere would have at each span: lengths as labelled, places alike. Sums to 1.
    step_bars : int
        Distance of the starts from each other; above 1 only where the labels leave very many spans.
    """

    start: np.ndarray
    end: np.ndarray
    window_bars: int
    share: np.ndarray
    step_bars: int = 1

    def __len__(self) -> int:
        return len(self.start)

    @property
    def length(self) -> np.ndarray:
        """Last bar less first bar, shape (S,)."""
        return self.end - self.start

    def elsewhere(self, length: np.ndarray) -> np.ndarray:
        """The share [n] of a span of each length [n], or of the nearest length that there is."""
        known, first = np.unique(self.length, return_index=True)
        return self.share[first][np.abs(length[:, None] - known).argmin(1)]

    @property
    def twice_center(self) -> np.ndarray:
        """Twice the center in bars, an integer, shape (S,)."""
        return self.start + self.end


def plausible(start: np.ndarray, end: np.ndarray, window_bars: int) -> Candidates:
    """The spans whose start, end and length lie within what the labels hold, starts and ends widened by two bars.

    Parameters
    ----------
    start, end : ndarray, shape (n,)
        Labelled spans in bars, without missing values; n is at least 1.
    window_bars : int
        Window length.

    Returns
    -------
    Candidates
        At most about 1,600 spans: where labels vary more widely, lengths and starts lie on a coarser grid.
    """
    start, end = np.round(start).astype(int), np.round(end).astype(int)
    length = end - start
    lengths = _thinned(np.arange(length.min(), length.max() + 1), length)
    low, high = max(0, start.min() - WIDEN_BARS), min(window_bars - 1, start.max() + WIDEN_BARS)
    last = min(window_bars - 1, end.max() + WIDEN_BARS)
    first_end = end.min() - WIDEN_BARS
    step = max(1, -(-(high - low + 1) * len(lengths) // MOST_SPANS))
    begin = np.arange(low, high + 1, step)
    s, d = (grid.ravel() for grid in np.meshgrid(begin, lengths))
    inside = (s + d <= last) & (s + d >= first_end)
    s, d = s[inside], d[inside]
    count = np.array([(np.abs(length - one) <= 1).sum() + 1 for one in lengths])[np.searchsorted(lengths, d)]
    share = count / np.bincount(np.searchsorted(lengths, d))[np.searchsorted(lengths, d)]
    return Candidates(s, s + d, window_bars, share / share.sum(), step)


def every(window_bars: int) -> Candidates:
    """All spans of a window, by first bar and then by length."""
    start, length = (grid.ravel() for grid in np.indices((window_bars, window_bars)))
    inside = start + length < window_bars
    share = np.full(int(inside.sum()), 1 / inside.sum())
    return Candidates(start[inside], (start + length)[inside], window_bars, share)


def of_lengths(window_bars: int, least_bars: int, most_bars: int) -> Candidates:
    """All spans of a window that hold from `least_bars` to `most_bars` bars."""
    whole = every(window_bars)
    bars = whole.length + 1
    rows = (bars >= least_bars) & (bars <= most_bars)
    share = np.full(int(rows.sum()), 1 / max(rows.sum(), 1))
    return Candidates(whole.start[rows], whole.end[rows], window_bars, share)


def _thinned(lengths: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """At most 40 of the lengths, closer together where the labels are dense."""
    if len(lengths) <= MOST_LENGTHS:
        return lengths
    return np.unique(np.round(np.quantile(labelled, np.linspace(0, 1, MOST_LENGTHS))).astype(int))
