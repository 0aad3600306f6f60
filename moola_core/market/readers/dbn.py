"""DBN, Databento's binary encoding: the metadata by its library, the bars as records of one size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core.errors import DataError
from moola_core.market import tables
from moola_core.market.readers.compressed import read_bytes, write_bytes
from moola_core.market.readers.layout import Layout
from moola_core.market.readers.reader import READERS, Header, Reader
from moola_core.specs import ReadOptions

HEAD_BYTES = 1 << 20
PREFIX = 8  # "DBN", the version, and the size of the metadata that follows, as four bytes
BARS = range(32, 37)  # record types of bars of a second, a minute, an hour and a day
BAR = np.dtype(
    [
        *(("length", "u1"), ("rtype", "u1"), ("publisher_id", "<u2"), ("instrument_id", "<u4"), ("ts_event", "<u8")),
        *(("open", "<i8"), ("high", "<i8"), ("low", "<i8"), ("close", "<i8"), ("volume", "<u8")),
    ]
)
COLUMNS = (  # of its CSV
    *("ts_event", "rtype", "publisher_id", "instrument_id"),
    *("open", "high", "low", "close", "volume", "symbol"),
)
FIXED_POINT = 1e9
MINUTE_BARS = 33


@READERS.register("dbn")
class Dbn(Reader):
    """Databento's binary files of bars (schemas ohlcv), plain or compressed, under the names of its CSV."""

    suffixes = (".dbn", ".dbn.zst")
    holds = ("bars",)
    needs = ("databento_dbn", "databento")
    maps_columns = False

    def layout(self, path: Path, reading: ReadOptions) -> Layout:
        return Layout("dbn", COLUMNS)

    def header(self, path: Path, reading: ReadOptions) -> Header:
        _metadata(read_bytes(path, HEAD_BYTES), path)
        return Header(list(COLUMNS))

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        data = read_bytes(path)
        metadata = _metadata(data, path)
        first = PREFIX + int.from_bytes(data[4:PREFIX], "little")
        record = np.dtype([*BAR.descr, ("ts_out", "<u8")]) if metadata.ts_out else BAR
        records = np.frombuffer(data, record, (len(data) - first) // record.itemsize, first)
        if (records["length"] != record.itemsize // 4).any() or not np.isin(records["rtype"], BARS).all():
            raise DataError(
                "it holds records that are no bars.", where=str(path), hint="Ask for one schema, such as ohlcv-1m."
            )
        table = pd.DataFrame({name: records[name] for name in COLUMNS[:-1]})
        return table.assign(symbol=_symbols(table, metadata.mappings))

    def write(self, table: pd.DataFrame, path: Path) -> None:
        import databento_dbn as dbn

        ours = tables.rename(table, ReadOptions())
        records = np.zeros(len(ours), BAR)
        records["length"], records["rtype"] = BAR.itemsize // 4, MINUTE_BARS
        records["ts_event"] = (
            pd.to_datetime(ours["time"], utc=True).dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
        )
        for name in tables.PRICES:
            records[name] = np.round(ours[name].to_numpy(float) * FIXED_POINT)
        records["volume"] = ours.get("volume", 0)
        first = int(records["ts_event"][0]) if len(records) else 0
        metadata = dbn.Metadata("", first, None, dbn.SType.from_str("instrument_id"), dbn.Schema.from_str("ohlcv-1m"))
        write_bytes(metadata.encode() + records.tobytes(), path, path.stem)


def _metadata(data: bytes, path: Path) -> Any:
    """The metadata at the start of a file. Raises DataError for a schema that is none of bars."""
    import databento_dbn as dbn

    metadata = dbn.Metadata.decode(data)
    if metadata.schema is None or not str(metadata.schema).startswith("ohlcv"):
        raise DataError(
            f"it holds {metadata.schema or 'records of several schemas'}, and no bars.",
            where=str(path),
            hint="Ask Databento for a schema of bars, such as ohlcv-1m.",
        )
    return metadata


def _symbols(table: pd.DataFrame, mappings: dict[str, list[dict[str, Any]]]) -> np.ndarray:
    """The symbol of each bar [n]; its instrument's number where the metadata has none."""
    instrument = table["instrument_id"].to_numpy()
    codes, numbers = pd.factorize(instrument)
    symbols = np.array([str(number) for number in numbers], object)[codes]
    day = table["ts_event"].to_numpy().astype("datetime64[ns]").astype("datetime64[D]")
    held = set(map(str, numbers))
    for symbol, intervals in mappings.items():
        for interval in intervals:
            if interval["symbol"] in held:
                since, until = (np.datetime64(interval[side], "D") for side in ("start_date", "end_date"))
                symbols[(instrument == int(interval["symbol"])) & (day >= since) & (day < until)] = symbol
    return symbols
