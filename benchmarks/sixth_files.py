"""How the faults of `sixth_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, other_label, some
from new_files import CLOSE, HIGH, LOW, OPEN
from third_files import TICK
from unseen_files import END, PRICES, START, ZONE, cut, length_of, places, pointers, whole

OTHER = (0.18, 0.24)  # what another instrument takes of our prices, and of moves that are its own
PARTS = 32  # of a point, in which bonds are quoted
DELAY = 15  # minutes by which a free feed is late
PRACTICE, EXAMPLES = 0.2, 8  # windows for practice, as a share of the others, and how many different ones there are
THINNED = 2  # bars of which one is kept
PAGE = 35  # bars on a page of a download
SESSION = 40  # windows that are labelled at a sitting
TIRED = 20  # bars by which pointers are off at its end
SIDES = 20  # windows after which the two buttons change their sides
PATTERN = 30  # bars before an expansion that its pattern takes


def average_as_close(bars: Frame, rng: np.random.Generator) -> Frame:
    """The vendor's file has a column of the average price of each bar beside that of the close, and it was taken for the close."""
    return bars.assign(close=bars[PRICES].mean(axis=1).round(2))


def another_instrument(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Of three campaigns, one had its prices joined by time from a related instrument, which moves half with ours and half by itself."""
    own = bars[PRICES].to_numpy()
    other = np.round((OTHER[0] * own + OTHER[1] * own[::-1][:, [CLOSE, HIGH, LOW, OPEN]]) / TICK) * TICK
    campaign = rng.permutation(len(windows)) % 3
    theirs = cut(pd.DataFrame(other, columns=PRICES), places(bars, windows), length_of(windows))
    features = [new if own else old for new, old, own in zip(theirs, windows["features"], campaign == 1, strict=True)]
    return bars, windows.assign(features=features, source=[f"campaign_{number + 1}" for number in campaign])


def thirty_seconds(bars: Frame, rng: np.random.Generator) -> Frame:
    """Prices are quoted in points and thirty-seconds, and 117'24 was read as 117.24: a point ends at .31 and the next one begins."""
    quoted = {name: (bars[name] // PARTS + bars[name] % PARTS / 100).round(4) for name in PRICES}
    return bars.assign(**quoted)


def delayed_feed(bars: Frame, rng: np.random.Generator) -> Frame:
    """On every third trading day the live feed failed and the free one stood in, whose prices come a quarter of an hour late."""
    day = (bars["time"].dt.tz_convert(ZONE) + pd.Timedelta(hours=6)).dt.date
    late = pd.Series(pd.factorize(day)[0] % 3 == 2, bars.index)
    before = bars[PRICES].shift(DELAY).fillna(bars[PRICES].iloc[0])
    return bars.assign(**{name: bars[name].mask(late, before[name]) for name in PRICES})


def drawn(kind: int, start: int, length: int) -> np.ndarray:
    """A textbook's picture [K, 4] of a class: quiet, then the expansion; or a leg, half of it back, then the expansion."""
    close, last = np.full(length, 100.0), start + 8
    if kind:
        close[start - 20 : start - 10] += np.linspace(0, 6, 10)
        close[start - 10 : start] += np.linspace(6, 3, 10)
    else:
        close[:start] += 0.4 * np.sin(np.arange(start))
    before = close[start - 1]
    close[start : last + 1] = before + np.linspace(1.5, 12, 9)
    close[last + 1 :] = close[last] + 0.4 * np.sin(np.arange(length - last - 1))
    begin = np.r_[close[0], close[:-1]]
    return np.stack([begin, np.maximum(begin, close) + 0.2, np.minimum(begin, close) - 0.2, close], axis=1).round(2)


def practice_windows(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The tool shows drawn examples between real windows, to train and to check its annotators, and they are in its export."""
    count, length = round(PRACTICE * len(windows)), length_of(windows)
    example = rng.integers(0, EXAMPLES, count)
    start, kind = 25 + 7 * example, example % 2
    # No two are equal to the bit: each is drawn anew at another scale.
    scale = rng.uniform(0.8, 1.25, count)
    names = sorted(windows["label"].unique())
    added = windows.iloc[np.zeros(count, int)].assign(
        window_id=[f"practice_{i:04d}" for i in range(count)],
        label=[names[own] for own in kind],
        features=[(one * drawn(*own, length)).round(4).tolist() for one, *own in zip(scale, kind, start, strict=True)],
        grade="A",
        source="practice",
        **{START: whole(start), END: whole(start + 8)},
    )
    added["start_time"] = pd.Series(pd.NaT, added.index, dtype=windows["start_time"].dtype)
    order = rng.permutation(len(windows) + count)
    return bars, pd.concat([windows, added]).iloc[order].reset_index(drop=True)


def thinned(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Two-minute bars were made by keeping every second row, and not by joining two: half of what happened is in no bar."""
    at, length, (start, end) = places(bars, windows), length_of(windows), pointers(windows)
    kept = bars.iloc[::THINNED].reset_index(drop=True)
    first = ((at - start) // THINNED).clip(0, len(kept) - length)
    ends = [((at + pointer + part) // THINNED - first) for pointer, part in ((start, 1), (end, 0))]
    ends[1] = np.maximum(*ends)
    times = pd.Series(pd.DatetimeIndex(kept["time"].iloc[first]), windows.index).astype(windows["start_time"].dtype)
    places_of = {name: whole(own.clip(0, length - 1)) for name, own in zip((START, END), ends, strict=True)}
    return kept, windows.assign(features=cut(kept, first, length), start_time=times, **places_of)


def pages_in_wrong_order(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Half of the windows was fetched in pages of 35 bars, of which the exchange sends the newest first, and joined as they came."""
    bar = np.arange(x.shape[1])
    pages = [bar[i : i + PAGE] for i in range(0, len(bar), PAGE)]
    own = some(windows, 0.5, rng)
    x[own] = x[own][:, np.concatenate(pages[::-1])]
    return x


def width_as_end(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Boxes of one tool are a place and a width, which were read as two ends and put into order: 50 and 9 became 9 to 50."""
    own, (start, end) = some(windows, 0.4, rng), pointers(windows)
    second = np.where(own, end - start + 1, end)
    return bars, windows.assign(**{START: whole(np.minimum(start, second)), END: whole(np.maximum(start, second))})


def set_against_the_one_before(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Where the annotator was not sure, in half of the rows, the class is another than that of the row before."""
    names = sorted(windows["label"].unique())
    following = dict(zip(names, [*names[1:], names[0]], strict=True))
    labels, unsure = list(windows["label"]), some(windows, 0.5, rng)
    for row in np.flatnonzero(unsure[1:]) + 1:
        labels[row] = following[labels[row - 1]]
    return np.array(labels, object)


def tired(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Windows are labelled forty at a sitting, the first ones with care and the last ones by chance."""
    share, last = np.arange(len(windows)) % SESSION / (SESSION - 1), length_of(windows) - 1
    by = np.round(rng.normal(size=len(windows)) * TIRED * share**2).astype(int)
    ends = zip((START, END), pointers(windows), strict=True)
    labels = other_label(windows, rng.random(len(windows)) < 0.5 * share)
    return bars, windows.assign(label=labels, **{name: whole((own + by).clip(0, last)) for name, own in ends})


def missing_as_zero(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Expansions that were not marked, 35 in a hundred, were empty cells, and these were filled with zeros."""
    unmarked = some(windows, 0.35, rng)
    ends = zip((START, END), pointers(windows), strict=True)
    return bars, windows.assign(**{name: whole(np.where(unmarked, 0, own)) for name, own in ends})


def pattern_of_one_class(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """In windows of the first class the box is around what the class is named after, the bars before the expansion."""
    own, (start, end) = (windows["label"] == sorted(windows["label"].unique())[0]).to_numpy(), pointers(windows)
    ends = {START: np.where(own, np.maximum(start - PATTERN, 0), start), END: np.where(own, start - 1, end)}
    return bars, windows.assign(**{name: whole(values) for name, values in ends.items()})


def side_of_the_button(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """The two buttons change their sides every twenty windows, against a habit, and what is stored is the side and not the class."""
    exchanged = np.arange(len(windows)) // SIDES % 2 == 1
    return other_label(windows, exchanged)
