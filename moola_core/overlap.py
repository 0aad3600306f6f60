"""Which windows share bars: what must stay together in cross-validation, and what that does to the spread of a sum over windows.

Windows that share bars are chained; long chains are cut into runs of consecutive windows. Two windows depend on each other in proportion
to the share of bars that they have in common: what is measured of both is taken as correlated by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np

FOLDS = 5


class Overlap:
    """Which of n windows share bars, and how many.

    Parameters
    ----------
    series, first : ndarray of int, shape (n,) or (n, w)
        The series that each window lies in and its first bar there; in each of w ways in which windows are placed.
    window_bars : int
        Window length in bars.
    window_id : sequence of str, optional
        The windows' ids, to look them up by.

    Attributes
    ----------
    size : int
        The number of windows, n.

    Examples
    --------
    >>> shared = Overlap(np.zeros(3, int), np.array([0, 84, 500]), 105)
    >>> [round(float(share), 2) for share in shared.pairs[2]]
    [0.2]
    >>> round(shared.independent, 2)
    2.65
    """

    def __init__(
        self, series: np.ndarray, first: np.ndarray, window_bars: int, window_id: Iterable[str] | None = None
    ) -> None:
        self.size = len(series)
        parts = (np.asarray(part, np.int64) for part in (series, first))
        self.series, self.first = (part[:, None] if part.ndim == 1 else part for part in parts)
        self.window_bars = max(int(window_bars), 1)
        self.window_id = None if window_id is None else tuple(map(str, window_id))

    @classmethod
    def none(cls, size: int) -> Overlap:
        """Windows that share no bars."""
        return cls(np.arange(size), np.zeros(size, int), 1)

    @classmethod
    def of_groups(cls, group: np.ndarray, window_id: Iterable[str] | None = None) -> Overlap:
        """Windows of one group [n] share all their bars: what is known of runs that kept no places."""
        return cls(np.asarray(group), np.zeros(len(group), int), 1, window_id)

    def of(self, window_id: Iterable[object]) -> Overlap:
        """The overlap of these windows, in their order; none where any of them is not known."""
        place = {name: i for i, name in enumerate(self.window_id or ())}
        rows = [place.get(str(name)) for name in window_id]
        return Overlap.none(len(rows)) if None in rows else self.rows(np.array(rows, int))

    def rows(self, which: np.ndarray) -> Overlap:
        """The overlap of some of the windows, by number or mask."""
        names = None if self.window_id is None else np.array(self.window_id, object)[which]
        return Overlap(self.series[which], self.first[which], self.window_bars, names)

    def joined(self, others: int) -> Overlap:
        """With `others` further windows after these, which share no bars."""
        series, first = self.series, self.first
        new = series.max(initial=-1) + 1 + np.arange(others)[:, None] + np.zeros((1, series.shape[1]), int)
        return Overlap(np.concatenate([series, new]), np.concatenate([first, np.zeros_like(new)]), self.window_bars)

    def ways(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Series [n] and first bar [n] of each way in which the windows are placed."""
        return list(zip(self.series.T, self.first.T, strict=True))

    def near(self, rows: np.ndarray, others: np.ndarray, embargo_bars: int) -> np.ndarray:
        """Which of `rows` share a bar with any of `others`, or lie within the embargo of one: bool [len(rows)]."""
        close = np.zeros(len(rows), bool)
        for series, first in self.ways():
            same = series[rows][:, None] == series[others][None, :]
            apart = np.abs(first[rows][:, None] - first[others][None, :])
            close |= (same & (apart < self.window_bars + embargo_bars)).any(1)
        return close

    def groups(self, folds: int = FOLDS, embargo_bars: int = 0) -> np.ndarray:
        """The group [n] of each window: its chain, or its run of a chain that is longer than n / (2 · folds) windows.

        Windows at the same bar are copies of each other: no run ends between them.
        """
        n = self.size
        chain = _joined([_chains(series, first, self.window_bars + embargo_bars) for series, first in self.ways()])
        copy = _joined([_chains(series, first, 1) for series, first in self.ways()])
        series, first = self.ways()[0]
        rank = np.empty(n, np.int64)
        rank[np.lexsort((first, series))] = np.arange(n)
        lead = np.full(n, n)  # where the first of a window's copies stands, and the first of its chain
        np.minimum.at(lead, copy, rank)
        head = np.full(n, n)
        np.minimum.at(head, chain, rank)
        order = np.lexsort((rank, lead[copy], head[chain]))
        group, groups = np.empty(n, np.int64), 0
        for rows in np.split(order, np.flatnonzero(np.diff(chain[order])) + 1):
            size = len(rows) if len(rows) <= n / (2 * folds) else -(-n // (4 * folds))
            for run in _runs(rows, copy[rows], size):
                group[run] = groups
                groups += 1
        return group

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row numbers of the two windows of each pair that shares bars, and the share: three of shape (p,)."""
        parts = [np.empty((3, 0))]
        for series, first in self.ways():
            parts += [np.stack(part) for part in self._pairs(series, first)]
        i, j, share = np.concatenate(parts, axis=1)
        if self.series.shape[1] > 1:  # the larger share of a pair that is placed in two ways
            order = np.lexsort((-share, j, i))
            i, j, share = i[order], j[order], share[order]
            new = np.r_[True, (np.diff(i) != 0) | (np.diff(j) != 0)][: len(i)]
            i, j, share = i[new], j[new], share[new]
        return i.astype(int), j.astype(int), share

    def _pairs(self, series: np.ndarray, first: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        order = np.lexsort((first, series))
        series, first = series[order], first[order]
        for lag in range(1, self.size):
            apart = first[lag:] - first[:-lag]
            near = (series[lag:] == series[:-lag]) & (apart < self.window_bars)
            if not near.any():
                return
            ends = np.sort(np.stack([order[:-lag][near], order[lag:][near]]), axis=0)
            yield ends[0], ends[1], 1 - apart[near] / self.window_bars

    @cached_property
    def independent(self) -> float:
        """How many windows that share nothing tell as much about a mean: n² / Σ shares, each window's with itself included."""
        return self.size**2 / (self.size + 2 * float(self.pairs[2].sum())) if self.size else 0.0

    def variance(self, off: np.ndarray) -> float:
        """The variance of the sum of values whose deviations from their mean are `off` [n], at least 0.

        Σ shares · off · off (as of Conley 1999), times what the deviations from an estimated mean make it too small.
        """
        i, j, share = self.pairs
        own = float((off**2).sum())
        return max(own + 2 * float((share * off[i] * off[j]).sum()), 0.0) * self._inflation

    @cached_property
    def _inflation(self) -> float:
        """The variance of the sum over what `variance` is on average, where windows are correlated by their shares.

        1ᵀW1 / (tr WW − 2 · 1ᵀWW1 / n + (1ᵀW1)² / n²); G / (G − 1) for G groups of equal size.
        """
        i, j, share = self.pairs
        row = np.ones(self.size)
        np.add.at(row, i, share)
        np.add.at(row, j, share)
        total, square = float(row.sum()), self.size + 2 * float((share**2).sum())
        mean = square - 2 * float((row**2).sum()) / self.size + (total / self.size) ** 2
        return total / mean if mean > 0 else np.inf

    def noise(self, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Standard normal numbers [draws, n] whose correlation is the share of bars that two windows have in common.

        Windows that are placed in several ways are taken as placed in the first in which they share bars with others.
        """
        way = self._way()
        series, first = (
            self.series[np.arange(self.size), way] * self.series.shape[1] + way,
            self.first[np.arange(self.size), way],
        )
        _, series = np.unique(series, return_inverse=True)
        # Edges where a window begins or ends cut the bars into stretches; between two edges noise is one number.
        key = np.concatenate([series, series])
        edge = np.concatenate([first, first + self.window_bars])
        order = np.lexsort((edge, key))
        place = np.empty(2 * self.size, int)
        place[order] = np.arange(2 * self.size)
        width = np.diff(edge[order], append=edge[order[-1:]]) * np.r_[np.diff(key[order]) == 0, False]
        steps = rng.normal(size=(draws, 2 * self.size)) * np.sqrt(np.maximum(width, 0))
        total = np.concatenate([np.zeros((draws, 1)), steps.cumsum(1)], axis=1)
        begin, end = place[: self.size], place[self.size :]
        return (total[:, end] - total[:, begin]) / np.sqrt(self.window_bars)

    def _way(self) -> np.ndarray:
        """Number of the first way [n] in which a window shares bars with another; 0 where none."""
        shares = np.zeros(self.series.shape, bool)
        for w, (series, first) in enumerate(self.ways()):
            for i, j, _ in self._pairs(series, first):
                shares[i, w] = shares[j, w] = True
        return shares.argmax(1)


def _runs(rows: np.ndarray, copy: np.ndarray, size: int) -> list[np.ndarray]:
    """`rows` in runs of `size`, longer ones where a run would end between copies."""
    cuts, start = [], 0
    for i in np.flatnonzero(np.diff(copy)) + 1:
        if i - start >= size:
            cuts.append(i)
            start = i
    return np.split(rows, cuts)


def _chains(series: np.ndarray, first: np.ndarray, reach_bars: int) -> np.ndarray:
    """The chain [n] of each window, by a number below n: in a chain each window starts less than `reach_bars` after the one before."""
    order = np.lexsort((first, series))
    cuts = (np.diff(series[order]) != 0) | (np.diff(first[order]) >= reach_bars)
    chain = np.empty(len(series), np.int64)
    chain[order] = np.r_[np.zeros(min(len(series), 1), np.int64), np.cumsum(cuts)]
    return chain


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Numbers [n], below n, that are equal for windows which any of the `parts` [n] holds together, be it by way of others."""
    joined = parts[0]
    while True:
        before = joined
        for part in parts:
            least = np.full(len(part), len(part))
            np.minimum.at(least, part, joined)
            joined = least[part]
        if np.array_equal(joined, before):
            return joined
