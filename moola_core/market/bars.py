"""Bars: loading, checking and what a clean series of them holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import doubts, readers, tables
from moola_core.market.checks import SHOWN, Report, price_faults, problem, refuse
from moola_core.market.settings import load_reading
from moola_core.specs import Reading

PRICES = ("open", "high", "low", "close")
JUMP_RANGES = 20.0


@dataclass(frozen=True)
class Gap:
    """A hole: `missing` bars between bar `after` and the next one."""

    after: int
    missing: int


@dataclass(frozen=True, eq=False)
class Bars:
    """A clean series of bars: sorted, unique, UTC.

    time [n] datetime64[ns] UTC start times; ohlc [n, 4] float64; volume [n] or None; contract [n] str or None;
    interval_s: seconds between bars; gaps: holes longer than the reading's max_gap_bars.
    """

    time: np.ndarray
    ohlc: np.ndarray
    volume: np.ndarray | None
    contract: np.ndarray | None
    interval_s: float
    gaps: tuple[Gap, ...]
    report: Report
    source: str = ""

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


def crosses(edges: np.ndarray, first: np.ndarray, length_bars: int) -> np.ndarray:
    """Whether each run of `length_bars` bars from `first` [n] holds one of the sorted `edges` after its first bar."""
    return np.searchsorted(edges, first, "right") < np.searchsorted(edges, first + length_bars, "left")


def shares_bars(first: np.ndarray, reach_bars: int, others: np.ndarray, length_bars: int) -> np.ndarray:
    """Whether [first, first + reach_bars) [n] shares a bar with a window of `length_bars` at any of the sorted `others`."""
    return np.searchsorted(others, first - length_bars, "right") < np.searchsorted(others, first + reach_bars, "left")


def bars_from_arrays(time: np.ndarray, ohlc: np.ndarray, **columns: np.ndarray | None) -> Bars:
    """Bars from arrays: time [n] datetime64 UTC, ohlc [n, 4], optionally volume and contract [n]. Checked as a file is."""
    table = pd.DataFrame(np.asarray(ohlc, float), columns=list(PRICES))
    table["time"] = np.asarray(time, "datetime64[ns]")
    for name, values in columns.items():
        if values is not None:
            table[name] = values
    return _clean(table, Reading(tz="UTC"), "arrays")


def load_bars(path: str | Path, reading: Reading | None = None) -> Bars:
    """Bars of a file in any format of `moola_core.market.readers` that holds bars.

    reading: how to understand the file; the one saved next to it, or the defaults, when not given.
    Raises DataError that names the file, the rule, the count and the first rows.
    """
    reading = reading or load_reading(path)
    raw = readers.read_table(path)
    table = tables.rename(raw, reading)
    tables.require(table, ("time", *PRICES), str(path), [str(column) for column in raw.columns])
    if doubts.fixed_point(table, raw.columns):
        raise DataError(
            f"its prices are whole numbers such as {table['close'].iloc[0]}: fixed-point prices, a multiple of 1e-9.",
            where=str(path),
            hint="Divide them by 1e9, or export them as decimals (Databento: pretty_px).",
        )
    table, notes = doubts.rolling_contract(table, raw)
    return _clean(table, reading, str(path), [*notes, *doubts.end_stamps(raw.columns, reading)])


def _clean(table: pd.DataFrame, reading: Reading, where: str, notes: Sequence[str] = ()) -> Bars:
    if not len(table):
        raise DataError("no bars in it.", where=where, hint="Export the file again.")
    time, warnings = tables.parse_times(table["time"], reading, where)
    warnings += notes
    doubts.refuse_several(time, table.get("contract"), where)
    if len(time) > 1 and (np.diff(time) < np.timedelta64(0)).all():
        raise DataError("the bars run from the newest to the oldest.", where=where, hint="Sort the file by time.")
    ohlc = _numbers(table)
    faults = {"the time cannot be read": np.isnat(time), **_order_faults(time), **price_faults(ohlc)}
    bad = np.any(list(faults.values()), axis=0)
    if reading.repair == "drop" and bad.any():
        warnings.append(
            f"Dropped {int(bad.sum())} bad rows: "
            + "; ".join(f"{rule} {int(rows.sum())}" for rule, rows in faults.items() if rows.any())
            + "."
        )
        table, time, ohlc = table[~bad].reset_index(drop=True), time[~bad], ohlc[~bad]
    else:
        names = np.array([f"row {i} at {str(moment)[:19]}" for i, moment in enumerate(time)]) if bad.any() else time
        hint = "Fix the rows, or read with --repair drop."
        refuse(
            Report(
                "bars", len(time), tuple(p for rule, rows in faults.items() for p in problem(rule, rows, names, hint))
            ),
            where,
        )
    if len(time) < 2:
        raise DataError("fewer than two usable bars.", where=where, hint="Export the file again.")
    contract = table["contract"].astype(str).to_numpy(object) if "contract" in table else None
    volume = pd.to_numeric(table["volume"], errors="coerce").to_numpy(float) if "volume" in table else None
    interval_s = float(np.median(np.diff(time).astype(float)) / 1e9)
    gaps = _gaps(time, interval_s, reading.max_gap_bars)
    bars = Bars(time, ohlc, volume, contract, interval_s, gaps, Report("bars", len(time)), where)
    report = replace(bars.report, warnings=(*warnings, *_warnings(bars), *doubts.filler(bars.time, ohlc, volume)))
    return replace(bars, report=report)


def _numbers(table: pd.DataFrame) -> np.ndarray:
    columns = [pd.to_numeric(table[name], errors="coerce").to_numpy(float) for name in PRICES]
    return np.ascontiguousarray(np.stack(columns, axis=1))


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
        start = str(bars.time[largest.after])[:16]
        lines.append(f"{len(bars.gaps)} gaps; the longest, {largest.missing} bars, follows {start} UTC.")
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
