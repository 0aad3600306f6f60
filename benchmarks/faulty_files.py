"""How faults are planted in the files of bars and of labelled windows; `fault_kinds.py` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Frame = pd.DataFrame
Files = Callable[[Frame, Frame, np.random.Generator], tuple[Frame, Frame]]


def prices(change: Callable[[np.ndarray, Frame, np.random.Generator], np.ndarray]) -> Files:
    """A fault of the prices [n, K, 4] of the windows."""

    def plant(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
        changed = change(np.array([np.array(one) for one in windows["features"]], float), windows, rng)
        return bars, windows.assign(features=[[list(bar) for bar in one] for one in changed])

    return plant


def column(name: str, change: Callable[[Frame, np.random.Generator], Any]) -> Files:
    """A fault of one column of the windows."""
    return lambda bars, windows, rng: (bars, windows.assign(**{name: change(windows, rng)}))


def rows(change: Callable[[Frame, np.random.Generator], Frame]) -> Files:
    """A fault of which windows there are."""
    return lambda bars, windows, rng: (bars, change(windows, rng).reset_index(drop=True))


def of_bars(change: Callable[[Frame, np.random.Generator], Frame]) -> Files:
    """A fault of the file of bars."""
    return lambda bars, windows, rng: (change(bars.copy(), rng), windows)


def some(frame: Frame, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the rows, as a mask."""
    return rng.permutation(len(frame)) < round(share * len(frame))


def other_label(windows: Frame, where: np.ndarray) -> np.ndarray:
    """The labels, another class where the mask says so."""
    names = sorted(windows["label"].unique())
    following = dict(zip(names, [*names[1:], names[0]], strict=True))
    return np.where(where, windows["label"].map(following), windows["label"])


def spiked(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    at = (np.arange(len(x)), rng.integers(0, x.shape[1], len(x)))
    x[(*at, 1)] *= 1.2
    return x


def noisy(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Each price moved by itself; high and low stay the ends of the bar."""
    moved = x + x.std(1, keepdims=True) * rng.normal(size=x.shape)
    moved[..., 1], moved[..., 2] = moved.max(-1), moved.min(-1)
    return moved


def flat_runs(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    for one, first in zip(x, rng.integers(0, x.shape[1] // 2, len(x)), strict=True):
        one[first : first + x.shape[1] // 2] = one[first, 3]
    return x


def scaled_part(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    x[some(windows, 0.5, rng)] /= 100
    return x


def coarse(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    tick = 4 * np.median(x[:, :, 1] - x[:, :, 2])
    return np.round(x / tick) * tick


def reversed_part(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    where = some(windows, 0.5, rng)
    x[where] = x[where, ::-1][..., [3, 1, 2, 0]]
    return x


def filled(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    for one in x:
        gone = rng.permutation(x.shape[1] - 1)[: x.shape[1] // 2] + 1
        for bar in np.sort(gone):
            one[bar] = one[bar - 1, 3]
    return x


def marked(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A shortcut: the first bar tells the class in the older two thirds of the windows, and nothing in the newest."""
    positive = (windows["label"] == sorted(windows["label"].unique())[0]).to_numpy()
    old = windows["start_time"].rank(pct=True).to_numpy() < 2 / 3
    x[positive & old, 0] += (x[:, :, 1] - x[:, :, 2]).mean(1)[positive & old, None] * 8
    return x


def one_bar_later(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """The open of a bar is that of the bar after it: what a wrong join leaves."""
    x[:, :-1, 0] = x[:, 1:, 0]
    return x


def copied(windows: Frame, rng: np.random.Generator, conflict: bool) -> Frame:
    twins = windows[some(windows, 0.3, rng)].copy()
    if conflict:
        twins["label"] = other_label(twins, np.ones(len(twins), bool))
    twins["window_id"] = twins["window_id"].astype(str) + "-copy"
    twins["start_time"] = twins["start_time"] + pd.Timedelta(days=200)
    return pd.concat([windows, twins], ignore_index=True)


def moved(bars_later: Callable[[Frame, np.random.Generator], np.ndarray]) -> Files:
    """Pointers that are moved by some bars."""

    def plant(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
        by, last = bars_later(windows, rng), len(windows["features"].iloc[0]) - 1
        ends = {
            name: pd.array((windows[name] + by).clip(0, last), "Int64") for name in ("expansion_start", "expansion_end")
        }
        return bars, windows.assign(**ends)

    return plant


def pointers(start: Callable[[Frame], Any], end: Callable[[Frame], Any]) -> Files:
    """Pointers that are set anew."""
    return lambda bars, windows, rng: (
        bars,
        windows.assign(
            expansion_start=pd.array(start(windows), "Int64"), expansion_end=pd.array(end(windows), "Int64")
        ),
    )


def grade_b(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Labels at chance in the windows of one grade."""
    own = (windows["grade"] == "B").to_numpy()
    labels = windows["label"].to_numpy().copy()
    labels[own] = rng.permutation(labels[own])
    return labels


def by_price(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    level = np.array([np.mean([bar[3] for bar in one]) for one in windows["features"]])
    names = sorted(windows["label"].unique())
    return np.where(level > np.median(level), names[0], names[1])


def drifting(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """The meaning of the classes is exchanged in the newest third."""
    return other_label(windows, windows["start_time"].rank(pct=True).to_numpy() > 2 / 3)


def next_row(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    return np.roll(windows["label"].to_numpy(), 1)
