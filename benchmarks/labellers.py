"""Labellers: rules of different kinds and simulated hands that find an expansion in windows of bars and name its class.

Models are chosen on the labellers of TUNING and counted on those of COUNTED: a model that restates one rule does not help with another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

CLASSES = ("consolidation", "retracement")
FIRST, LAST = 20, 98  # a labelled span lies within these bars of a window of 105


@dataclass(frozen=True, eq=False)
class Labels:
    """Windows that a labeller could label: prices [n, K, 4], start, end [n] in bars, label [n] in 0 and 1."""

    prices: np.ndarray
    start: np.ndarray
    end: np.ndarray
    label: np.ndarray
    first: np.ndarray


def _unit(window: np.ndarray) -> float:
    return float((window[:, 1] - window[:, 2]).mean())


def _moves(window: np.ndarray, low: int, high: int) -> list[tuple[int, int]]:
    return [(s, s + d) for d in range(low, high + 1) for s in range(FIRST, LAST - d)]


def steepest(window: np.ndarray) -> tuple[int, int, float]:
    """The largest move over the root of its length, 4 to 10 bars; the class by how much is given back after it."""
    close, opened = window[:, 3], window[:, 0]
    s, e = max(_moves(window[:88], 4, 10), key=lambda p: abs(close[p[1]] - opened[p[0]]) / np.sqrt(p[1] - p[0]))
    sign = np.sign(close[e] - opened[s]) or 1.0
    after = window[e + 1 : e + 18]
    back = (close[e] - after[:, 2].min()) if sign > 0 else (after[:, 1].max() - close[e])
    return s, e, back / max(abs(close[e] - opened[s]), 1e-9)


def volatile(window: np.ndarray) -> tuple[int, int, float]:
    """The 6 to 14 bars whose mean range is largest next to the 25 bars before; the class by how quiet those were."""
    ranges = window[:, 1] - window[:, 2]
    total = np.r_[0, ranges.cumsum()]
    mean = lambda a, z: (total[z] - total[a]) / (z - a)  # noqa: E731
    spans = [(s, e) for s, e in _moves(window, 5, 13) if s >= 26]
    s, e = max(spans, key=lambda p: (mean(p[0], p[1] + 1) / mean(p[0] - 25, p[0])) * np.sqrt(p[1] - p[0] + 1))
    return s, e, mean(s - 25, s) / _unit(window)


def breakout(window: np.ndarray) -> tuple[int, int, float] | None:
    """From the first close beyond the channel of 20 bars to the extreme of the 12 bars that follow; the class by the channel's width."""
    unit = _unit(window)
    for s in range(22, LAST - 14):
        high, low = window[s - 20 : s, 1].max(), window[s - 20 : s, 2].min()
        close = window[s, 3]
        if not (close > high + 0.4 * unit or close < low - 0.4 * unit):
            continue
        after = window[s : s + 12]
        e = s + int(after[:, 1].argmax() if close > high else after[:, 2].argmin())
        if e - s >= 2 and abs(window[e, 3] - window[s, 0]) > 2.5 * unit:
            return s, e, (high - low) / unit
    return None


def leg(window: np.ndarray) -> tuple[int, int, float] | None:
    """The largest leg of a zigzag that turns after 2.5 mean ranges; the class by how much of the leg before it the start gave back."""
    unit, turns, up = 2.5 * _unit(window), [0], None
    high = low = 0
    for i in range(1, len(window)):
        high = i if window[i, 1] > window[high, 1] else high
        low = i if window[i, 2] < window[low, 2] else low
        if up is not False and window[high, 1] - window[i, 2] > unit and high > turns[-1]:
            turns.append(high)
            up, low = False, i
        elif up is not True and window[i, 1] - window[low, 2] > unit and low > turns[-1]:
            turns.append(low)
            up, high = True, i
    legs = [(a, b) for a, b in pairwise(turns) if a >= FIRST and b < LAST and 3 <= b - a <= 24]
    if not legs:
        return None
    a, b = max(legs, key=lambda p: abs(window[p[1], 3] - window[p[0], 3]))
    before = turns[turns.index(a) - 1] if turns.index(a) else 0
    size = abs(window[a, 3] - window[before, 3])
    return a, b, size / max(abs(window[b, 3] - window[a, 3]), 1e-9)


