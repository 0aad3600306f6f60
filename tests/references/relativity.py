"""The 12 columns, slow and obvious: one bar at a time, in the words of the definition. Shares no code with the kernels."""

from __future__ import annotations

import numpy as np


def clip(x, low, high):
    return min(max(x, low), high)


def columns(ohlc, length_bars):
    """[n, 12] float64 columns of bars [n, 4]; state starts at the first bar."""
    rows, true_ranges = [], []
    trend = None
    extreme = candidate = None  # (price, bar)
    swing_high = swing_low = None  # (price, bar)
    mean_range = None
    for i, (o, h, low, c) in enumerate(ohlc):
        r = h - low
        mean_range = r if mean_range is None else (2 / 21) * r + (1 - 2 / 21) * mean_range
        atr = 0.0
        if i > 0:
            before = ohlc[i - 1][3]
            true_ranges.append(max(h - low, abs(h - before), abs(low - before)))
            kept = true_ranges[-10:]
            atr = sum(kept) / len(kept)
            if trend is None:
                if atr > 0:
                    trend, extreme = "up", (c, i)
            elif trend == "up":
                if h > extreme[0]:
                    extreme = (h, i)
                if candidate is None or h > candidate[0]:
                    candidate = (h, i)
                far = i - candidate[1] <= 5 and candidate[0] - low >= 0.5 * atr
                if atr > 0 and (extreme[0] - c >= 1.2 * atr or far):
                    swing_high, trend = extreme, "down"
                    extreme = candidate = (low, i)
            else:
                if low < extreme[0]:
                    extreme = (low, i)
                if candidate is None or low < candidate[0]:
                    candidate = (low, i)
                far = i - candidate[1] <= 5 and h - candidate[0] >= 0.5 * atr
                if atr > 0 and (c - extreme[0] >= 1.2 * atr or far):
                    swing_low, trend = extreme, "up"
                    extreme = candidate = (h, i)
        big, scale = max(r, 1e-6), atr if atr != 0 else 1e-8
        body = clip((c - o) / big, -1, 1)
        range_z = clip(r / max(mean_range, 1e-6), 0, 3)
        since_high = clip((i - swing_high[1]) / length_bars, 0, 3) if swing_high else 0.0
        since_low = clip((i - swing_low[1]) / length_bars, 0, 3) if swing_low else 0.0
        rows.append(
            [
                clip((o - low) / big, 0, 1),
                clip((c - low) / big, 0, 1),
                body,
                clip((h - max(o, c)) / big, 0, 1),
                clip((min(o, c) - low) / big, 0, 1),
                range_z,
                clip((swing_high[0] - c) / scale, -3, 3) if swing_high else 0.0,
                clip((c - swing_low[0]) / scale, -3, 3) if swing_low else 0.0,
                since_high,
                since_low,
                clip(range_z * {None: 0, "up": 1, "down": -1}[trend] * body, -2, 2),
                clip((1 - range_z / 3) * (1 - abs(body)) * (since_high + since_low) / 2, 0, 3),
            ]
        )
    return np.array(rows)
