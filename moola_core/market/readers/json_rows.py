"""JSON: rows of bars or labels, as interfaces of exchanges and data frames write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from moola_core.errors import DataError
from moola_core.market.readers.compressed import read_bytes, write_bytes
from moola_core.market.readers.flat_tasks import is_export
from moola_core.market.readers.layout import DATE, Layout
from moola_core.market.readers.reader import READERS, Header, Reader, suffix_of
from moola_core.market.readers.unnamed import name_columns
from moola_core.market.tables import PRICES
from moola_core.market.tables import plain as plain_name
from moola_core.specs import ReadOptions

SAMPLE_ROWS = 100
DEEPEST = 4


@READERS.register("json")
class JsonRows(Reader):
    """A list of objects or of lists, one for each row, at any place in the file; or one object or list a line."""

    suffixes = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst", ".json.zip")

    def layout(self, path: Path, reading: ReadOptions) -> Layout:
        return _layout(_rows(path), reading, str(path))

    def header(self, path: Path, reading: ReadOptions) -> Header:
        rows = _rows(path)
        return Header(list(_layout(rows, reading, str(path)).columns), len(rows))

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        rows = _rows(path)
        names = list(_layout(rows, reading, str(path)).columns)
        table = pd.DataFrame(rows) if isinstance(rows[0], dict) else pd.DataFrame(rows, columns=names)
        for column in table.columns:
            if table[column].map(lambda value: isinstance(value, str)).any():
                numbers = pd.to_numeric(table[column], errors="coerce")
                table[column] = numbers if numbers.notna().all() else table[column]
        return table

    def write(self, table: pd.DataFrame, path: Path) -> None:
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        whole = suffix_of(path).startswith(".json.") or suffix_of(path) == ".json"
        text = json.dumps(rows, default=str) if whole else "".join(json.dumps(row, default=str) + "\n" for row in rows)
        write_bytes(text.encode("utf-8"), path, f"{path.stem}.json")


def _layout(rows: list[Any], reading: ReadOptions, where: str) -> Layout:
    if isinstance(rows[0], dict):
        return Layout("json", tuple(dict.fromkeys(str(name) for row in rows[:SAMPLE_ROWS] for name in row)))
    count = len(rows[0])
    cells = tuple(tuple("" if cell is None else str(cell) for cell in row) for row in rows[:SAMPLE_ROWS])
    names = reading.column_names or tuple(f"column {i + 1}" for i in range(count))
    layout = name_columns(Layout("json", names[:count], header=False, rows=cells), reading, where)
    if count == 2 and all(DATE.search(cell) for row in cells for cell in row):
        raise DataError(
            f"it holds intervals without a class, such as {' to '.join(cells[0])}, as NAB's files of anomalies do.",
            where=where,
            hint="Give one row a window: its start_time, its end_time and its label, of two or more classes.",
        )
    if layout.columns == names[:count] and not reading.column_names:
        raise DataError(
            f"its rows are lists such as {', '.join(cells[0][:6])}, and what stands in them is not known.",
            where=where,
            hint="Name their parts with --columns time,open,high,low,close.",
        )
    return layout


def _rows(path: Path) -> list[Any]:
    text = read_bytes(path).decode("utf-8-sig")
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or error.msg != "Extra data":
            raise DataError(
                f"cannot be read as JSON: {error}.", where=str(path), hint="Export the file again."
            ) from None
        values = [json.loads(line) for line in lines]
    rows = None if is_export(values) else _rows_in_columns(values) or _list_of_rows(values, DEEPEST)
    if rows is None:
        raise DataError(
            "holds no rows: a list of objects, or of lists of equal length.",
            where=str(path),
            hint='Write it as [{"time": …, "open": …, "high": …, "low": …, "close": …}, …].',
        )
    return [_flat(row) for row in rows] if isinstance(rows[0], dict) else rows


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose cells may be objects of prices, such as `mid` with o, h, l and c, which become mid_o, mid_h and so on."""
    flat: dict[str, Any] = {}
    for name, cell in row.items():
        flat |= {f"{name}_{part}": value for part, value in cell.items()} if _of_prices(cell) else {name: cell}
    return flat


def _of_prices(cell: Any) -> bool:
    return isinstance(cell, dict) and {str(part).lower()[:1] for part in cell} >= set("ohlc")


def _rows_in_columns(values: Any) -> list[Any] | None:
    """The rows of lists of equal length that lie anywhere in the values, as long as there is one list for each price; else None."""
    columns: dict[str, list[Any]] = {}
    for name, column in _lists_in(values):
        if name in columns:
            return None
        columns[name] = column
    size = len(columns.get("close", ()))
    columns = {name: column for name, column in columns.items() if len(column) == size}
    if size < 2 or not set(PRICES) <= columns.keys():
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _lists_in(values: Any) -> Iterator[tuple[str, list[Any]]]:
    """The lists of plain values in objects, and in lists of one object, with their names."""
    if isinstance(values, list) and len(values) == 1:
        yield from _lists_in(values[0])
    elif isinstance(values, dict):
        for name, value in values.items():
            if isinstance(value, list) and len(value) > 1 and not isinstance(value[0], list | dict):
                yield str(name).lower(), value
            else:
                yield from _lists_in(value)


def _list_of_rows(values: Any, depth: int) -> list[Any] | None:
    """The list of rows in the values, at most `depth` levels down; None where there is none, or several in one place."""
    if isinstance(values, list) and values:
        if all(isinstance(row, dict) for row in values):
            return values
        if all(isinstance(row, list) and len(row) == len(values[0]) and len(row) > 1 for row in values):
            return values if not any(isinstance(cell, list | dict) for cell in values[0]) else None
    if isinstance(values, dict) and depth:
        columns = {name: column for name, column in values.items() if isinstance(column, list)}
        sizes = {len(column) for column in columns.values()}
        if (
            len(columns) >= 4
            and len(sizes) == 1
            and not any(isinstance(c, list | dict) for v in columns.values() for c in v)
        ):
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        if {"columns", "data"} <= values.keys() and isinstance(values["data"], list):  # pandas, orient="split"
            index = values.get("index")
            rows = [dict(zip(values["columns"], row, strict=True)) for row in values["data"]]
            return [{"index": i} | row for i, row in zip(index, rows, strict=True)] if index else rows
        tables = [table for table in values.values() if isinstance(table, dict)]
        if len(tables) == len(values) > 3 and all(table.keys() == tables[0].keys() for table in tables):
            plain = not any(isinstance(cell, list | dict) for cell in tables[0].values())
            if plain and "open" in {plain_name(name) for name in tables[0]}:  # orient="index"
                return [{"index": key} | row for key, row in values.items()]
            return [{name: values[name][key] for name in values} for key in tables[0]]  # orient="columns"
        inner = [inside for value in values.values() if (inside := _list_of_rows(value, depth - 1))]
        return inner[0] if len(inner) == 1 else None
    return None