def efficient(window: np.ndarray) -> tuple[int, int, float]:
    """The 8 to 20 bars of the largest move times efficiency ratio (Kaufman); the class by the drift of the 30 bars before."""
    close, opened = window[:, 3], window[:, 0]
    path = np.r_[0, np.abs(close - opened).cumsum()]
    spans = [(s, e) for s, e in _moves(window, 7, 19) if s >= 31]
    move = lambda p: abs(close[p[1]] - opened[p[0]])  # noqa: E731
    s, e = max(spans, key=lambda p: move(p) ** 2 / max(path[p[1] + 1] - path[p[0]], 1e-9))
    return s, e, abs(close[s - 1] - opened[s - 30]) / (_unit(window) * np.sqrt(30))


def run(window: np.ndarray) -> tuple[int, int, float] | None:
    """The run of 3 or more bodies in one direction, one small exception allowed, with the largest sum; the class by the bars after it."""
    body = window[:, 3] - window[:, 0]
    unit, best = _unit(window), None
    for s in range(FIRST, LAST - 14):
        sign, e, slips = np.sign(body[s]), s, 0
        while e + 1 < LAST and (np.sign(body[e + 1]) == sign or (abs(body[e + 1]) < 0.3 * unit and slips == 0)):
            slips += int(np.sign(body[e + 1]) != sign)
            e += 1
        size = sign * body[s : e + 1].sum()
        if e - s >= 2 and (best is None or size > best[2]):
            best = (s, e, size)
    if best is None:
        return None
    s, e, size = best
    on = np.sign(body[s]) * (window[min(e + 12, len(window) - 1), 3] - window[e, 3])
    return s, e, on / max(size, 1e-9)


RULES: dict[str, Callable] = {
    "steepest": steepest,
    "volatile": volatile,
    "breakout": breakout,
    "leg": leg,
    "efficient": efficient,
    "run": run,
}


@dataclass(frozen=True)
class Hand:
    """A rule applied as a person would: ends scatter, some are misplaced, some classes are wrong; late_bars: a habit of marking late;
    second: scatter of a second annotator, who labels every other window."""

    rule: str
    scatter_bars: float = 0.0
    misplaced_frac: float = 0.0
    wrong_class_frac: float = 0.0
    late_bars: float = 0.0
    second_scatter_bars: float | None = None

    @property
    def name(self) -> str:
        return self.rule if not self.scatter_bars else f"{self.rule}, by hand"


TUNING = (Hand("steepest", 2.5, 0.1, 0.08), Hand("breakout"), Hand("efficient", 1.5, 0.1, 0.1, 1.0), Hand("volatile"))
COUNTED = (
    Hand("leg"),
    Hand("run"),
    Hand("breakout", 2.5, 0.1, 0.08),
    Hand("efficient"),
    Hand("volatile", 2.0, 0.15, 0.1, 0.0, 4.0),
    Hand("leg", 2.0, 0.1, 0.08, 1.5),
)


def label(
    bars: np.ndarray, firsts: np.ndarray, hand: Hand, seed: int, most: int = 174, window_bars: int = 105
) -> Labels:
    """Label windows of bars [N, 4] that begin at `firsts`, at most `most` of them; the class splits at the rule's median value."""
    rng = np.random.default_rng((seed, 991))
    rule, rows = RULES[hand.rule], []
    for first in firsts:
        answer = rule(bars[first : first + window_bars])
        if answer is not None and answer[1] < window_bars:
            rows.append((first, *answer))
        if len(rows) == most:
            break
    first, start, end, value = (np.array(column) for column in zip(*rows, strict=True))
    classes = (value > np.median(value)).astype(int)
    n, last = len(first), window_bars - 1
    scatter = np.full(n, hand.scatter_bars)
    scatter[::2] = hand.scatter_bars if hand.second_scatter_bars is None else hand.second_scatter_bars
    s = np.round(start + hand.late_bars + scatter * rng.standard_normal(n)).astype(int)
    e = np.round(end + hand.late_bars + scatter * rng.standard_normal(n)).astype(int)
    astray = rng.random(n) < hand.misplaced_frac
    length = np.maximum(end - start, 1)
    s = np.where(astray, rng.integers(FIRST, LAST - length), s)
    e = np.where(astray, s + length, e)
    s, e = np.clip(np.minimum(s, e - 1), 0, last - 1), np.clip(np.maximum(s + 1, e), 1, last)
    classes = np.where(rng.random(n) < hand.wrong_class_frac, 1 - classes, classes)
    prices = np.stack([bars[i : i + window_bars] for i in first])
    return Labels(prices, s.astype(float), e.astype(float), classes, first)
