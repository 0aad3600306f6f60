"""Tables of labels: with prices, or with times to cut windows from bars (also Label Studio exports)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import tables
from moola_core.market.bars import Bars, crosses
from moola_core.specs import Reading

DEFAULT_BARS = 105
UNLABELLED = "unlabelled"
LEAST_EPOCH = 1e8  # larger numbers are times


def read_labels(path: str | Path, reading: Reading, labelled: bool = True) -> pd.DataFrame:
    """The file's rows under our column names: one row a window. Without a label column all are `unlabelled`, where that is allowed."""
    path = Path(path)
    if tables.suffix(path) == ".json":
        return _label_studio(path)
    raw = tables.read_table(path)
    table = tables.rename(raw, reading)
    if "start_time" not in table and "time" in table:
        table = table.rename(columns={"time": "start_time"})
    if not labelled and "label" not in table:
        return table.assign(label=UNLABELLED)
    tables.require(table, ("label",), str(path), [str(column) for column in raw.columns])
    return table


def cut(table: pd.DataFrame, bars: Bars, reading: Reading, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows of `table` with `features` cut from `bars`, and warnings that list the rows that matched no bars.

    A window starts at its start_time, or ends at its end_time. Expansions may be bar numbers or times.
    """
    length = reading.window_bars or DEFAULT_BARS
    anchor = "start_time" if "start_time" in table else "end_time"
    tables.require(table, (anchor,), where, [str(column) for column in table.columns])
    moments, warnings = tables.parse_times(table[anchor], reading.tz, where)
    first = np.searchsorted(bars.time, moments)
    on_bar = (first < len(bars)) & (bars.time[np.minimum(first, len(bars) - 1)] == moments)
    first = first if anchor == "start_time" else first - length + 1
    matched = on_bar & (first >= 0) & (first + length <= len(bars)) & ~crosses(bars.rolls, first, length)
    if not matched.any():
        raise DataError(
            "no row matches the bars.",
            where=where,
            mend="Check the time zone (--tz) and that the bars cover these times.",
        )
    if not matched.all():
        rows = np.flatnonzero(~matched)
        listed = ", ".join(f"row {i} ({str(moments[i])[:16]})" for i in rows[:10])
        warnings.append(f"{len(rows)} rows match no {length} bars of one contract and are left out: {listed}.")
    kept = table[matched].reset_index(drop=True)
    starts = first[matched]
    kept["features"] = [bars.ohlc[i : i + length] for i in starts]
    kept["start_time"] = pd.Series(bars.time[starts]).dt.tz_localize("UTC")
    for name in ("expansion_start", "expansion_end"):
        if name in kept:
            kept[name] = _bar_numbers(kept[name], bars, starts, reading, where)
    return kept, warnings


def _bar_numbers(values: pd.Series, bars: Bars, starts: np.ndarray, reading: Reading, where: str) -> np.ndarray:
    """Pointers as bar numbers of their window, from bar numbers or times."""
    numbers = pd.to_numeric(values, errors="coerce")
    numbered = numbers.abs().median() < LEAST_EPOCH
    if numbered or values.isna().all():
        return numbers.to_numpy(float, na_value=np.nan)
    known = values.notna().to_numpy()
    moments, _ = tables.utc_times(values[known].reset_index(drop=True), reading.tz, where)
    result = np.full(len(values), np.nan)
    result[known] = np.searchsorted(bars.time, moments, side="right") - 1 - starts[known]
    return result


def _label_studio(path: Path) -> pd.DataFrame:
    """Tasks of a Label Studio export: choices give the class, time series regions the expansion."""
    try:
        tasks = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"cannot be read as JSON: {error}.", where=str(path), mend="Export it from Label Studio as JSON."
        ) from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DataError("not a list of tasks.", where=str(path), mend="Export it from Label Studio as JSON.")
    rows = [row for i, task in enumerate(tasks) if (row := _task(task, i)) is not None]
    if not rows:
        raise DataError(
            "no annotated task with a start_time in its data.",
            where=str(path),
            mend="Give each task data.start_time and a choice.",
        )
    return pd.DataFrame(rows)


def _task(task: dict[str, Any], number: int) -> dict[str, Any] | None:
    """One row of an annotated task, or None when nobody has annotated it."""
    data = task.get("data") or {}
    annotations = [item for item in task.get("annotations") or [] if not item.get("was_cancelled")]
    if not annotations or not isinstance(data, dict):
        return None
    row = {
        "window_id": str(data.get("window_id", task.get("id", number))),
        "label": None,
        "expansion_start": None,
        "expansion_end": None,
    }
    row |= {name: data[name] for name in ("start_time", "end_time", "grade", "source") if name in data}
    for result in annotations[-1].get("result") or []:
        value = result.get("value") or {}
        if value.get("choices"):
            row["label"] = value["choices"][0]
        region = value.get("timeserieslabels")
        if region:
            row["expansion_start"], row["expansion_end"] = value.get("start"), value.get("end")
            row["label"] = row["label"] or region[0]
    return row if row["label"] else None
