"""How the faults of `fifth_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, some
from new_files import CLOSE, HIGH, LOW, OPEN, prices_of
from unseen_files import END, PRICES, START, cut, length_of, places, pointers, whole

STRETCHED = (60, 200)  # bars of the market that are stretched or squeezed into a window
SATOSHIS = 1e8  # in a coin
LOST = 1 / 600  # share of rows with a missing price
SLIDER = 60  # the last bar that a slider reaches
KEYFRAMES = 4  # rows from one that was annotated to the next
HALF_EPOCH = 5  # bars on both sides of the largest one


def stretched(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Stretches of 60 to 200 bars were brought to one length by interpolation, as strides are in the study of gait."""
    at, last, (start, end) = places(bars, windows), length_of(windows) - 1, pointers(windows)
    spans = np.exp(rng.uniform(*np.log(STRETCHED), len(windows))).round().astype(int) - 1
    first = at + start - (start * spans / last).round().astype(int)
    fits = (first >= 0) & (first + spans < len(bars))
    first, spans = np.where(fits, first, at), np.where(fits, spans, last)
    own, place = bars[PRICES].to_numpy(), np.linspace(0, 1, last + 1)
    features = [
        np.stack([np.interp(a + s * place, np.arange(a, a + s + 1), part) for part in own[a : a + s + 1].T], 1).tolist()
        for a, s in zip(first, spans, strict=True)
    ]
    ends = {
        name: whole(((at + pointer - first) * last / spans).round().clip(0, last))
        for name, pointer in ((START, start), (END, end))
    }
    times = pd.Series(pd.DatetimeIndex(bars["time"].iloc[first]), windows.index)
    return bars, windows.assign(features=features, start_time=times.astype(windows["start_time"].dtype), **ends)


def quoted_the_other_way(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A third of the windows is from a venue that quotes satoshis for a dollar and not dollars for a coin."""
    own = some(windows, 1 / 3, rng)
    x[own] = (SATOSHIS / x[own][..., [OPEN, LOW, HIGH, CLOSE]]).round(2)
    return x


def detrended(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """From each window the line that fits its closes best was taken away, as from any physiological signal."""
    time = np.arange(x.shape[1]) - (x.shape[1] - 1) / 2
    slope = x[..., CLOSE] @ time / (time @ time)
    return x - (slope[:, None] * time)[..., None]


def closes_alone(bars: Frame, rng: np.random.Generator) -> Frame:
    """The vendor's older history, half of the file, has closes alone, which it writes into all four columns."""
    old = np.arange(len(bars)) < len(bars) // 2
    return bars.assign(**{name: np.where(old, bars["close"], bars[name]) for name in PRICES})


def rows_lost(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Windows came as one long table, from which rows with a missing price were dropped before it was divided into windows again."""
    x = prices_of(windows)
    table = x.reshape(-1, x.shape[2])
    kept = table[~some(pd.DataFrame(index=range(len(table))), LOST, rng)]
    count = len(kept) // x.shape[1]
    features = kept[: count * x.shape[1]].reshape(count, *x.shape[1:]).tolist()
    return bars, windows.iloc[:count].assign(features=features)


def full_hours(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """A format of cells left only the hour of the start times, by which the prices were then joined."""
    hours = windows.assign(start_time=windows["start_time"].dt.floor("h"))
    at = places(bars, hours)
    found = (at >= 0) & (at + length_of(windows) <= len(bars))
    at = np.where(found, at, places(bars, windows))
    times = windows["start_time"].where(~found, hours["start_time"])
    return bars, windows.assign(features=cut(bars, at, length_of(windows)), start_time=times)


def bars_ago(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Four windows in ten were labelled in a platform that counts bars back from the last one, which is its bar 0."""
    own, last, (start, end) = some(windows, 0.4, rng), length_of(windows) - 1, pointers(windows)
    ends = {START: np.where(own, last - end, start), END: np.where(own, last - start, end)}
    return bars, windows.assign(**{name: whole(values) for name, values in ends.items()})


def pasted_over_hidden_rows(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Rows of grade B and C were filtered, looked at again and pasted back, into all rows from the first one on, hidden ones too."""
    shown = np.flatnonzero(windows["grade"].isin(("B", "C")))
    row = np.arange(len(windows))
    row[shown[0] : shown[0] + len(shown)] = shown
    return bars, windows.assign(**{name: windows[name].array[row] for name in ("label", START, END)})


def codes_from_zero_and_one(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Classes are numbers, which begin at 0 in one campaign and at 1 in the other; in the merged file 1 is both classes."""
    number = pd.factorize(windows["label"], sort=True)[0]
    return (number + some(windows, 0.4, rng)).astype(str).astype(object)


def end_of_slider(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The slider that sets both ends was made for windows of an hour and stops at bar 60."""
    return bars, windows.assign(**{name: windows[name].clip(upper=SLIDER) for name in (START, END)})


def between_keyframes(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Every fourth row was annotated, and a tool for films has put the boxes of the others in between."""
    row = np.arange(len(windows))
    keys = np.unique(np.r_[row[::KEYFRAMES], row[-1]])
    ends = zip((START, END), pointers(windows), strict=True)
    return bars, windows.assign(**{name: whole(np.interp(row, keys, own[keys]).round()) for name, own in ends})


def epochs_around_the_peak(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The expansion is an epoch of fixed length around the peak, the bar with the largest range, wherever in the window that lies."""
    x = prices_of(windows)
    peak, last = (x[..., HIGH] - x[..., LOW]).argmax(1), x.shape[1] - 1
    ends = {START: (peak - HALF_EPOCH).clip(0), END: (peak + HALF_EPOCH).clip(max=last)}
    return bars, windows.assign(**{name: whole(values) for name, values in ends.items()})


def sorted_by_class(windows: Frame, rng: np.random.Generator) -> Frame:
    """Whole rows, class by class, as they come from a folder for each class."""
    return windows.sort_values("label", kind="stable")


def every_minute(bars: Frame, rng: np.random.Generator) -> Frame:
    """Bars at every minute of the week, as of a market that never closes: where there is none, the last close, without trades."""
    full = bars.set_index("time").asfreq("1min")
    close = full["close"].ffill()
    filled = {name: full[name].fillna(close) for name in PRICES}
    return full.assign(volume=full["volume"].fillna(0.0), **filled).reset_index()[list(bars.columns)]
