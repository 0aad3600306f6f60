"""Feather files, that is Arrow IPC files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.feather

from moola_core.market.nested_lists import frame_of
from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import ReadOptions


@READERS.register("feather")
class Feather(Reader):
    """Feather, also called Arrow IPC."""

    suffixes = (".feather", ".arrow")
    holds_lists = True

    def header(self, path: Path, reading: ReadOptions) -> Header:
        table = pyarrow.feather.read_table(path, memory_map=True)
        return Header(list(table.column_names), table.num_rows)

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        return frame_of(lambda: pyarrow.feather.read_table(path))

    def write(self, table: pd.DataFrame, path: Path) -> None:
        table.reset_index(drop=True).to_feather(path)
