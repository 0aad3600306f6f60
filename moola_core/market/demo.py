"""The demo market: a seeded simulator of 1-minute bars with known truth.

Ticks of 0.25, sessions with a daily break and weekends, a U-shaped day, volatility clustering and fat tails, and a
grammar of episodes: a pattern (consolidation: quiet and mean-reverting; retracement: a leg and its pullback), then
an expansion. Three worlds differ in what the bars outside the labelled windows hold:

- helpful: the same grammar, over and over, so that unlabelled bars carry the structure that labels need.
- neutral: no episode, only the plain market.
- harmful: no episode, and everywhere (in the windows too) a strong cycle in the bars' ranges that has nothing to do with
  the labels: whatever describes these bars best describes the cycle.

Which world helps, and how much, is for measurement to show, not for the name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numba import njit

from moola_core.errors import DataError, StoreError
from moola_core.market.bars import Bars, bars_from_arrays
from moola_core.market.frames import bars_frame, windows_frame
from moola_core.market.readers import write_table
from moola_core.market.windows import Windows, locate, windows_from_arrays

World = Literal["helpful", "neutral", "harmful"]
WORLDS: tuple[World, ...] = ("helpful", "neutral", "harmful")
TICK = 0.25
FIRST_PRICE = 15_000.0
SESSION_BARS = 1380
SUBSTEPS = 6
WINDOW_BARS = 105
START_RANGE, END_RANGE = (23, 85), (31, 95)
RETRACEMENT_SHARE = 93 / 174
D_SHARE = 166 / 174


@dataclass(frozen=True)
class Episode:
    """A pattern and its expansion, in bar numbers of the whole series."""

    kind: str
    leg: int
    pattern: int
    expansion: int
    end: int
    direction: int
    clarity: float


@dataclass(frozen=True)
class Demo:
    """Bars, labelled windows (grade D ones included), and the truth behind them."""

    bars: Bars
    windows: Windows
    truth: dict[str, Any]


def make_demo(
    world: World = "helpful", bars: int = 60_000, windows: int = 174, seed: int = 7, clarity: float = 1.0
) -> Demo:
    """Simulate `bars` bars and label `windows` windows of them, besides the grade D ones; clarity: how strongly patterns show.

    The same arguments give the same bits. Raises DataError when the bars hold too few episodes for the windows.
    """
    if world not in WORLDS:
        raise DataError(f"unknown world {world!r}.", where="demo", hint=f"Known: {', '.join(WORLDS)}.")
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    episodes = _episodes(bars, streams[0])
    labelled, starts, kinds = _choose(episodes, bars, windows, streams[1])
    shown = episodes if world == "helpful" else labelled
    ohlc = _prices(bars, shown, world, clarity, streams[2])
    series = bars_from_arrays(_session_times(bars), ohlc, volume=_volume(ohlc, streams[3]))
    table = _table(series, labelled, starts, kinds)
    truth = {
        "world": world,
        "seed": seed,
        "bars": bars,
        "episodes": [vars(episode) for episode in shown],
        "windows": [
            {"window_id": str(name), "position": int(p), "kind": e.kind, "clarity": e.clarity}
            for name, p, e in zip(table.window_id, starts, labelled, strict=True)
        ],
    }
    return Demo(series, locate(table, series), truth)


def write_demo(out: str | Path, demo: Demo) -> dict[str, Path]:
    """Write bars.parquet, windows.parquet and truth.json into the folder `out`; returns their paths."""
    out = Path(out)
    paths = {name: out / f"{name}.{'json' if name == 'truth' else 'parquet'}" for name in ("bars", "windows", "truth")}
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_table(bars_frame(demo.bars), paths["bars"])
        write_table(windows_frame(demo.windows), paths["windows"])
        paths["truth"].write_text(json.dumps(demo.truth, indent=1), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=str(out), hint="Choose another folder."
        ) from None
    return paths


def _episodes(bars: int, rng: np.random.Generator) -> list[Episode]:
    """Non-overlapping episodes over the whole series, with plain market between them."""
    episodes, at = [], 60
    while at < bars - 120:
        kind = "retracement" if rng.random() < RETRACEMENT_SHARE else "consolidation"
        leg, pattern, expansion = int(rng.integers(10, 22)), int(rng.integers(24, 50)), int(rng.integers(6, 12))
        clarity = float(rng.beta(2.0, 2.0))
        episodes.append(
            Episode(
                kind,
                at,
                at + leg,
                at + leg + pattern,
                at + leg + pattern + expansion,
                int(rng.choice([-1, 1])),
                clarity,
            )
        )
        at = episodes[-1].end + 1 + int(rng.integers(25, 60))
    return episodes


def _choose(
    episodes: list[Episode], bars: int, windows: int, rng: np.random.Generator
) -> tuple[list[Episode], np.ndarray, list[str]]:
    """The episodes to label, where their windows start, and their grades; the least clear ones get grade D."""
    ungraded = round(windows * D_SHARE)
    candidates = []
    for episode in episodes:
        shift = int(rng.integers(START_RANGE[0], START_RANGE[1] + 1))
        shift = min(shift, END_RANGE[1] - (episode.end - episode.expansion))
        start = episode.expansion - shift
        in_session = start // SESSION_BARS == (start + WINDOW_BARS - 1) // SESSION_BARS
        if (
            start >= 0
            and start + WINDOW_BARS <= bars
            and in_session
            and shift + episode.end - episode.expansion >= END_RANGE[0]
        ):
            candidates.append((episode, start))
    labelled: list[tuple[Episode, int, str]] = []
    quota = {"retracement": round(windows * RETRACEMENT_SHARE)}
    quota["consolidation"] = windows - quota["retracement"]
    pool = [candidates[i] for i in rng.permutation(len(candidates))]
    pool.sort(key=lambda item: item[0].clarity < 0.25)  # the unclear ones last, where grade D takes them
    for kind, count in quota.items():
        own = [item for item in pool if item[0].kind == kind][:count]
        if len(own) < count:
            raise DataError(
                f"{bars} bars hold too few episodes for {windows} windows.",
                where="demo",
                hint=f"Ask for at least {windows * 320} bars.",
            )
        labelled += [
            (episode, start, "A" if episode.clarity > 0.6 else "B" if episode.clarity > 0.4 else "C")
            for episode, start in own
        ]
    taken = {episode.leg for episode, _, _ in labelled}
    spare = [item for item in reversed(pool) if item[0].leg not in taken][:ungraded]
    labelled += [(episode, start, "D") for episode, start in spare]
    labelled.sort(key=lambda item: item[1])
    return [item[0] for item in labelled], np.array([item[1] for item in labelled]), [item[2] for item in labelled]


def _prices(bars: int, episodes: list[Episode], world: World, clarity: float, rng: np.random.Generator) -> np.ndarray:
    """OHLC [bars, 4] on the tick grid."""
    volatility = _volatility(bars, rng)
    drift, scale, pull = np.zeros(bars), np.ones(bars), np.zeros(bars)
    for episode in episodes:
        _shape(episode, clarity, drift, scale, pull)
    if world == "harmful":
        cycle = np.repeat(rng.uniform(5, 14, bars // 50 + 1), 50)[:bars]
        scale *= np.exp(0.9 * np.sin(np.cumsum(2 * np.pi / cycle)))
    steps = rng.standard_t(5, (bars, SUBSTEPS)) / np.sqrt(5 / 3 * SUBSTEPS)
    return _walk(steps, volatility, drift, scale, pull)


def _shape(episode: Episode, clarity: float, drift: np.ndarray, scale: np.ndarray, pull: np.ndarray) -> None:
    """Write one episode's drift, volatility and mean reversion, all in units of the market's own volatility."""
    strength = clarity * (0.4 + 1.2 * episode.clarity)
    leg, pattern = slice(episode.leg, episode.pattern), slice(episode.pattern, episode.expansion)
    expansion = slice(episode.expansion, episode.end + 1)
    if episode.kind == "retracement":
        drift[leg] += 0.5 * strength * episode.direction
        drift[pattern] -= 0.35 * strength * episode.direction
    else:
        scale[pattern] *= 1 - 0.30 * strength
        pull[pattern] += 0.12 * strength
    drift[expansion] += 1.1 * episode.direction
    scale[expansion] *= 1.5


def _volatility(bars: int, rng: np.random.Generator) -> np.ndarray:
    """Points a bar: a U-shaped day times a clustering log-volatility."""
    place = (np.arange(bars) % SESSION_BARS) / SESSION_BARS
    shocks = rng.normal(0, 0.06, bars)
    return 4.0 * (0.7 + 0.9 * (2 * place - 1) ** 2) * np.exp(_autoregress(shocks, 0.985))


@njit(cache=True)
def _autoregress(shocks, keep):
    level = np.empty_like(shocks)
    x = 0.0
    for i in range(len(shocks)):
        x = keep * x + shocks[i]
        level[i] = x
    return level


@njit(cache=True)
def _walk(steps, volatility, drift, scale, pull):
    """Walk the price through SUBSTEPS steps a bar and round to ticks; `pull` draws it to where the pattern began."""
    n, m = steps.shape
    out = np.empty((n, 4))
    price, anchor = FIRST_PRICE, FIRST_PRICE
    for i in range(n):
        if pull[i] == 0.0:
            anchor = price
        size = volatility[i] * scale[i]
        first = high = low = price
        for j in range(m):
            price += size * steps[i, j] + volatility[i] * drift[i] / m - pull[i] * (price - anchor) / m
            high, low = max(high, price), min(low, price)
        price = max(price, 1000.0)
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = (
            round(first / TICK) * TICK,
            round(max(high, price) / TICK) * TICK,
            round(min(low, price) / TICK) * TICK,
            round(price / TICK) * TICK,
        )
    return out


def _session_times(bars: int) -> np.ndarray:
    """UTC start times: sessions of 23 hours from 18:00 New York, Sunday to Thursday evenings."""
    days = -(-bars // SESSION_BARS)
    evenings = pd.bdate_range("2020-09-06", periods=days, freq="C", weekmask="Sun Mon Tue Wed Thu") + pd.Timedelta(
        hours=18
    )
    opens = evenings.tz_localize("America/New_York").tz_convert("UTC").tz_localize(None).to_numpy("datetime64[ns]")
    minutes = np.arange(SESSION_BARS) * np.timedelta64(60_000_000_000, "ns")
    return (opens[:, None] + minutes[None, :]).ravel()[:bars]


def _volume(ohlc: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.round(40 * (ohlc[:, 1] - ohlc[:, 2] + 1) * rng.lognormal(0, 0.4, len(ohlc)))


def _table(bars: Bars, episodes: list[Episode], starts: np.ndarray, grades: list[str]) -> Windows:
    prices = np.stack([bars.ohlc[i : i + WINDOW_BARS] for i in starts])
    return windows_from_arrays(
        prices,
        [episode.kind for episode in episodes],
        expansion_start=[episode.expansion - start for episode, start in zip(episodes, starts, strict=True)],
        expansion_end=[episode.end - start for episode, start in zip(episodes, starts, strict=True)],
        window_id=[f"demo_{i:04d}" for i in range(len(starts))],
        grade=grades,
        start_time=pd.Series(bars.time[starts]).dt.tz_localize("UTC"),
        source=["demo"] * len(starts),
    )
