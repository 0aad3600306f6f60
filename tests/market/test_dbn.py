"""DBN, whose records are put together here as its specification has them; needs the optional package databento-dbn."""

import datetime
import struct
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.readers import read_layout
from moola_core.market.vendors import recognise
from moola_core.specs import ReadOptions
from tests.market.generated_files import walk

COUNT = 200
TIMES = pd.date_range("2024-01-02 23:00", periods=COUNT, freq="min", tz="UTC")
OHLC = walk(np.random.default_rng(0), COUNT, 16800.0)


def record(moment, prices, instrument, kind=33, after=b""):
    """One bar: its length in words of four bytes, type, publisher, instrument, time, four prices × 1e9, volume."""
    scaled = [round(price * 1e9) for price in prices]
    return struct.pack("<BBHIQqqqqQ", 14 + len(after) // 4, kind, 1, instrument, moment.value, *scaled, 7) + after


def write(path, records, schema="OHLCV_1M", ts_out=False):
    dbn = pytest.importorskip("databento_dbn")
    day = datetime.date
    names = [("NQH4", "750"), ("NQM4", "751")]
    mappings = [
        SimpleNamespace(
            raw_symbol=name,
            intervals=[SimpleNamespace(start_date=day(2024, 1, 1), end_date=day(2024, 2, 1), symbol=number)],
        )
        for name, number in names
    ]
    schema = getattr(dbn.Schema, schema)
    metadata = dbn.Metadata(
        "GLBX.MDP3", 0, dbn.SType.RAW_SYMBOL, dbn.SType.INSTRUMENT_ID, schema, ["NQH4"], [], [], mappings, ts_out=ts_out
    )
    path.write_bytes(metadata.encode() + b"".join(records))


@pytest.mark.parametrize("ts_out", [False, True])
def test_bars_have_their_prices_their_times_and_their_symbols(tmp_path, ts_out):
    path, after = tmp_path / "glbx.dbn", b"\1" * 8 if ts_out else b""
    write(path, [record(m, row, 750, after=after) for m, row in zip(TIMES, OHLC, strict=True)], ts_out=ts_out)
    bars = load_bars(path)
    assert np.array_equal(bars.time, TIMES.tz_localize(None).to_numpy()) and np.array_equal(bars.ohlc, OHLC)
    assert set(bars.contract) == {"NQH4"} and (bars.volume == 7).all()
    assert recognise(read_layout(path, ReadOptions()))[0] == "databento"


def test_two_contracts_are_asked_about_by_their_names(tmp_path):
    path = tmp_path / "glbx.dbn"
    pairs = zip(TIMES, OHLC, strict=True)
    write(path, [record(m, row + add, number) for m, row in pairs for number, add in ((750, 0), (751, 200))])
    with pytest.raises(OpenQuestions, match="NQH4, NQM4"):
        load_bars(path)
    assert np.array_equal(load_bars(path, ReadOptions(contract="NQM4")).ohlc, OHLC + 200)


def test_what_holds_no_bars_is_refused(tmp_path):
    path = tmp_path / "glbx.dbn"
    write(path, [], schema="TRADES")
    with pytest.raises(DataError, match=r"holds trades, and no bars.*ohlcv-1m"):
        load_bars(path)
    write(path, [record(TIMES[0], OHLC[0], 750, kind=160)])
    with pytest.raises(DataError, match="no bars"):
        load_bars(path)


def test_without_the_package_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "glbx.dbn").write_bytes(b"DBN")
    monkeypatch.setattr("moola_core.market.readers.reader.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r'databento_dbn.*pip install "moola\[databento\]"'):
        load_bars(tmp_path / "glbx.dbn")
