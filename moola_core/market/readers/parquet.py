"""Apache Parquet files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import Reading


@READERS.register("parquet")
class Parquet(Reader):
    """Apache Parquet, as pandas, polars and most databases write it."""

    suffixes = (".parquet", ".pq")

    def header(self, path: Path, reading: Reading) -> Header:
        with pq.ParquetFile(path) as file:
            return Header(list(file.schema_arrow.names), file.metadata.num_rows)

    def table(self, path: Path, reading: Reading) -> pd.DataFrame:
        return pq.read_table(path).to_pandas()

    def write(self, table: pd.DataFrame, path: Path) -> None:
        table.to_parquet(path, index=False)
