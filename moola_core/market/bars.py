"""Bars: loading, checking and what a clean series of them holds."""

from __future__ import annotations

import hashlib
import numbers
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core import arguments
from moola_core.errors import DataError, of_data
from moola_core.market import bars_cache, doubts, plausible, sessions, sources, stamps
from moola_core.market.checks import SHOWN, Report, price_faults, problem, refuse
from moola_core.market.questions import Asking
from moola_core.market.settings import load_reading
from moola_core.market.sources import Source
from moola_core.market.tables import PRICES
from moola_core.specs import ReadOptions

JUMP_RANGES = 20.0
MOST_DROPPED_FRAC = 0.05
WHOLE_DAY = ReadOptions.model_fields["session"].default


@dataclass(frozen=True)
class Gap:
    """A hole: `missing` bars between bar `after` and the next one."""

    after: int
    missing: int


@dataclass(frozen=True, eq=False)
class Bars:
    """A clean series of bars: sorted, unique, UTC.

    time [n] datetime64[ns] UTC start times; ohlc [n, 4] float64; volume [n] or None; contract [n] str or None;
    interval_s: seconds between bars; gaps: holes longer than the reading's max_gap_bars; filler [n] bool or None: bars that
    a vendor put where the market was closed.
    """

    time: np.ndarray
    ohlc: np.ndarray
    volume: np.ndarray | None
    contract: np.ndarray | None
    interval_s: float
    gaps: tuple[Gap, ...]
    report: Report
    source: str = ""
    filler: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def rolls(self) -> np.ndarray:
        """Bar numbers at which the contract changes; nothing may be computed across them."""
        if self.contract is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.contract[1:] != self.contract[:-1]) + 1

    @cached_property
    def breaks(self) -> np.ndarray:
        """Bar numbers that no pre-training window may span: after a gap, or at a roll."""
        return np.union1d(np.array([gap.after + 1 for gap in self.gaps], np.int64), self.rolls)

    @cached_property
    def content_hash(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.time).tobytes())
        digest.update(np.ascontiguousarray(self.ohlc).tobytes())
        digest.update(self.rolls.tobytes())
        return digest.hexdigest()


def contains_break(edges: np.ndarray, first: np.ndarray, length_bars: int) -> np.ndarray:
    """Whether each run of `length_bars` bars from `first` [n] holds one of the sorted `edges` after its first bar."""
    return np.searchsorted(edges, first, "right") < np.searchsorted(edges, first + length_bars, "left")


def shares_bars(first: np.ndarray, reach_bars: int, others: np.ndarray, length_bars: int) -> np.ndarray:
    """Whether [first, first + reach_bars) [n] shares a bar with a window of `length_bars` at any of the sorted `others`."""
    return np.searchsorted(others, first - length_bars, "right") < np.searchsorted(others, first + reach_bars, "left")


def bars_from_arrays(time: np.ndarray, ohlc: np.ndarray, **columns: np.ndarray | None) -> Bars:
    """Bars from arrays, lists, series or tensors; checked as a file is.

    Parameters
    ----------
    time : array-like of datetime64 or datetime, shape (n,)
        Starts of the bars in UTC, or with a zone.
    ohlc : array-like of float, shape (n, 4)
        Open, high, low and close.
    **columns : array-like, shape (n,), optional
        `volume` and `contract`.

    Returns
    -------
    Bars

    Raises
    ------
    SpecError, DataError
        Says which argument is wrong, its shape and the expected one, or which bars.
    """
    prices = arguments.numeric(ohlc, "ohlc", ("bars", 4))
    given = {name: values for name, values in columns.items() if values is not None}
    arguments.refuse_unknown(given, ("volume", "contract"), "bars_from_arrays")
    volume, contract = given.get("volume"), given.get("contract")
    source = Source(
        _moments(time, len(prices)),
        prices,
        None if volume is None else arguments.numeric(volume, "volume", (len(prices),)),
        None
        if contract is None
        else np.asarray([str(name) for name in arguments.column(contract, "contract", len(prices))], object),
        (),
        "arrays",
    )
    with Asking("arrays") as asking:
        return _clean(source, ReadOptions(tz="UTC"), asking)


