"""The 12 relativity columns as one pass over the bars, in float64, stored as float32.

The swing machine is stepped here along with the columns, so that 1.8M bars need one pass and no memory but the output.
`moola_core.features.zigzag` owns its rules.
"""

from __future__ import annotations

import itertools

import numpy as np
from numba import njit

from moola_core.features.catalog import FEATURES
from moola_core.features.zigzag import ATR_BARS, step_atr, turned

EPS = 1e-6
EMA_RATE = 2.0 / 21.0
TINY_ATR = 1e-8
WIDTH = len(FEATURES)


@njit(cache=True, inline="always")
def _clip(x, low, high):
    return low if x < low else high if x > high else x


@njit(cache=True, inline="always")
def _candle(out, i, bar, mean_range):
    """Columns 0 to 5 of bar i; returns the clipped body and range_z in float64."""
    o, h, low, c = bar
    span = h - low
    floor = max(span, EPS)
    body = _clip((c - o) / floor, -1.0, 1.0)
    range_z = _clip(span / max(mean_range, EPS), 0.0, 3.0)
    out[i, 0] = _clip((o - low) / floor, 0.0, 1.0)
    out[i, 1] = _clip((c - low) / floor, 0.0, 1.0)
    out[i, 2] = body
    out[i, 3] = _clip((h - max(o, c)) / floor, 0.0, 1.0)
    out[i, 4] = _clip((min(o, c) - low) / floor, 0.0, 1.0)
    out[i, 5] = range_z
    return body, range_z


@njit(cache=True)
def _fill(ohlc, out, length_bars):
    """Columns of one series whose state starts at its first bar."""
    kept = np.zeros(ATR_BARS)
    mean_range, atr, trend = ohlc[0, 1] - ohlc[0, 2], 0.0, 0
    extreme, extreme_bar, candidate, candidate_bar = 0.0, 0, np.nan, 0
    sh, sh_bar, sl, sl_bar = np.nan, 0, np.nan, 0
    for i in range(ohlc.shape[0]):
        o, h, low, c = ohlc[i, 0], ohlc[i, 1], ohlc[i, 2], ohlc[i, 3]
        if i > 0:
            mean_range = EMA_RATE * (h - low) + (1.0 - EMA_RATE) * mean_range
            atr = step_atr(h, low, ohlc[i - 1, 3], kept, i)
            if trend == 0:
                if atr > 0.0:
                    trend, extreme, extreme_bar = 1, c, i
            else:
                up = trend == 1
                side = h if up else low
                if (side - extreme) * trend > 0.0:
                    extreme, extreme_bar = side, i
                if np.isnan(candidate) or (side - candidate) * trend > 0.0:
                    candidate, candidate_bar = side, i
                if turned(up, extreme, candidate, i - candidate_bar, (h, low, c), atr):
                    if up:
                        sh, sh_bar = extreme, extreme_bar
                    else:
                        sl, sl_bar = extreme, extreme_bar
                    trend = -trend
                    extreme = low if up else h
                    candidate, extreme_bar, candidate_bar = extreme, i, i
        body, range_z = _candle(out, i, (o, h, low, c), mean_range)
        scale = atr if atr != 0.0 else TINY_ATR
        since_high = 0.0 if np.isnan(sh) else _clip((i - sh_bar) / length_bars, 0.0, 3.0)
        since_low = 0.0 if np.isnan(sl) else _clip((i - sl_bar) / length_bars, 0.0, 3.0)
        out[i, 6] = 0.0 if np.isnan(sh) else _clip((sh - c) / scale, -3.0, 3.0)
        out[i, 7] = 0.0 if np.isnan(sl) else _clip((c - sl) / scale, -3.0, 3.0)
        out[i, 8] = since_high
        out[i, 9] = since_low
        out[i, 10] = _clip(range_z * trend * body, -2.0, 2.0)
        out[i, 11] = _clip((1.0 - range_z / 3.0) * (1.0 - abs(body)) * (since_high + since_low) / 2.0, 0.0, 3.0)


def relativity(
    ohlc: np.ndarray, length_bars: int, restarts: np.ndarray | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """The columns of `catalog.FEATURES` for each bar.

    Parameters
    ----------
    ohlc : ndarray of float64, shape (n, 4)
        Open, high, low and close.
    length_bars : int
        The divisor of columns that count bars.
    restarts : ndarray of int, optional
        Bar numbers besides 0 at which state starts anew, such as contract rolls.
    out : ndarray of float32, shape (n, 12), optional
        Where to write, for example a memory map.

    Returns
    -------
    ndarray of float32, shape (n, 12)
        `out`, or a new array.
    """
    ohlc = np.ascontiguousarray(ohlc, dtype=np.float64)
    out = np.empty((len(ohlc), WIDTH), np.float32) if out is None else out
    edges = np.unique(np.r_[0, np.asarray(restarts if restarts is not None else [], np.int64), len(ohlc)])
    for first, last in itertools.pairwise(edges.tolist()):
        _fill(ohlc[first:last], out[first:last], float(length_bars))
    return out
