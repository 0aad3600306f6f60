"""Apache Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from moola_core.market.nested_lists import frame_of
from moola_core.market.readers.layout import Layout
from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import ReadOptions


@READERS.register("parquet")
class Parquet(Reader):
    """Apache Parquet, as pandas, polars and most databases write it."""

    suffixes = (".parquet", ".pq")
    holds_lists = True

    def header(self, path: Path, reading: ReadOptions) -> Header:
        with pq.ParquetFile(path) as file:
            return Header(list(file.schema_arrow.names), file.metadata.num_rows)

    def layout(self, path: Path, reading: ReadOptions) -> Layout:
        """The columns, and as the title what moola wrote about them."""
        schema = pq.read_schema(path)
        marks = {name.decode(): value.decode() for name, value in (schema.metadata or {}).items() if name == b"moola"}
        return Layout("parquet", tuple(schema.names), title=marks.get("moola", ""))

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        return frame_of(lambda: pq.read_table(path))

    def write(self, table: pd.DataFrame, path: Path) -> None:
        """Write the table; what stands in its attribute `moola` is written too, and is the title of the layout."""
        content = pa.Table.from_pandas(table, preserve_index=False)
        marks = {"moola": table.attrs["moola"]} if "moola" in table.attrs else {}
        pq.write_table(content.replace_schema_metadata((content.schema.metadata or {}) | marks), path)
