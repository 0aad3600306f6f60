"""The numbers of a figure as CSV, a row a point."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import plain
from moola_core.outgoing import for_spreadsheet

POINT = ("x", "y", "base", "open", "high", "low", "close", "text")
COLUMNS = ("trace", *POINT, "z")


def to_csv(chart: go.Figure) -> str:
    """Every trace's points with the trace's name; a heatmap gives a row a cell. Columns without a value are left out."""
    rows = [row for i, trace in enumerate(chart.data) for row in _rows(trace, trace.name or f"trace {i + 1}")]
    rows = [
        {key: for_spreadsheet(plain(value)) if isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    ]
    used = [name for name in COLUMNS if any(name in row for row in rows)]
    text = io.StringIO()
    table = csv.DictWriter(text, used or ["trace"])
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _rows(trace: Any, name: str) -> Iterator[dict[str, Any]]:
    if getattr(trace, "z", None) is not None:
        z = np.asarray(trace.z)
        across = trace.x if trace.x is not None else np.arange(z.shape[1])
        down = trace.y if trace.y is not None else np.arange(z.shape[0])
        for i, y in enumerate(down):
            for j, x in enumerate(across):
                yield {"trace": name, "x": x, "y": y, "z": z[i, j]}
        return
    columns: dict[str, Any] = {key: values for key in POINT if _is_list(values := getattr(trace, key, None))}
    for i in range(max((len(values) for values in columns.values()), default=0)):
        point = {key: values[i] for key, values in columns.items() if i < len(values)}
        if any(value is not None for value in point.values()):
            yield {"trace": name, **point}


def _is_list(values: Any) -> bool:
    return values is not None and not isinstance(values, str) and hasattr(values, "__len__")
