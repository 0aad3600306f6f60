"""The swing machine: confirmed swing highs and lows from closes and the average true range.

A leg ends when the close has come back 1.2 ATR from the leg's extreme, or when the far side of a bar has come back
0.5 ATR from an extreme at most 5 bars old. No bar later than the present one is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

ATR_BARS = 10
CLOSE_ATR = 1.2
HYBRID_ATR = 0.5
HYBRID_BARS = 5


@dataclass(frozen=True)
class Swings:
    """Confirmed swings in order.

    Attributes
    ----------
    high : ndarray of bool, shape (m,)
        Whether the swing is a high.
    bar : ndarray of int, shape (m,)
        The bar of the extreme.
    price : ndarray of float, shape (m,)
        The extreme.
    confirmed : ndarray of int, shape (m,)
        The bar whose prices confirmed the swing; nothing before it may use the swing.
    """

    high: np.ndarray
    bar: np.ndarray
    price: np.ndarray
    confirmed: np.ndarray


@njit(cache=True, inline="always")
def step_atr(high, low, previous_close, kept, count):
    """Put bar `count`'s true range into the ring `kept` and return the plain mean of the kept ones (count starts at 1)."""
    true_range = max(high - low, abs(high - previous_close), abs(low - previous_close))
    kept[(count - 1) % ATR_BARS] = true_range
    held = min(count, ATR_BARS)
    total = 0.0
    for i in range(held):
        total += kept[i]
    return total / held


@njit(cache=True, inline="always")
def turned(up, extreme, candidate, candidate_age, bar, atr):
    """Whether the leg is reversed by `bar` = (high, low, close); both comparisons are greater or equal."""
    if atr == 0.0:
        return False
    high, low, close = bar
    back = extreme - close if up else close - extreme
    if back >= CLOSE_ATR * atr:
        return True
    far = candidate - low if up else high - candidate
    return candidate_age <= HYBRID_BARS and far >= HYBRID_ATR * atr


@njit(cache=True)
def _swings(ohlc, high, bar, price, confirmed):
    kept = np.zeros(ATR_BARS)
    trend, extreme, extreme_bar, candidate, candidate_bar, count = 0, 0.0, 0, np.nan, 0, 0
    for i in range(1, ohlc.shape[0]):
        h, low, c = ohlc[i, 1], ohlc[i, 2], ohlc[i, 3]
        atr = step_atr(h, low, ohlc[i - 1, 3], kept, i)
        if trend == 0:
            if atr > 0.0:
                trend, extreme, extreme_bar = 1, c, i
            continue
        up = trend == 1
        side = h if up else low
        if (side - extreme) * trend > 0.0:
            extreme, extreme_bar = side, i
        if np.isnan(candidate) or (side - candidate) * trend > 0.0:
            candidate, candidate_bar = side, i
        if turned(up, extreme, candidate, i - candidate_bar, (h, low, c), atr):
            high[count], bar[count], price[count], confirmed[count] = up, extreme_bar, extreme, i
            count += 1
            trend = -trend
            extreme = low if up else h
            candidate, extreme_bar, candidate_bar = extreme, i, i
    return count


def swings(ohlc: np.ndarray) -> Swings:
    """The confirmed swings of a series of bars.

    Parameters
    ----------
    ohlc : ndarray of float, shape (n, 4)
        Open, high, low and close; state starts at the first bar.

    Returns
    -------
    Swings
    """
    ohlc = np.ascontiguousarray(ohlc, dtype=np.float64)
    n = len(ohlc)
    high, bar, price, confirmed = np.empty(n, bool), np.empty(n, np.int64), np.empty(n), np.empty(n, np.int64)
    count = _swings(ohlc, high, bar, price, confirmed)
    return Swings(high[:count], bar[:count], price[:count], confirmed[:count])