def _moments(time: object, length: int) -> np.ndarray:
    """Times in UTC [n]. Raises DataError for numbers, whose unit is not known, and for what is no time."""
    if isinstance(time, np.ndarray) and time.dtype.kind == "M" and time.shape == (length,):
        return time.astype("datetime64[ns]")
    entries = arguments.column(time, "time", length)
    if (
        entries
        and isinstance(entries[0], numbers.Number)
        and not isinstance(entries[0], np.datetime64 | np.timedelta64)
    ):
        raise DataError(
            "time holds numbers.", where="time", hint="Give times, such as pandas.to_datetime(time, unit='s')."
        )
    try:
        return (
            pd.to_datetime(pd.Series(entries, dtype=object), utc=True).dt.tz_localize(None).to_numpy("datetime64[ns]")
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"time holds something that is no time: {str(error).splitlines()[0][:120]}.",
            where="time",
            hint="Give times in UTC.",
        ) from None


def load_bars(path: str | Path, reading: ReadOptions | None = None) -> Bars:
    """Bars of a file in any format of `moola_core.market.readers` that holds bars.

    reading: how to understand the file; the one saved next to it, or the defaults, when not given.
    Raises DataError that names the file, the rule, the count and the first rows, and OpenQuestions, which carries the questions
    that the file leaves open.
    """
    reading = reading or load_reading(path)
    known_by = bars_cache.key(path, reading)
    kept = bars_cache.get(known_by)
    if kept is not None:
        return _restored(*kept, str(path))
    with of_data(str(path)), Asking(str(path)) as asking:
        bars = _clean(sources.read(path, reading, asking), reading, asking)
    if plausible.settled(bars.time):
        bars_cache.put(known_by, *_parts(bars))
    return bars


def _parts(bars: Bars) -> bars_cache.Kept:
    """The arrays [n] and the facts of which `_restored` makes the same bars."""
    columns = {"time": bars.time, **{name: bars.ohlc[:, i] for i, name in enumerate(PRICES)}}
    optional = {"volume": bars.volume, "contract": bars.contract, "filler": bars.filler}
    columns |= {name: values for name, values in optional.items() if values is not None}
    gaps = [[gap.after, gap.missing] for gap in bars.gaps]
    notes = {"warnings": bars.report.warnings, "reader": bars.report.reader, "confidence": bars.report.confidence}
    return columns, {"interval_s": bars.interval_s, "gaps": gaps, **notes}


def _restored(columns: dict[str, np.ndarray], facts: dict[str, Any], where: str) -> Bars:
    report = Report("bars", len(columns["time"]), (), tuple(facts["warnings"]), facts["reader"], facts["confidence"])
    gaps = tuple(Gap(after, missing) for after, missing in facts["gaps"])
    ohlc = np.stack([columns[name] for name in PRICES], axis=1)
    volume, contract, filler = (columns.get(name) for name in ("volume", "contract", "filler"))
    return Bars(columns["time"], ohlc, volume, contract, facts["interval_s"], gaps, report, where, filler)


