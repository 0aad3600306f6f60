"""Workbooks of a spreadsheet: the first sheet that holds a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from moola_core.market.readers.layout import Layout
from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import ReadOptions

LEAST_COLUMNS = 2
TITLE_ROWS = 20


@READERS.register("excel")
class Excel(Reader):
    """Excel workbooks (.xlsx); a title above the table is passed over."""

    suffixes = (".xlsx", ".xlsm")
    needs = ("openpyxl", "excel")

    def layout(self, path: Path, reading: ReadOptions) -> Layout:
        return Layout("excel", tuple(self.header(path, reading).columns))

    def header(self, path: Path, reading: ReadOptions) -> Header:
        table = _first_table(path)
        return Header([str(column) for column in table.columns], len(table))

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        return _first_table(path)

    def write(self, table: pd.DataFrame, path: Path) -> None:
        zoned = table.select_dtypes("datetimetz").columns
        table.assign(**{name: table[name].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in zoned}).to_excel(
            path, index=False
        )


def _first_table(path: Path) -> pd.DataFrame:
    """The rows of the first sheet that has any, below the first row with a name in each of its columns."""
    for sheet in pd.read_excel(path, sheet_name=None, header=None).values():
        sheet = sheet.dropna(axis=1, how="all").dropna(axis=0, how="all")
        if sheet.shape[1] < LEAST_COLUMNS:
            continue
        head = sheet.head(TITLE_ROWS)
        full = [
            i for i in range(len(head)) if head.iloc[i].notna().all() and all(isinstance(c, str) for c in head.iloc[i])
        ]
        if full:
            table = sheet.iloc[full[0] + 1 :].set_axis([str(name) for name in sheet.iloc[full[0]]], axis=1)
            return table.infer_objects().reset_index(drop=True)
    raise ValueError("no sheet of it holds a table with a name above each column")
