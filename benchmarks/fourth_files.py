"""How the faults of `fourth_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, some
from new_files import CLOSE, HIGH, LOW, OPEN, prices_of
from third_files import TICK
from unseen_files import END, START, ZONE, cut, length_of, places, pointers, whole

ROLLING = 5  # bars that each bar of a rolling resampling holds
ADDED = 40  # minutes that a vendor has filled in since the windows were cut
LATER, EARLIER = (6, 15), (4, 10)  # bars by which a second and a third window of an expansion are moved
CUT_AT = ((12, 39), (55, 89))  # bars of the window at which the expansions of each class begin
SPREAD, THIN = 0.75, 1.5  # points from the middle to bid and ask, and what is added in the hours of little trade
CAMPAIGNS = 3
NEIGHBOURS = 5  # windows along time whose most frequent class is taken
MOVE, APART = 8, 15  # bars of another move in a window, and how far it lies from the expansion


def rolling_bars(bars: Frame, rng: np.random.Generator) -> Frame:
    """Five-minute bars were made with a rolling window and not by resampling: one begins at every minute."""
    last = bars.rolling(ROLLING, min_periods=1)
    return bars.assign(
        open=bars["open"].shift(ROLLING - 1).fillna(bars["open"].iloc[0]),
        high=last["high"].max(),
        low=last["low"].min(),
        volume=last["volume"].sum(),
    )


def of_older_rows(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Windows were cut by the row numbers of an older download, which lacked some minutes that the file has now."""
    at = places(bars, windows)
    missing = np.sort(rng.choice(len(bars), ADDED, replace=False))
    return bars, windows.assign(features=cut(bars, at - np.searchsorted(missing, at), length_of(windows)))


def three_of_each(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """A third of the expansions, each cut three times a few bars apart, as a sliding window over an event does."""
    kept = windows[(windows.groupby("label").cumcount() % 3 == 0).to_numpy()]
    parts = []
    for name, low, high in (("a", 0, 1), ("b", *LATER), ("c", 1 - EARLIER[1], 1 - EARLIER[0])):
        by = rng.integers(low, high, len(kept))
        parts.append(moved_by(bars, kept, by).assign(window_id=kept["window_id"].astype(str) + name))
    order = np.argsort(np.tile(np.arange(len(kept)), len(parts)), kind="stable")
    return bars, pd.concat(parts).iloc[order].reset_index(drop=True)


def moved_by(bars: Frame, windows: Frame, by: np.ndarray) -> Frame:
    """The windows cut so many bars later, with their pointers; those that the bars or the expansion do not allow stay."""
    at, length, (start, end) = places(bars, windows), length_of(windows), pointers(windows)
    fits = (at + by >= 0) & (at + by + length <= len(bars)) & (start >= by) & (end - by < length)
    by = np.where(fits, by, 0)
    times = pd.DatetimeIndex(bars["time"].iloc[at + by])
    return windows.assign(
        features=cut(bars, at + by, length),
        start_time=pd.Series(times, windows.index).astype(windows["start_time"].dtype),
        **{START: whole(start - by), END: whole(end - by)},
    )


def place_of_class(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Each class was collected by another person, one of whom cuts windows early and the other late around an expansion."""
    number = pd.factorize(windows["label"], sort=True)[0] % len(CUT_AT)
    wanted = np.stack([rng.integers(low, high, len(windows)) for low, high in CUT_AT])[number, np.arange(len(windows))]
    return bars, moved_by(bars, windows, pointers(windows)[0] - wanted)


def from_quotes(bars: Frame, rng: np.random.Generator) -> Frame:
    """Bars were made of quotes: high is the highest ask and low the lowest bid, far apart in the hours of little trade."""
    hour = bars["time"].dt.tz_convert(ZONE).dt.hour
    half = (SPREAD + THIN * ((hour >= 18) | (hour < 4))) * rng.lognormal(0, 0.25, len(bars))
    half = np.maximum(np.round(half / TICK), 1) * TICK
    return bars.assign(high=bars["high"] + half, low=bars["low"] - half)


def ids_begin_anew(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Three campaigns numbered their windows from 0; labels were joined by that number alone, so all have those of the first."""
    row = np.arange(len(windows))
    size = -(-len(windows) // CAMPAIGNS)
    campaign, number = row // size, row % size
    first = {name: windows[name].to_numpy()[number] for name in ("label", START, END)}
    return bars, windows.assign(
        window_id=[f"c{own + 1}_{n:04d}" for own, n in zip(campaign, number, strict=True)],
        source=[f"campaign_{own + 1}" for own in campaign],
        label=first["label"],
        **{name: whole(first[name]) for name in (START, END)},
    )


def two_levels(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """One of two campaigns divides the last class by direction, and the other one has it as a whole."""
    finer, name = some(windows, 0.4, rng), sorted(windows["label"].unique())[-1]
    x, row, (start, end) = prices_of(windows), np.arange(len(windows)), pointers(windows)
    way = np.where(x[row, end, CLOSE] > x[row, start, OPEN], "_rising", "_falling")
    divided = finer & (windows["label"] == name).to_numpy()
    labels = np.where(divided, windows["label"].astype(str).to_numpy().astype(object) + way, windows["label"])
    return bars, windows.assign(label=labels, source=np.where(finer, "campaign_2", "campaign_1"))


def smoothed_along_time(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Classes went through a filter for stages of sleep: each is the most frequent one of five windows in a row."""
    labels = windows["label"].to_numpy().astype(object)
    own = np.flatnonzero((windows["grade"] != "D").to_numpy())
    own = own[np.argsort(windows["start_time"].to_numpy()[own], kind="stable")]
    names = sorted(windows["label"].unique())
    number = np.pad(np.searchsorted(names, labels[own].astype(str)), NEIGHBOURS // 2, mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(number, NEIGHBOURS)
    votes = np.stack([(near == one).sum(1) for one in range(len(names))], axis=1)
    labels[own] = np.array(names, object)[votes.argmax(1)]
    return labels


def whole_swing(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """A tool for ranges fitted each box by itself: from the window's lowest to its highest bar, or back."""
    x = prices_of(windows)
    extremes = np.sort(np.stack([x[..., HIGH].argmax(1), x[..., LOW].argmin(1)], axis=1), axis=1)
    return bars, windows.assign(**{START: whole(extremes[:, 0]), END: whole(extremes[:, 1])})


def averaged_pointers(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Pointers are means over two annotators, who in half of the windows marked two different moves."""
    x, (start, end) = prices_of(windows), pointers(windows)
    begins = np.arange(x.shape[1] - MOVE + 1)
    size = np.abs(x[:, begins + MOVE - 1, CLOSE] - x[:, begins, OPEN])
    size[np.abs(begins - start[:, None]) < APART] = -1
    other, differ = size.argmax(1), some(windows, 0.5, rng)
    ends = {START: (start + other) // 2, END: (end + other + MOVE - 1) // 2}
    own = {START: start, END: end}
    return bars, windows.assign(**{name: whole(np.where(differ, ends[name], own[name])) for name in ends})