def _clean(source: Source, reading: ReadOptions, asking: Asking) -> Bars:
    """The bars of a source: checked, the bad rows dropped where the reading says so."""
    where, time, ohlc = asking.where, source.time, source.ohlc
    if not len(time):
        raise DataError("no bars in it.", where=where, hint="Export the file again.")
    plausible.refuse_times(time, where)
    kept, notes = _kept(time, ohlc, reading, asking)
    if not kept.all():  # where all stay, a copy of them would only take memory
        time, ohlc = time[kept], ohlc[kept]
    if len(time) < 2:
        raise DataError("fewer than two usable bars.", where=where, hint="Export the file again.")
    interval_s = stamps.interval_s(time)
    plausible.refuse_interval(time, interval_s, where)
    plausible.refuse_scales(ohlc, time, where)
    rows = np.flatnonzero(kept)
    if plausible.running(time, interval_s):
        notes.append(f"The last bar, {str(time[-1])[:19]} UTC, was still running and is left out.")
        time, ohlc, rows = time[:-1], ohlc[:-1], rows[:-1]
    inside = (
        np.ones(len(time), bool)
        if reading.session == WHOLE_DAY
        else sessions.within(time, reading.session, reading.exchange_tz)
    )
    if not inside.all():
        notes.append(
            f"{int(inside.sum())} of {len(time)} bars lie in the session {'-'.join(reading.session)}; the others are left out."
        )
        time, ohlc, rows = time[inside], ohlc[inside], rows[inside]
    if len(time) < 2:
        raise DataError("fewer than two usable bars.", where=where, hint="Check the session and the time zones.")
    contract, volume = (
        values if values is None or len(rows) == len(values) else values[rows]
        for values in (source.contract, source.volume)
    )
    gaps = _gaps(time, interval_s, reading.max_gap_bars)
    filler = doubts.filler(ohlc, volume)
    report = Report("bars", len(time), reader=source.reader, confidence=source.confidence)
    bars = Bars(time, ohlc, volume, contract, interval_s, gaps, report, where, filler)
    warnings = (*source.notes, *notes, *_warnings(bars), *doubts.filler_notes(time, filler, volume))
    return replace(bars, report=replace(report, warnings=warnings))


def _kept(time: np.ndarray, ohlc: np.ndarray, reading: ReadOptions, asking: Asking) -> tuple[np.ndarray, list[str]]:
    """Which rows [n] stay, and a note on those dropped; raises DataError for bad ones unless the reading drops them."""
    faults = {"the time cannot be read": np.isnat(time), **_order_faults(time), **price_faults(ohlc)}
    doubts.refuse_two_series(faults["time occurs twice"], ohlc, asking.where)
    bad = np.any(list(faults.values()), axis=0)
    if not bad.any():
        return ~bad, []
    listed = "; ".join(f"{rule} {int(rows.sum())}" for rule, rows in faults.items() if rows.any())
    if reading.repair == "refuse":
        names = np.array([f"row {i} at {str(moment)[:19]}" for i, moment in enumerate(time)])
        hint = "Fix the rows, or read with --repair drop."
        problems = tuple(p for rule, rows in faults.items() for p in problem(rule, rows, names, hint))
        refuse(Report("bars", len(time), problems), asking.where)
    if reading.repair == "drop" and bad.mean() > MOST_DROPPED_FRAC:
        asking.ask(doubts.drop_many(int(bad.sum()), len(time), listed))
    return ~bad, [f"Dropped {int(bad.sum())} bad rows: {listed}."]


def _order_faults(time: np.ndarray) -> dict[str, np.ndarray]:
    latest = np.fmax.accumulate(time)[:-1]  # passes over times that cannot be read
    return {
        "time is out of order": np.r_[False, latest > time[1:]],
        "time occurs twice": np.r_[False, latest == time[1:]],
    }


def _gaps(time: np.ndarray, interval_s: float, max_gap_bars: int) -> tuple[Gap, ...]:
    missing = np.diff(time).astype(float) / 1e9 / interval_s - 1
    return tuple(Gap(int(i), round(missing[i])) for i in np.flatnonzero(missing > max_gap_bars))


def _warnings(bars: Bars) -> list[str]:
    lines = []
    if bars.gaps:
        largest = max(bars.gaps, key=lambda gap: gap.missing)
        start = str(bars.time[largest.after])[:16].replace("T", " ")
        lines.append(f"{len(bars.gaps)} gaps; the longest, {largest.missing:,} bars, follows {start} UTC.")
    ohlc = bars.ohlc
    jump = np.abs(ohlc[1:, 0] - ohlc[:-1, 3])
    typical = float(np.median(ohlc[:, 1] - ohlc[:, 2]))
    rows = np.flatnonzero(jump > JUMP_RANGES * typical) + 1 if typical > 0 else np.empty(0, int)
    rows = np.setdiff1d(rows, bars.rolls)  # a roll explains the jump at it, and no other
    if len(rows):
        first = ", ".join(str(bars.time[i])[:16] for i in rows[:SHOWN])
        lines.append(
            f"{len(rows)} jumps of more than {JUMP_RANGES:g} median ranges (a contract roll?), first at {first} UTC."
        )
    return lines
