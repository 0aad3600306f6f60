"""How the faults of `unseen_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from faulty_files import Files, Frame, some

PRICES = ["open", "high", "low", "close"]
START, END = "expansion_start", "expansion_end"
ZONE = "America/New_York"
CHART = 5  # bars of the file in a bar of a slower chart
GRID = 15  # minutes of a bar of the chart on which pointers are drawn
SPREAD = 60.0  # points from a contract to the next
AHEAD = 30  # bars after a window
RUN_UP = 30  # bars before an expansion that a second annotator marks too
BIG = 1.6  # how many times the usual range a bar is taken to be a bad tick


def length_of(windows: Frame) -> int:
    return len(windows["features"].iloc[0])


def places(bars: Frame, windows: Frame) -> np.ndarray:
    """The bar at which each window starts; -1 where no bar has that time."""
    return pd.Index(bars["time"]).get_indexer(windows["start_time"])


def cut(bars: Frame, first: np.ndarray, length: int) -> list[list[list[float]]]:
    """The prices of the windows that start at these bars."""
    return bars[PRICES].to_numpy()[first[:, None] + np.arange(length)].tolist()


def whole(values: np.ndarray) -> pd.api.extensions.ExtensionArray:
    return pd.array(np.asarray(values, np.int64), "Int64")


def pointers(windows: Frame) -> tuple[np.ndarray, np.ndarray]:
    start, end = (windows[name].to_numpy(np.int64) for name in (START, END))
    return start, end


def recut(change: Callable[[Frame, np.random.Generator], Frame]) -> Files:
    """A fault of the bars that is in the windows too, since they are cut from these bars."""

    def plant(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
        at, changed = places(bars, windows), change(bars.copy(), rng)
        return changed, windows.assign(features=cut(changed, at, length_of(windows)))

    return plant


def mixed_contracts(bars: Frame, rng: np.random.Generator) -> Frame:
    """On one day in four, near a roll, each bar is of the contract that had more volume in just that bar."""
    trade_day = (bars["time"].dt.tz_convert(ZONE) + pd.Timedelta(hours=6)).dt.date
    near_roll = pd.factorize(trade_day)[0] % 4 == 3
    ended = np.cumsum(np.r_[False, near_roll[:-1] & ~near_roll[1:]])
    level = SPREAD * (ended + (near_roll & (rng.random(len(bars)) < 0.5)))
    return bars.assign(**{name: bars[name] + level for name in PRICES})


def filtered(bars: Frame, rng: np.random.Generator) -> Frame:
    """A filter for bad ticks takes large bars for errors and repeats the last price that it believes."""
    x = bars[PRICES].to_numpy().copy()
    size = pd.Series(x[:, 1] - x[:, 2])
    usual = size.rolling(60, min_periods=20).median().bfill().to_numpy()
    for i in np.flatnonzero(size.to_numpy() > BIG * usual):
        x[i] = x[max(i - 1, 0), 3]
    return bars.assign(**dict(zip(PRICES, x.T, strict=True)))


def day_early(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The evening belongs to the next trade date; joined by calendar date, its windows hold the bars of the evening before."""
    evening = (windows["start_time"].dt.tz_convert(ZONE).dt.hour >= 18).to_numpy()
    before = windows.assign(start_time=windows["start_time"] - pd.Timedelta(days=1))
    at = places(bars, windows)
    at = np.where(evening & (places(bars, before) >= 0), places(bars, before), at)
    return bars, windows.assign(features=cut(bars, at, length_of(windows)))


def slower_chart(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """A third of the windows was labelled on a chart of five-minute bars: as many bars, the expansion at the same place."""
    at, length, (start, end) = places(bars, windows), length_of(windows), pointers(windows)
    first = at - (CHART - 1) * start
    slow = some(windows, 1 / 3, rng) & (first >= 0) & (first + CHART * length <= len(bars))
    features, times = list(windows["features"]), windows["start_time"].copy()
    for i in np.flatnonzero(slow):
        x = bars[PRICES].to_numpy()[first[i] : first[i] + CHART * length].reshape(length, CHART, 4)
        features[i] = np.stack([x[:, 0, 0], x[..., 1].max(1), x[..., 2].min(1), x[:, -1, 3]], axis=1).tolist()
        times.iloc[i] = bars["time"].iloc[first[i]]
    ends = whole(np.where(slow, start + (end - start) // CHART, end))
    return bars, windows.assign(features=features, start_time=times, **{END: ends})


def cut_at_end(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Windows were cut back from the last bar of their expansion, which therefore always lies at the right edge."""
    length, (start, end) = length_of(windows), pointers(windows)
    move = length - 1 - end
    at = places(bars, windows) - move
    move, at = np.where(at >= 0, move, 0), np.where(at >= 0, at, places(bars, windows))
    moved = {START: whole(start + move), END: whole(end + move)}
    times = bars["time"].iloc[at].to_numpy()
    return bars, windows.assign(features=cut(bars, at, length), start_time=pd.DatetimeIndex(times), **moved)


def default_left(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """One session of labelling, a quarter of the rows, saved the template as it was: the first class and bars 50 to 60."""
    n = len(windows)
    row = np.arange(n)
    left = (row >= n // 2) & (row < n // 2 + n // 4)
    start, end = pointers(windows)
    labels = np.where(left, sorted(windows["label"].unique())[0], windows["label"])
    ends = {START: whole(np.where(left, 50, start)), END: whole(np.where(left, 60, end))}
    return bars, windows.assign(label=labels, **ends)


def filled_down(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Four labels in ten were still blank and were filled with the last label above them."""
    blank = some(windows, 0.4, rng)
    blank[0] = False
    return windows["label"].astype(object).mask(blank).ffill().to_numpy()


def from_after(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The class was chosen by where the price stood half an hour after the window, which no window shows."""
    last = places(bars, windows) + length_of(windows) - 1
    close = bars["close"].to_numpy()
    rises = close[np.minimum(last + AHEAD, len(bars) - 1)] > close[last]
    names = sorted(windows["label"].unique())
    return bars, windows.assign(label=np.where(rises, names[0], names[1]))


def two_conventions(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Of two annotators, named in the column source, one lets the expansion begin with the run-up to it."""
    second, (start, _) = some(windows, 0.4, rng), pointers(windows)
    begins = whole(np.where(second, np.maximum(start - RUN_UP, 0), start))
    return bars, windows.assign(source=np.where(second, "ben", "anna"), **{START: begins})


def on_a_grid(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Pointers were drawn on fifteen-minute candles: both ends fall on quarters of an hour."""
    (start, end), last = pointers(windows), length_of(windows) - 1
    minute = windows["start_time"].dt.minute.to_numpy() % GRID
    begins = (start + minute) // GRID * GRID - minute
    ends = -(-(end + 1 + minute) // GRID) * GRID - minute - 1
    return bars, windows.assign(**{START: whole(begins.clip(0, last)), END: whole(ends.clip(0, last))})
