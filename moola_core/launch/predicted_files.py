"""The predictions of a run as a table, or as tasks that Label Studio shows before somebody labels them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moola_core.errors import DataError, SpecError
from moola_core.market import frames
from moola_core.market.bars import load_bars
from moola_core.market.stamps import one_bar
from moola_core.market.windows import load_windows
from moola_core.runs.facts import needed
from moola_core.runs.store import Run, Store

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".parquet", ".csv", ".json")


def refuse_ending(out: str | Path) -> None:
    """Raise SpecError when predictions cannot be written to such a file."""
    if Path(out).suffix not in ENDINGS:
        raise SpecError(f"--out {out} has another ending.", hint=f"Give a name that ends with {', '.join(ENDINGS)}.")


def content(run: Run, ending: str) -> pd.DataFrame | list[dict[str, Any]]:
    """What a file with the ending holds: tasks where it is `.json`, else the table of predictions. Raises DataError where times are missing."""
    table = run.table("predicted").to_pandas()
    return frames.predicted_tasks(table, *_times(run, table), run.id) if ending == ".json" else table


def write(run: Run, out: str | Path) -> None:
    """Write the predictions of a run in the format that the file name says."""
    refuse_ending(out)
    frames.write(content(run, Path(out).suffix), out)


def _times(run: Run, table: pd.DataFrame) -> tuple[np.ndarray, np.timedelta64]:
    """The starts of the bars of each window [n, K], and the time between bars."""
    data = run.spec.data
    length = needed(Store(run.store_root).open(run.spec.run).record.facts.window_bars, "window_bars")
    starts = table["start_time"].to_numpy("datetime64[ns]")
    if np.isnat(starts).any():
        raise DataError(
            "the times of some windows are not known.",
            where=data.windows,
            hint="Give the bars with --bars, or write a .csv.",
        )
    if not data.bars:
        step = one_bar(load_windows(data.windows, data.windows_reading, labelled=False).interval_s)
        return starts[:, None] + step * np.arange(length), step
    bars = load_bars(data.bars, data.bars_reading)
    rows = np.searchsorted(bars.time, starts)[:, None] + np.arange(length)
    return bars.time[np.minimum(rows, len(bars) - 1)], one_bar(bars.interval_s)
