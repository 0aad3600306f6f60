"""What suggests that a file is not what it seems: another scale, several instruments, filler, labels that contradict."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import tables
from moola_core.specs import Reading

FIXED_POINT = 1e9
FILLER_BARS = 30
MOST_ROLLS_FRAC = 0.01  # a column that changes more often names no contract
_END = re.compile(r"close_?time|time_?close|bar_?end|end_?time|(?:bar_|period_)?end", re.IGNORECASE)


def fixed_point(table: pd.DataFrame, columns: Iterable[object]) -> bool:
    """Whether the prices are whole numbers that stand for multiples of 1e-9, as Databento writes them unless asked otherwise."""
    prices = [table[name] for name in ("open", "high", "low", "close")]
    if not len(table) or not all(pd.api.types.is_integer_dtype(values) for values in prices):
        return False
    native = {"rtype", "publisher_id"} <= {str(column).lower() for column in columns}
    return native or float(prices[-1].abs().median()) >= FIXED_POINT


def rolling_contract(table: pd.DataFrame, raw: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """`table` with another column as the contract where the one it has is constant and that one changes now and then."""
    if "contract" not in table or len(raw) != len(table) or table["contract"].nunique(dropna=False) > 1:
        return table, []
    for column in raw.columns:
        if str(column).strip().lower() not in tables.ALIASES["contract"]:
            continue
        values = raw[column].astype(str).reset_index(drop=True)
        changes = int((values[1:].to_numpy() != values[:-1].to_numpy()).sum())
        if 0 < changes <= max(1, MOST_ROLLS_FRAC * len(values)):
            return table.assign(contract=values.to_numpy()), [
                f"Contracts are taken from {column}, which changes {changes} times."
            ]
    return table, []


def refuse_several(time: np.ndarray, contract: pd.Series | None, where: str) -> None:
    """Raise DataError when two instruments have bars at the same time: dropping the second bar would mix them."""
    if contract is None or contract.nunique() < 2 or len(np.unique(time)) == len(time):
        return
    names = contract.astype(str).to_numpy()
    shared = pd.DataFrame({"time": time, "name": names}).dropna().groupby("time")["name"].nunique()
    if (shared > 1).any():
        sizes = pd.Series(names).value_counts()
        listed = ", ".join(f"{name} ({count} bars)" for name, count in sizes.head(5).items())
        raise DataError(
            f"it holds {len(sizes)} instruments at the same times: {listed}.",
            where=where,
            hint="Keep the rows of one instrument, or of one contract at each time.",
        )


def filler(time: np.ndarray, ohlc: np.ndarray, volume: np.ndarray | None) -> list[str]:
    """A note on long runs of bars without any movement or volume, which vendors put where the market was closed."""
    flat = (ohlc == ohlc[:, :1]).all(axis=1) & (True if volume is None else np.nan_to_num(volume) == 0)
    edges = np.flatnonzero(np.diff(np.r_[False, flat, False]))
    first, after = edges[::2], edges[1::2]
    long = after - first >= FILLER_BARS
    if not long.any():
        return []
    count = int((after - first)[long].sum())
    start = str(time[first[long][0]])[:16]
    still = "" if volume is None else " of volume 0"
    return [
        f"{count} flat bars{still} in {int(long.sum())} long runs, the first from {start} UTC: filler for a closed market? "
        "Remove them, or the model is trained on them."
    ]


def end_stamps(columns: Iterable[object], reading: Reading) -> list[str]:
    """A note when the file says by its names that a bar's time is its end; it is read as the start all the same."""
    names = {str(column).strip().strip('"').lower() for column in columns}
    given = reading.column_map.get("time", "")
    if _END.fullmatch(given.strip()):
        reason = f"The column {given} holds the end of each bar"
    elif {"date", "time", "up", "down"} <= names and "volume" not in names:  # TradeStation's export
        reason = "TradeStation writes the end of each bar"
    else:
        return []
    return [f"{reason}, but times are read as the start: every bar is one too late. Write the start instead."]


def labels_in_doubt(label: np.ndarray, prices: np.ndarray) -> list[str]:
    """Notes on classes that differ only in how they are written, and on windows of equal prices with different labels."""
    notes = []
    names, sizes = np.unique(label.astype(str), return_counts=True)
    size = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    alike = pd.Series(names).groupby(pd.Series(names).str.casefold().str.replace(r"[\s_-]+", "", regex=True)).agg(list)
    for spellings in alike[alike.str.len() > 1]:
        listed = ", ".join(f"{name} ({size[name]})" for name in spellings)
        most = max(spellings, key=size.__getitem__)
        other = next(name for name in spellings if name != most)
        notes.append(
            f"The classes {listed} differ only in their spelling. If they are one, join them with --class {other!r}={most!r}."
        )
    content = pd.Series([window.tobytes() for window in np.ascontiguousarray(prices)])
    different = pd.Series(label.astype(str)).groupby(content.map(hash)).transform("nunique") > 1
    if different.any():
        notes.append(
            f"{int(different.sum())} windows have the prices of another window and a different label; training cannot fit both."
        )
    return notes
