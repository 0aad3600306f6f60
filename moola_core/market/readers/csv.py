"""CSV files, plain or compressed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from moola_core.market.readers.reader import READERS, Header, Reader, suffix_of

COMPRESSION = {".csv": None, ".csv.gz": "gzip", ".csv.zst": "zstd", ".csv.gzip": "gzip"}


@READERS.register("csv")
class Csv(Reader):
    """Comma-separated values with a header line, plain or compressed as the file name says."""

    suffixes = tuple(COMPRESSION)

    def header(self, path: Path) -> Header:
        return Header([str(column) for column in self._read(path, rows=0).columns])

    def table(self, path: Path) -> pd.DataFrame:
        return self._read(path)

    def write(self, table: pd.DataFrame, path: Path) -> None:
        with pa.output_stream(path, compression=COMPRESSION[suffix_of(path)]) as stream:
            stream.write(table.to_csv(index=False).encode("utf-8"))

    @staticmethod
    def _read(path: Path, rows: int | None = None) -> pd.DataFrame:
        with pa.input_stream(path, compression=COMPRESSION[suffix_of(path)]) as stream:
            return pd.read_csv(stream, nrows=rows)
