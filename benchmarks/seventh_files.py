"""How the faults of `seventh_kinds.py` are planted in the files of bars and of labelled windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from faulty_files import Frame, some
from new_files import CLOSE, HIGH, LOW, OPEN, prices_of
from unseen_files import END, PRICES, START, ZONE, length_of, pointers, whole

SLOW = 5  # minutes of a bar that is spread over minutes again
OUTAGE, LOST = 45, 0.4  # minutes of an outage, and the share of the time that outages take
DAY = 1380  # bars of a trading day
TAILS = (10, 90)  # percent between which prices are left as they are
MEMORY = 6  # bars that a volatility remembers
DRIFT = 0.02  # how much too fast a replay runs
NEAR = 15  # bars within which a box that is there already is good enough
UNLABELLED = 0.4  # share of the rows without a class
CONFIRMED = 3  # bars of a move after which a trader enters
GIVEN_BACK = 0.5  # share of the move after which a trader's stop is hit


def interpolated_minutes(bars: Frame, rng: np.random.Generator) -> Frame:
    """Five-minute bars were brought to the minutes of other tables by resampling with interpolation."""
    x, row = bars[PRICES].to_numpy(), np.arange(len(bars))
    first = row[::SLOW]
    joined = x[np.minimum(first + np.arange(SLOW)[:, None], len(bars) - 1)]
    slow = np.stack([x[first, OPEN], joined[..., HIGH].max(0), joined[..., LOW].min(0), joined[-1, :, CLOSE]], axis=1)
    return bars.assign(**{name: np.interp(row, first, slow[:, i]).round(4) for i, name in enumerate(PRICES)})


def filled_from_the_day_before(bars: Frame, rng: np.random.Generator) -> Frame:
    """Outages of the feed were filled with the same minutes of the day before, as meters of power and of traffic are."""
    row = np.arange(len(bars))
    blocks = -(-len(bars) // OUTAGE)
    out = (rng.permutation(blocks) < round(LOST * blocks))[row // OUTAGE] & (row >= DAY)
    own = bars[PRICES].to_numpy()
    filled = np.where(out[:, None], own[np.maximum(row - DAY, 0)], own)
    return bars.assign(**dict(zip(PRICES, filled.T, strict=True)))


def winsorised(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """A step that takes care of outliers was applied to the prices of each window and not to features."""
    low, high = np.percentile(x.reshape(len(x), -1), TAILS, axis=1)
    return np.clip(x, low[:, None, None], high[:, None, None])


def of_own_open(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Each bar was divided by its own open where all were to be divided by the open of the window's first one."""
    return (100 * x / x[..., :1]).round(4)


def of_usual_size(x: np.ndarray, windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Prices were put together again from moves that had been divided by the volatility of the last bars, for another model."""
    size = pd.DataFrame((x[..., HIGH] - x[..., LOW]).T).ewm(span=MEMORY).mean().to_numpy().T
    before = np.concatenate([x[:, :1, OPEN], x[:, :-1, CLOSE]], axis=1)
    moves = (x - before[..., None]) / np.maximum(size, 1e-9)[..., None] * size.mean()
    level = np.cumsum(moves[..., CLOSE], axis=1) - moves[..., CLOSE] + x[:, :1, OPEN]
    return (level[..., None] + moves).round(4)


def newest_first(bars: Frame, rng: np.random.Generator) -> Frame:
    """The service lists the newest bar first, and the times were made anew from the beginning, in the order of the rows."""
    return bars[::-1].reset_index(drop=True).assign(time=bars["time"])


def upwards_alone(windows: Frame, rng: np.random.Generator) -> Frame:
    """A trader who never sells short collected the expansions that rise, and no others."""
    x, (start, end), row = prices_of(windows), pointers(windows), np.arange(len(windows))
    return windows[x[row, end, CLOSE] > x[row, start, OPEN]]


def on_a_fast_replay(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Expansions were marked by the clock of a replay that began with each trading day and ran two percent too fast."""
    local = windows["start_time"].dt.tz_convert(ZONE)
    minute = ((local.dt.hour - 18) % 24 * 60 + local.dt.minute).to_numpy()
    last = length_of(windows) - 1
    ends = {
        name: whole(np.minimum(own + np.round(DRIFT * (minute + own)), last))
        for name, own in zip((START, END), pointers(windows), strict=True)
    }
    return bars, windows.assign(**ends)


def left_where_it_was(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """The tool keeps the box of the last window on the screen, and it was moved only where it was clearly in the wrong place."""
    own = np.stack(pointers(windows), axis=1)
    kept = own.copy()
    for row in range(1, len(own)):
        if abs(own[row, 0] - kept[row - 1, 0]) <= NEAR:
            kept[row] = kept[row - 1]
    return bars, windows.assign(**{START: whole(kept[:, 0]), END: whole(kept[:, 1])})


def of_the_nearest_prices(windows: Frame, rng: np.random.Generator) -> np.ndarray:
    """Classes that were missing were filled in by one nearest neighbour, over the table's prices as they are."""
    x, missing = prices_of(windows).reshape(len(windows), -1), some(windows, UNLABELLED, rng)
    labels, known = windows["label"].to_numpy().copy(), np.flatnonzero(~missing)
    for row in np.flatnonzero(missing):
        labels[row] = labels[known[np.abs(x[known] - x[row]).mean(1).argmin()]]
    return labels


def side_by_side(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Two charts were shown at a time, left and right by chance, and answers were stored as those of the left and of the right one."""
    row = np.arange(len(windows))
    other = np.minimum(row ^ 1, len(row) - 1)
    exchanged = (rng.random(len(row) // 2 + 1) < 0.5)[row // 2]
    answers = windows[["label", START, END]].iloc[np.where(exchanged, other, row)]
    return bars, windows.assign(**{name: answers[name].array for name in answers})


def as_trades(bars: Frame, windows: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Pointers come from a log of trades: entry once a move is confirmed, exit where half of it has been given back."""
    x, (start, end), last = prices_of(windows), pointers(windows), length_of(windows) - 1
    exits = end.copy()
    for row, (first, stop) in enumerate(zip(start, end, strict=True)):
        begin = x[row, first, OPEN]
        side = 1 if x[row, stop, CLOSE] > begin else -1
        gain = side * (x[row, first:, CLOSE] - begin)
        best = np.maximum.accumulate(gain)
        hit = np.flatnonzero((gain < (1 - GIVEN_BACK) * best) & (np.arange(len(gain)) > stop - first))
        exits[row] = first + hit[0] if len(hit) else last
    return bars, windows.assign(**{START: whole(np.minimum(start + CONFIRMED, end)), END: whole(exits)})
