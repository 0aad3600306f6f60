"""What no bars can be: times before there were any or in the future, bars of two lengths, prices in two scales."""

from __future__ import annotations

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market.stamps import one_bar

FIRST = np.datetime64("1980-01-01", "ns")
STRETCHES = 8
LEAST_STEPS = 20  # of a stretch, so that its most frequent step says something
SCALE_TOLERANCE = 0.05


def refuse_times(times: np.ndarray, where: str) -> None:
    """Raise DataError for times [n] before 1980 or in the future; NaT are passed over."""
    for rows, why in ((times < FIRST, "before 1980"), (times > _now() + np.timedelta64(1, "D"), "in the future")):
        if rows.any():
            row = int(np.flatnonzero(rows)[0])
            raise DataError(
                f"{int(rows.sum())} times are {why}, first {str(times[row])[:19]} in row {row}.",
                where=where,
                hint="Check the unit of the times and the order of day and month, or map another column with --column time=<name in the file>.",
            )


def refuse_interval(times: np.ndarray, interval_s: float, where: str) -> None:
    """Raise DataError when bars are shorter than a second, or of another length in another stretch of the file."""
    if interval_s < 1:
        raise DataError(
            f"the time between bars is {interval_s:g} s: they look like trades, or their times are in another unit.",
            where=where,
            hint="Give bars of a second or longer.",
        )
    steps = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    size = max(len(steps) // STRETCHES, LEAST_STEPS)
    for first in range(0, max(len(steps) - size + 1, 1), size):
        values, counts = np.unique(steps[first : first + size], return_counts=True)
        usual, share = int(values[counts.argmax()]), counts.max() / counts.sum()
        if len(steps) >= LEAST_STEPS and share > 0.6 and usual != round(interval_s) and usual > 0:
            raise DataError(
                f"the bars are {interval_s:g} s apart, but {usual} s from {str(times[first])[:16]} on.",
                where=where,
                hint="Give bars of one length in one file.",
            )


def refuse_scales(ohlc: np.ndarray, times: np.ndarray, where: str) -> None:
    """Raise DataError when the price is multiplied by a power of ten from one bar to the next."""
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.log10(ohlc[1:, 0] / ohlc[:-1, 3])
        jumps = np.flatnonzero((np.abs(power) > 0.5) & (np.abs(power - np.round(power)) < SCALE_TOLERANCE))
    if len(jumps):
        row = int(jumps[0]) + 1
        raise DataError(
            f"the price changes from {ohlc[row - 1, 3]:g} to {ohlc[row, 0]:g} at {str(times[row])[:16]} UTC: the scale of the "
            "prices seems to change.",
            where=where,
            hint="Write all prices in one scale.",
        )


def running(times: np.ndarray, interval_s: float) -> bool:
    """Whether the last bar was not complete: it ends in the future, or its time lies off the grid of all others."""
    if times[-1] + one_bar(interval_s) > _now():
        return True
    seconds = (times[1:] - times[:-1]).astype("timedelta64[ns]").astype(np.int64) / 1e9
    off = np.abs(seconds / interval_s - np.round(seconds / interval_s)) > 1e-6
    return bool(off[-1] and not off[:-1].any() and len(off) >= LEAST_STEPS)


def settled(times: np.ndarray) -> bool:
    """Whether the last of the times [n] lies so far back that no check of them depends on the moment at which it is made."""
    return bool(times[-1] < _now() - np.timedelta64(2, "D"))


def _now() -> np.datetime64:
    return np.datetime64(pd.Timestamp.now("UTC").tz_localize(None), "ns")
