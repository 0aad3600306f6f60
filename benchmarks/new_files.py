"""How the faults of `new_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, some
from unseen_files import END, START, ZONE, cut, length_of, pointers, whole

OPEN, HIGH, LOW, CLOSE = range(4)
QUIET = 0.25  # share of the bars, those of the least volume, that a vendor writes no row for
AFTER = 5  # bars after an expansion at which an export ends
NEVER_MARKED = "#N/A"


def prices_of(windows: Frame) -> np.ndarray:
    return np.array([np.array(one) for one in windows["features"]], float)


def averaged_candles(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A third of the windows was exported from a chart set to Heikin-Ashi candles."""
    own = some(windows, 1 / 3, rng)
    plain, candles = x[own], x[own].copy()
    candles[..., CLOSE] = plain.mean(-1)
    for bar in range(1, x.shape[1]):
        candles[:, bar, OPEN] = (candles[:, bar - 1, OPEN] + candles[:, bar - 1, CLOSE]) / 2
    ends = candles[..., [OPEN, CLOSE]]
    candles[..., HIGH] = np.maximum(plain[..., HIGH], ends.max(-1))
    candles[..., LOW] = np.minimum(plain[..., LOW], ends.min(-1))
    x[own] = candles
    return x


def of_the_day(bars: Frame, rng: np.random.Generator) -> Frame:
    """High and low are those of the trading day so far, as a quote's fields of these names are."""
    day = (bars["time"].dt.tz_convert(ZONE) + pd.Timedelta(hours=6)).dt.date
    return bars.assign(high=bars["high"].groupby(day).cummax(), low=bars["low"].groupby(day).cummin())


def interpolated(windows: Frame, rng: np.random.Generator) -> Frame:
    """One window in three is made of two of one class, as SMOTE makes rows: prices and pointers in between, no time."""
    label, first = windows["label"].to_numpy(), np.flatnonzero(some(windows, 0.5, rng))
    second = np.array([rng.choice(np.setdiff1d(np.flatnonzero(label == label[i]), [i])) for i in first])
    share = rng.uniform(0.2, 0.8, len(first))

    def between(own: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *[1] * (own.ndim - 1))
        return (1 - part) * own[first] + part * own[second]

    made = windows.iloc[first].assign(
        window_id=[f"made_{i:04d}" for i in range(len(first))],
        features=between(prices_of(windows)).tolist(),
        **{name: whole(np.round(between(own))) for name, own in zip((START, END), pointers(windows), strict=True)},
    )
    made["start_time"] = pd.Series(pd.NaT, made.index, dtype=windows["start_time"].dtype)
    return pd.concat([windows, made], ignore_index=True)


def without_quiet(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The bars come without the minutes of little trade; the pointers still count minutes from the start of the window."""
    kept = bars[(bars["volume"] >= bars["volume"].quantile(QUIET)).to_numpy()].reset_index(drop=True)
    length = length_of(windows)
    at = pd.Index(kept["time"]).searchsorted(windows["start_time"]).clip(max=len(kept) - length)
    times = pd.DatetimeIndex(kept["time"].iloc[at].to_numpy())
    times = times if times.tz is not None else times.tz_localize("UTC")
    return kept, windows.assign(features=cut(kept, at, length), start_time=times)


def padded(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """An export ends soon after the expansion; the rest of each window repeats its last bar, up to the common length."""
    last = np.minimum(pointers(windows)[1] + AFTER, x.shape[1] - 1)
    bar = np.minimum(np.arange(x.shape[1]), last[:, None])
    return np.take_along_axis(x, bar[..., None], axis=1)


def by_rule(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Half of the windows were labelled beforehand by the direction of the whole window, and accepted unread."""
    x, unread = prices_of(windows), some(windows, 0.5, rng)
    names = sorted(windows["label"].unique())
    rule = np.where(x[:, -1, CLOSE] > x[:, 0, OPEN], names[0], names[1])
    source = np.where(unread, "prelabelled", "labelled")
    return bars, windows.assign(label=np.where(unread, rule, windows["label"]), source=source)


def in_percent(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The annotation tool writes places as percent of the window's width, which are read as bar numbers."""
    length = length_of(windows)
    ends = {
        name: whole(np.round(100 * own / length)) for name, own in zip((START, END), pointers(windows), strict=True)
    }
    return bars, windows.assign(**ends)


def failed_look_up(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A spreadsheet found no class for one window in five, and wrote its error value into the cell."""
    return np.where(some(windows, 0.2, rng), NEVER_MARKED, windows["label"])


def by_date(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Labels were joined by date and not by time, so that all windows of a date have the class of its first one."""
    return windows["label"].groupby(windows["start_time"].dt.date).transform("first").to_numpy()


def minute_of_clock(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Of the clock times of the expansions only the minutes were kept, and taken for bar numbers."""
    start, end = pointers(windows)
    minute = (windows["start_time"].dt.minute.to_numpy() + start) % 60
    last = np.minimum(minute + end - start, length_of(windows) - 1)
    return bars, windows.assign(**{START: whole(minute), END: whole(last)})
