"""How the faults of `third_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, some
from unseen_files import END, START, ZONE, cut, length_of, places, pointers, whole

OPEN, HIGH, LOW, CLOSE = range(4)
TICK = 0.25
WIDTH = 3.0  # bars: standard deviation of a filter
LEAST_SEEN = 0.1  # share of a candle that has passed when it is fetched
RUN, EVERY = 12, 30  # rows that a spreadsheet has filled as a series, of so many
CHART = "15min"


def smoothed(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A filter without lag, run forwards and backwards as for any physiological signal, before the windows are stored."""
    reach = int(4 * WIDTH)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / WIDTH) ** 2)
    padded = np.pad(x, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    parts = np.lib.stride_tricks.sliding_window_view(padded, len(kernel), axis=1)
    return parts @ (kernel / kernel.sum())


def sorted_as_text(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Windows were cut, row after row, from a table that was sorted by its times as text: 10:00 comes after 0:59."""
    local = bars["time"].dt.tz_convert(ZONE)
    day = local.dt.month.astype(str) + "/" + local.dt.day.astype(str) + "/" + local.dt.year.astype(str)
    text = day + " " + local.dt.hour.astype(str) + ":" + local.dt.strftime("%M")
    order = np.argsort(text.to_numpy().astype(str), kind="stable")
    at, length = np.argsort(order)[places(bars, windows)], length_of(windows)
    fits = at + length <= len(bars)
    rows = cut(bars.iloc[order], np.where(fits, at, 0), length)
    features = [new if fit else old for new, old, fit in zip(rows, windows["features"], fits, strict=True)]
    return bars, windows.assign(features=features)


def of_two_periods(windows: Frame, rng: np.random.Generator) -> Frame:
    """One class was collected in the first half of the time and the other in the second."""
    first = (windows["label"] == sorted(windows["label"].unique())[0]).to_numpy()
    return windows[first == (windows["start_time"].rank(pct=True) <= 0.5).to_numpy()]


def exchanged_in_a_campaign(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Three campaigns were merged, one of which had its prices from a service that writes close, high, low, open."""
    x = np.array([np.array(one) for one in windows["features"]], float)
    campaign = rng.permutation(len(windows)) % 3
    x[campaign == 1] = x[campaign == 1][..., [CLOSE, HIGH, LOW, OPEN]]
    return bars, windows.assign(features=x.tolist(), source=[f"campaign_{number + 1}" for number in campaign])


def unfinished(bars: Frame, rng: np.random.Generator) -> Frame:
    """Candles of an exchange that never closes, fetched at some moment before they were complete and not fetched again."""
    seen, first = rng.uniform(LEAST_SEEN, 1, len(bars)), bars["open"]

    def so_far(name: str) -> pd.Series:
        return np.round((first + seen * (bars[name] - first)) / TICK) * TICK

    return bars.assign(**{name: so_far(name) for name in ("high", "low", "close")})


def end_at_edge(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """In four windows in ten the box was opened at its start and never closed: its end is the edge of the chart."""
    left, (_, end) = some(windows, 0.4, rng), pointers(windows)
    return bars, windows.assign(**{END: whole(np.where(left, length_of(windows) - 1, end))})


def filled_as_series(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Cells were filled by dragging the first one down, which a spreadsheet continues as a series: 37, 38, 39."""
    row, last = np.arange(len(windows)), length_of(windows) - 1
    step = np.where(row % EVERY < RUN, row % EVERY, 0)
    ends = {
        name: whole(np.minimum(own[row - step] + step, last))
        for name, own in zip((START, END), pointers(windows), strict=True)
    }
    return bars, windows.assign(**ends)


def unclear_in_one_class(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """There was no class for what the annotator could not tell, so all windows of the least grade went into the first one."""
    return np.where(windows["grade"] == "C", sorted(windows["label"].unique())[0], windows["label"])


def not_looked_at(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Half as many windows as take part were drawn at random from the bars and given the first class, without anyone's look."""
    length, wanted = length_of(windows), int((windows["grade"] != "D").sum()) // 2
    time = bars["time"].astype("int64").to_numpy()
    step = np.median(np.diff(time))
    free = np.flatnonzero(time[length - 1 :] - time[: len(time) - length + 1] == (length - 1) * step)
    at = np.sort(rng.choice(np.setdiff1d(free, places(bars, windows)), wanted, replace=False))
    added = windows.iloc[np.zeros(wanted, int)].assign(
        window_id=[f"background_{i:04d}" for i in range(wanted)],
        label=sorted(windows["label"].unique())[0],
        features=cut(bars, at, length),
        start_time=pd.DatetimeIndex(bars["time"].iloc[at]).astype(windows["start_time"].dtype),
        grade="A",
        source="background",
        **{name: pd.array([pd.NA] * wanted, "Int64") for name in (START, END)},
    )
    return bars, pd.concat([windows, added], ignore_index=True)


def one_class_alone(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Expansions were marked in the windows of one class, and the session ended before those of the other were."""
    unmarked = (windows["label"] == sorted(windows["label"].unique())[0]).to_numpy()
    return bars, windows.assign(**{name: windows[name].astype("Int64").mask(unmarked) for name in (START, END)})


def of_quarter_hours(bars: Frame, rng: np.random.Generator) -> Frame:
    """The file of bars for pre-training is that of the fifteen-minute chart."""
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    own = {name: how.get(name, "first") for name in bars.columns if name != "time"}
    slow = bars.resample(CHART, on="time").agg(own).dropna(subset=["open"]).reset_index()
    return slow[list(bars.columns)]
