"""Bars and windows as tables and as tasks of Label Studio, to be written to a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from moola_core.errors import DataError, StoreError
from moola_core.market.bars import Bars
from moola_core.market.readers import holds_lists, suffix_of, write_table
from moola_core.market.stamps import one_bar
from moola_core.market.tables import PRICES
from moola_core.market.vendors.moola import MARK
from moola_core.market.windows import Windows

TASKS = (".json",)


def bars_frame(bars: Bars) -> pd.DataFrame:
    """One row a bar: time (start, UTC), open, high, low, close, and volume and contract where the bars have them."""
    frame = pd.DataFrame(bars.ohlc, columns=list(PRICES))
    frame.insert(0, "time", pd.Series(bars.time).dt.tz_localize("UTC"))
    for name in ("volume", "contract"):
        values = getattr(bars, name)
        if values is not None:
            frame[name] = values
    frame.attrs["moola"] = MARK
    return frame


def windows_frame(windows: Windows) -> pd.DataFrame:
    """One row a window, in the form in which `load_windows` reads them: ids, labels, pointers, start_time and prices."""
    frame = pd.DataFrame({name: getattr(windows, name) for name in ("window_id", "label", "grade", "source")})
    for name, values in (("expansion_start", windows.start), ("expansion_end", windows.end)):
        frame[name] = pd.array(values, "Int64")
    frame["start_time"] = pd.Series(windows.start_time).dt.tz_localize("UTC")
    if (windows.instrument != "").any():
        frame["contract"] = windows.instrument
    frame["features"] = [[list(bar) for bar in window] for window in windows.prices]
    return frame


def tasks(windows: Windows, bars: Bars | None = None) -> list[dict[str, Any]]:
    """A task of Label Studio for each window: its class as a choice, its expansion as a region in epoch milliseconds.

    bars: those in which the windows were located; without them, moments within a window are counted from its start.
    """
    made = []
    step = one_bar(windows.interval_s)
    for i in range(len(windows)):
        times = _times(windows, i, bars)
        results = [_choice("label", str(windows.label[i]))]
        if windows.has_pointer[i]:
            results.append(_region("expansion", *(times[int(edge[i])] for edge in (windows.start, windows.end))))
        if windows.grade[i]:
            results.append(_choice("grade", str(windows.grade[i])))
        data = {"window_id": str(windows.window_id[i]), **_span(times, step)}
        data |= {"source": str(windows.source[i])} if windows.source[i] else {}
        made.append({"id": i + 1, "data": data, "annotations": [{"result": results}]})
    return made


def _span(times: np.ndarray, step: np.timedelta64) -> dict[str, str]:
    """From when to when a window of bars at `times` [K] lasts: to the last millisecond, which no reading takes for the bar after it."""
    first, last = (
        f"{moment.astype('datetime64[ms]')!s}Z" for moment in (times[0], times[-1] + step - np.timedelta64(1, "ms"))
    )
    return {"start_time": first, "end_time": last}


def _region(label: str, start: np.datetime64, end: np.datetime64) -> dict[str, Any]:
    """A labelled region of a series, from and to a moment."""
    first, last = (int(moment.astype("datetime64[ms]").astype(np.int64)) for moment in (start, end))
    value = {"start": first, "end": last, "instant": False, "timeserieslabels": [label]}
    return {"id": label, "type": "timeserieslabels", "from_name": "region", "to_name": "ts", "value": value}


def _choice(control: str, value: str) -> dict[str, Any]:
    return {"id": control, "type": "choices", "from_name": control, "to_name": "ts", "value": {"choices": [value]}}


def _times(windows: Windows, row: int, bars: Bars | None) -> np.ndarray:
    """The starts of the window's bars [K]. Raises DataError for a window whose time is not known."""
    place = int(windows.position[row])
    if bars is not None and place >= 0:
        return bars.time[place : place + windows.bars]
    if np.isnat(windows.start_time[row]):
        raise DataError(
            f"the time of window {windows.window_id[row]} is not known.",
            where=windows.path,
            hint="Name the bars that the windows were cut from (--bars FILE).",
        )
    return windows.start_time[row] + one_bar(windows.interval_s) * np.arange(windows.bars)


def predicted_tasks(table: pd.DataFrame, times: np.ndarray, step: np.timedelta64, run_id: str) -> list[dict[str, Any]]:
    """A task with a prediction for each row of a table of predictions, for Label Studio to show before somebody labels it.

    times [n, K]: the starts of the windows' bars; step: between them.
    """
    made = []
    for i, row in enumerate(table.to_dict("records")):
        results = [_choice("label", str(row["predicted"]))]
        if np.isfinite(row.get("start_pred", np.nan)) and np.isfinite(row.get("end_pred", np.nan)):
            edges = (int(np.clip(round(row[name]), 0, times.shape[1] - 1)) for name in ("start_pred", "end_pred"))
            results.append(_region("expansion", *(times[i, edge] for edge in edges)))
        data = _span(times[i], step) | ({"window_id": str(row["window_id"])} if "window_id" in row else {})
        score = {"score": float(row["agreement"])} if "agreement" in row else {}
        prediction = {"model_version": run_id, "result": results} | score
        made.append({"id": i + 1, "data": data, "predictions": [prediction]})
    return made


def write(content: pd.DataFrame | Sequence[dict[str, Any]], path: str | Path) -> None:
    """Write a table in the format that the file name says, or tasks as JSON. Raises StoreError where that is not possible."""
    path = Path(path)
    try:
        if isinstance(content, pd.DataFrame):
            write_table(content, path)
        else:
            path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}.", where=str(path), hint="Choose another with --out."
        ) from None


def as_bytes(content: pd.DataFrame | Sequence[dict[str, Any]], ending: str) -> bytes:
    """A table or tasks as the content of a file with the ending."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        write(content, path)
        return path.read_bytes()


def write_windows(windows: Windows, path: str | Path, bars: Bars | None = None) -> None:
    """Write windows with their prices (Parquet, Feather), or as tasks of Label Studio (JSON)."""
    ending = suffix_of(path)
    if ending in TASKS:
        write(tasks(windows, bars), path)
    elif holds_lists(path):
        write(windows_frame(windows), path)
    else:
        raise DataError(
            "the prices of windows cannot be written to such a file.",
            where=str(path),
            hint="Choose a name that ends with .parquet or .feather, or with .json for tasks of Label Studio.",
        )
