"""Apache Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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
        # Each column of arrow's goes when it has become one of pandas': both at once would be twice the file. And what arrow's own
        # allocator is given back it keeps for a while, which of 5 million bars is up to 300 MB.
        usual = pa.default_memory_pool()
        pa.set_memory_pool(pa.system_memory_pool())
        try:
            return pq.read_table(path).to_pandas(split_blocks=True, self_destruct=True)
        finally:
            pa.set_memory_pool(usual)

    def write(self, table: pd.DataFrame, path: Path) -> None:
        """Write the table; what stands in its attribute `moola` is written too, and is the title of the layout."""
        content = pa.Table.from_pandas(table, preserve_index=False)
        marks = {"moola": table.attrs["moola"]} if "moola" in table.attrs else {}
        pq.write_table(content.replace_schema_metadata((content.schema.metadata or {}) | marks), path)
