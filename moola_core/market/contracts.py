"""Several instruments or contracts in one file: one is kept, or they are joined where the volume moves to the next."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import clocks, tables
from moola_core.market.checks import listed
from moola_core.market.questions import Asking, Question
from moola_core.specs import ReadOptions

FAR = 1.25  # from one contract to the next no price changes so many times
MOST_ROLLS_FRAC = 0.01  # a column that changes more often names no contract
_SPREAD = re.compile(r".+\d\s*[-:].+\d")
_MONTH = re.compile(r"(.*?)[FGHJKMNQUVXZ]\d{1,4}")
SHOWN = 12
TIMES = ("absolute", "moment", "day", "clock")
LEAST_BARS = 20  # of each contract, on average
LOOKED_AT, MOST_SERIES = 1000, 50  # rows of a column in which so many different words are no names of contracts


def rolling_contract(table: pd.DataFrame, raw: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """`table` with another column as the contract where the one it has is constant and that one changes now and then."""
    if "contract" in table and table["contract"].nunique(dropna=False) > 1:
        return table, []
    for column in raw.columns:
        known = "contract" in table and tables.plain(column) in tables.BAR_NAMES["contract"]
        if not known and not _names_series(table, raw[column]):
            continue
        names = raw[column].astype(str).to_numpy(object)
        changes = int((names[1:] != names[:-1]).sum())
        if 0 < changes <= max(1, MOST_ROLLS_FRAC * len(names)):
            note = f"Contracts are taken from {column}, which changes {changes} times."
            return table.assign(contract=names), [note]
    return table, []


def _names_series(table: pd.DataFrame, values: pd.Series) -> bool:
    """Whether a column of words under any name changes where the price is another one, by far, and nowhere else."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return False
    some = values.iloc[:: max(1, len(values) // LOOKED_AT)]
    if not all(isinstance(value, Hashable) for value in some):  # lists and the like name nothing
        return False
    if some.nunique() > MOST_SERIES or clocks.kind(values) in TIMES:
        return False
    names = values.astype(str).to_numpy(object)
    changes = _changes(names)
    in_turn = 0 < len(changes) < min(len(pd.unique(names)), len(names) / LEAST_BARS)
    return in_turn and bool(_far_apart(table, changes).all())


def _far_apart(table: pd.DataFrame, before: np.ndarray) -> np.ndarray:
    """Whether the price after each row of `before` [n] is another one by far."""
    last, first = (pd.to_numeric(table[name], errors="coerce").to_numpy(float) for name in ("close", "open"))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(np.log(first[before + 1] / last[before])) > np.log(FAR)


def one_series(
    table: pd.DataFrame, times: np.ndarray, reading: ReadOptions, where: str, asking: Asking, continuous: bool = False
) -> tuple[np.ndarray, list[str]]:
    """Which rows [m] make one series, in their order, and notes; asks which contract, where several have bars at one time, or where
    one follows the other at a price far apart. continuous: the file says that its contracts are those of one series.
    """
    every = np.arange(len(table))
    if "contract" not in table:
        return every, []
    names = table["contract"].astype(str).to_numpy(object)
    kinds = pd.unique(names)
    if reading.contract:
        if reading.contract not in kinds:
            raise DataError(
                f"no contract {reading.contract} in it; it has {listed(kinds, SHOWN)}.",
                where=where,
                hint="Choose one of them with --contract.",
            )
        rows = np.flatnonzero(names == reading.contract)
        return rows, [f"{len(rows)} bars of {reading.contract} are kept, of {len(names)}."] if len(kinds) > 1 else []
    in_turn = _in_turn(names, times)
    if len(kinds) < 2 or (
        in_turn and (continuous or _of_one_root(kinds) or not _far_apart(table, _changes(names)).any())
    ):
        return every, []
    if reading.roll:
        return _by_volume(table, names, times, where)
    sizes = pd.Series(names).value_counts()
    answers = {str(name): f"{count} bars" for name, count in sizes.head(SHOWN).items()}
    outright = [name for name in kinds if not _SPREAD.fullmatch(name)]
    joined = (
        " To join contracts where the volume moves to the next, use --roll volume (in the app: Settings)."
        if len(outright) > 1
        else ""
    )
    asking.ask(
        Question(
            "contract",
            f"It holds {len(sizes)} instruments {'at prices far apart' if in_turn else 'at the same times'}: {listed(kinds, SHOWN)}. Which one is meant?{joined}",
            answers,
            "--contract",
        )
    )
    return np.flatnonzero(names == sizes.index[0]), []


def _of_one_root(names: Sequence[str]) -> bool:
    """Whether the names are those of months of one future, such as NQH4 and NQM4."""
    months = [_MONTH.fullmatch(name) for name in names]
    return all(months) and len({month[1] for month in months if month}) == 1


def _changes(names: np.ndarray) -> np.ndarray:
    return np.flatnonzero(names[1:] != names[:-1])


def _in_turn(names: np.ndarray, times: np.ndarray) -> bool:
    """Whether each contract follows the one before it, with no two at one time and no way back."""
    changes = len(_changes(names))
    steps = np.diff(times).astype(np.int64)
    return changes == len(pd.unique(names)) - 1 and bool((steps > 0).all() or (steps < 0).all())


def _by_volume(table: pd.DataFrame, names: np.ndarray, times: np.ndarray, where: str) -> tuple[np.ndarray, list[str]]:
    """The rows of the contract with the most volume of the day before, day by day and never back to an earlier one."""
    if "volume" not in table:
        raise DataError("--roll volume needs a column of volumes.", where=where, hint="Keep one with --contract.")
    outright = np.array([not _SPREAD.fullmatch(name) for name in names])
    frame = pd.DataFrame(
        {"name": names, "day": times.astype("M8[D]"), "volume": pd.to_numeric(table["volume"], errors="coerce")}
    )
    volume = frame[outright].groupby(["day", "name"])["volume"].sum().unstack(fill_value=0)
    front: dict[np.datetime64, str] = {}
    current, left = "", set[str]()
    before = None
    for day in volume.index:
        known = volume.loc[day if before is None else before]
        traded = [name for name in known.index if name not in left and volume.loc[day, name] > 0]
        if traded:
            most = str(known[traded].idxmax())
            left |= {current} - {most}
            current = most
        front[day] = current
        before = day
    keep = outright & (names == frame["day"].map(front).to_numpy(object))
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(times[rows], kind="stable")]
    rolls = int((names[rows][1:] != names[rows][:-1]).sum())
    return rows, [
        f"{len(pd.unique(names[rows]))} contracts are joined by volume, with {rolls} rolls; {len(names) - len(rows)} other bars are left out."
    ]


def back_adjusted(ohlc: np.ndarray, contract: np.ndarray) -> np.ndarray:
    """Prices [n, 4] with those before each roll shifted by the jump from the last close to the next open."""
    ohlc = ohlc.copy()
    for roll in (np.flatnonzero(contract[1:] != contract[:-1]) + 1)[::-1]:
        ohlc[:roll] += ohlc[roll, 0] - ohlc[roll - 1, 3]
    return ohlc
