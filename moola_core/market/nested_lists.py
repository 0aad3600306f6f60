"""Tables of arrow's as data frames, windows with the prices in their cells included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as kinds


def frame_of(read: Callable[[], pa.Table]) -> pd.DataFrame:
    """The table that `read` gives, as a data frame. The table itself cannot be used afterwards.

    Lists of lists of numbers, all of the inner ones of one length, become one array a row, which are parts of a single one: pandas would
    make an object of each bar. A column of arrow's goes when it has become one of pandas', for both at once would be twice the file; and
    what arrow's own allocator is given back it keeps for a while, which of 5 million bars is up to 300 MB.
    """
    usual = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        table = read()
        arrays = {}
        for name in {name for name in table.column_names if table.column_names.count(name) == 1}:
            rows = _rows(table.column(name))
            if rows is not None:
                arrays[name] = rows
        places = {name: pa.array(np.arange(table.num_rows)) for name in arrays}
        for name, place in places.items():
            table = table.set_column(table.column_names.index(name), name, place)
        frame = table.to_pandas(split_blocks=True, self_destruct=True)
        for name, rows in arrays.items():
            frame[name] = pd.Series(rows, index=frame.index, dtype=object)
        return frame
    finally:
        pa.set_memory_pool(usual)


def _rows(column: pa.ChunkedArray) -> list[np.ndarray] | None:
    """Each row's numbers [bars, values]; None for any other column, and where a value is missing."""
    if not (_is_list(column.type) and _is_list(column.type.value_type)):
        return None
    if not kinds.is_floating(column.type.value_type.value_type) or column.null_count:
        return None
    rows: list[np.ndarray] = []
    for chunk in column.chunks:
        bars = chunk.flatten()
        flat = bars.flatten()
        sizes = np.diff(bars.offsets.to_numpy())
        if bars.null_count or flat.null_count or not len(sizes) or (sizes != sizes[0]).any() or sizes[0] == 0:
            return None
        numbers = flat.to_numpy().reshape(-1, int(sizes[0]))
        ends = np.cumsum(np.diff(chunk.offsets.to_numpy()))
        rows += np.split(numbers, ends[:-1])
    return rows


def _is_list(kind: pa.DataType) -> bool:
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind))
