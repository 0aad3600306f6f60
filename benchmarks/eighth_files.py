"""How the faults of `eighth_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, other_label, some
from new_files import CLOSE, HIGH, LOW, OPEN, prices_of
from unseen_files import END, PRICES, START, cut, length_of, places, pointers, whole

GONE = 0.25  # share of a window's bars that are missing
JOINED = 2  # bars that are joined into one
LEFT_OVER = 45  # bars of a buffer that still hold the window before
DAY = 1380  # bars of a trading day
WORKERS, CARELESS = 5, (1, 3)  # how many people answered, and which of them without a look
APART = 12.0  # bars: standard deviation of where annotators see the end of an expansion
MISTYPED = 0.45  # share of the rows that were typed in a hurry
DENSE = 0.45  # share of the rows that were labelled on a screen of twice the density


def filled_with_means(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the bars is missing, and an imputer put the mean of each column of the window in their place."""
    gone = rng.random(x.shape[:2]) < GONE
    known = np.where(gone[..., None], np.nan, x)
    return np.where(gone[..., None], np.nanmean(known, axis=1, keepdims=True).round(4), x)


def joined_by_means(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Two-minute bars were made by the mean of every column, where open, high, low and close each need a way of their own."""
    at, length, (start, end) = places(bars, windows), length_of(windows), pointers(windows)
    number = np.arange(len(bars)) // JOINED
    slow = bars.iloc[::JOINED].reset_index(drop=True)
    slow = slow.assign(**{name: bars[name].groupby(number).mean() for name in (*PRICES, "volume")})
    first = (at - start) // JOINED
    fits = (first >= 0) & (first + length <= len(slow)) & ~pd.Series(first).duplicated().to_numpy()  # all but a few
    at, first, (start, end), windows = at[fits], first[fits], (start[fits], end[fits]), windows[fits]
    times = pd.Series(pd.DatetimeIndex(slow["time"].iloc[first]), windows.index).astype(windows["start_time"].dtype)
    ends = {name: whole((at + own) // JOINED - first) for name, own in ((START, start), (END, end))}
    windows = windows.assign(features=cut(slow, first, length), start_time=times, **ends)
    return slow, windows.reset_index(drop=True)


def left_over(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """One buffer was used for all windows and not emptied: its first bars were never written again after the window before."""
    x[1:, :LEFT_OVER] = x[:-1, :LEFT_OVER].copy()
    return x


def day_and_month_exchanged(windows: Frame, rng: np.random.Generator) -> pd.Series:
    """Dates were written with the day first and read with the month first, wherever that gives a date."""
    times = [time.replace(month=time.day, day=time.month) if time.day <= 12 else time for time in windows["start_time"]]
    return pd.Series(times, windows.index).astype(windows["start_time"].dtype)


def vendor_of_class(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Each class was collected from another vendor, and one of the two has no highs and lows beyond open and close."""
    own = (windows["label"] == sorted(windows["label"].unique())[0]).to_numpy()
    x = prices_of(windows)
    ends = x[own][..., [OPEN, CLOSE]]
    x[own] = np.stack([ends[..., 0], ends.max(-1), ends.min(-1), ends[..., 1]], axis=-1)
    return bars, windows.assign(features=x.tolist(), source=np.where(own, "vendor_2", "vendor_1"))


def without_signs(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Prices were put together from moves that a spreadsheet writes as (1.25) where they are negative, and these were read as 1.25."""
    moves = x - x[..., :1]
    falls = (moves[..., CLOSE] < 0)[..., None]
    moves = np.where(falls, -moves[..., [OPEN, LOW, HIGH, CLOSE]], moves)
    level = x[:, :1, OPEN] + np.cumsum(moves[..., CLOSE], axis=1) - moves[..., CLOSE]
    return level[..., None] + moves


def one_day_again(bars: Frame, rng: np.random.Generator) -> Frame:
    """The download asks for day after day and is given the first one each time, whose prices were stored under all dates."""
    row = np.arange(len(bars)) % DAY
    return bars.assign(**{name: bars[name].to_numpy()[row] for name in (*PRICES, "volume")})


def careless_workers(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Of five paid workers, named in the column source, two clicked anywhere to be done sooner."""
    worker, last = rng.permutation(len(windows)) % WORKERS, length_of(windows) - 1
    careless, (start, end) = np.isin(worker, CARELESS), pointers(windows)
    anywhere = rng.integers(0, last - 20, len(windows))
    ends = {
        START: np.where(careless, anywhere, start),
        END: np.where(careless, anywhere + rng.integers(4, 20, len(windows)), end),
    }
    return bars, windows.assign(
        label=other_label(windows, careless & (rng.random(len(windows)) < 0.5)),
        source=[f"worker_{number + 1}" for number in worker],
        **{name: whole(values) for name, values in ends.items()},
    )


def union_of_boxes(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Three annotators drew a box each, and what is stored is the smallest box that holds all three."""
    (start, end), last = pointers(windows), length_of(windows) - 1
    starts, stops = (np.round(own + rng.normal(0, APART, (3, len(own)))) for own in (start, end))
    ends = {START: np.minimum(starts, stops).min(0), END: np.maximum(starts, stops).max(0)}
    return bars, windows.assign(**{name: whole(values.clip(0, last)) for name, values in ends.items()})


def digits_exchanged(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Numbers were typed from paper, with the two digits exchanged in many rows: 37 became 73; the two ends were then put into order."""
    own, (start, end) = some(windows, MISTYPED, rng), pointers(windows)
    first, second = (np.where(own & (p < 100), p % 10 * 10 + p // 10, p) for p in (start, end))
    return bars, windows.assign(**{START: whole(np.minimum(first, second)), END: whole(np.maximum(first, second))})


def of_a_dense_screen(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """On screens of twice the density the tool takes one point for two, so that places there are half of what they should be."""
    own = some(windows, DENSE, rng)
    ends = zip((START, END), pointers(windows), strict=True)
    return bars, windows.assign(**{name: whole(np.where(own, values // 2, values)) for name, values in ends})


def in_order_of_text(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Windows are listed by number and answers by the text of the number (1, 10, 100, 101), and the two lists were put side by side."""
    ids = np.array([str(number + 1) for number in range(len(windows))])
    answers = windows[["label", START, END]].iloc[np.argsort(ids, kind="stable")]
    return bars, windows.assign(window_id=ids.astype(object), **{name: answers[name].array for name in answers})


def missing_in_the_mapping(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Classes came divided by direction, and one of the finer names is not in the table that joins them: it got the first class."""
    x, (start, end), row = prices_of(windows), pointers(windows), np.arange(len(windows))
    falls = x[row, end, CLOSE] < x[row, start, OPEN]
    names = sorted(windows["label"].unique())
    return np.where(falls & (windows["label"] == names[-1]).to_numpy(), names[0], windows["label"])
