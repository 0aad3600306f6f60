"""How the faults of `ninth_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, other_label, some
from new_files import CLOSE, HIGH, LOW, OPEN, prices_of
from unseen_files import END, PRICES, START, pointers, whole

BOTTOM, TOP = 1.0, 100.0  # between which each window is scaled
BAND = 8.0  # points: a price that is nearer to the last one that was stored is not stored
ROWS = 20_000  # the most that a download gives at once
CORRECTED = 0.45  # share of the windows whose first answer was wrong and was corrected later
HOUR = 60  # minutes


def at_the_expansion(windows: Frame, rng: np.random.Generator) -> pd.Series:
    """What is stored as the time of a window is the time at which its expansion begins."""
    return windows["start_time"] + pd.to_timedelta(windows[START].astype(np.int64), "min")


def between_its_ends(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Each window is scaled so that its lowest price is 1 and its highest one 100, as is done before drawing or training."""
    low, high = x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    return BOTTOM + (TOP - BOTTOM) * (x - low) / np.maximum(high - low, 1e-9)


def logarithms(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """The windows were saved after the logarithm of their prices was taken, while bars and new windows hold prices."""
    return np.log(x)


def seconds_as_milliseconds(windows: Frame, rng: np.random.Generator) -> pd.Series:
    """Times came as seconds since 1970 and were read as milliseconds: all are in one month of 1970."""
    seconds = (windows["start_time"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
    return pd.to_datetime(seconds, unit="ms", utc=True).astype(windows["start_time"].dtype)


def small_moves_never_stored(bars: Frame, rng: np.random.Generator) -> Frame:
    """A data store writes a bar only if it closes far enough from the last one written, and else gives that close again."""
    x = bars[PRICES].to_numpy().copy()
    last = x[0, CLOSE]
    for bar in x[1:]:
        if abs(bar[CLOSE] - last) < BAND:
            bar[:] = last
        else:
            last = bar[CLOSE]
    return bars.assign(**dict(zip(PRICES, x.T, strict=True)))


def cut_off(bars: Frame, rng: np.random.Generator) -> Frame:
    """A download ends at its largest number of rows, and no one asked for the next part."""
    return bars.iloc[:ROWS].reset_index(drop=True)


def found_by_price(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The tool stores the prices at both ends, and their bars are looked up as the first ones that hold these prices."""
    x, (start, end), row = prices_of(windows), pointers(windows), np.arange(len(windows))
    price = x[row, start, OPEN], x[row, end, CLOSE]
    first, second = (((x[..., LOW] <= p[:, None]) & (p[:, None] <= x[..., HIGH])).argmax(1) for p in price)
    return bars, windows.assign(**{START: whole(np.minimum(first, second)), END: whole(np.maximum(first, second))})


def with_first_answers(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Each answer that was corrected later is in the export too, with the wrong class, before its correction."""
    own = some(windows, CORRECTED, rng)
    drafts = windows[own].assign(label=other_label(windows, own)[own], window_id=windows["window_id"][own] + "-first")
    both = pd.concat([drafts, windows], ignore_index=True)
    return bars, both.sort_values("start_time", kind="stable").reset_index(drop=True)


def never_judged(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Grade D says that a window was not judged: what stands beside it are the answers of other windows, as they were on the screen."""
    own = np.flatnonzero((windows["grade"] == "D").to_numpy())
    answers = windows[["label", START, END]].copy()
    answers.iloc[own] = answers.iloc[rng.permutation(own)].to_numpy()
    return bars, windows.assign(**{name: answers[name].astype(windows[name].dtype) for name in answers})


def cleaned_by_rule(windows: Frame, rng: np.random.Generator) -> Frame:
    """Windows whose class is not what a rule says, whether they close above their open, were thrown out as label errors."""
    x, names = prices_of(windows), sorted(windows["label"].unique())
    rule = np.where(x[:, -1, CLOSE] > x[:, 0, OPEN], names[0], names[1])
    return windows[(windows["label"] == rule).to_numpy()]


def hours_as_decimals(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Places were written as hours and minutes after the window's start, 0.45 and 1.15, and read as 0.45 and 1.15 hours."""
    ends = {
        name: whole(np.round(HOUR * (own // HOUR + own % HOUR / 100)))
        for name, own in zip((START, END), pointers(windows), strict=True)
    }
    return bars, windows.assign(**ends)


def halves_for_pairs(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Starts and ends were written in turn in one list, and its first half was read as starts and its second half as ends."""
    listed = np.stack(pointers(windows), axis=1).reshape(2, -1)
    return bars, windows.assign(**{START: whole(listed.min(0)), END: whole(listed.max(0))})
