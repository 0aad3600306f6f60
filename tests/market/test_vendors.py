"""A file as each source writes it is recognised and read right; what only its user can know is asked."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from moola_core.market import readers, vendors
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.vendors import VENDORS
from moola_core.specs import ReadOptions, build
from tests.market.generated_files import walk

COUNT = 120
TIMES = pd.date_range("2024-01-02 23:00", periods=COUNT, freq="min", tz="UTC")
OHLC = walk(np.random.default_rng(0), COUNT, 16800.0)
ENDS = TIMES + pd.Timedelta(minutes=1)
EASTERN, STANDARD = TIMES.tz_convert("America/New_York"), TIMES.tz_convert("Etc/GMT+5")
MS = TIMES.tz_localize(None).to_numpy("datetime64[ms]").astype(np.int64)


def lines(row, header=""):
    """A text of one line for each bar: row(i, open, high, low, close)."""
    return "\n".join([*[header] * bool(header), *(row(i, *OHLC[i]) for i in range(COUNT))]) + "\n"


# Of each source: the file's name and text, and the answers that a user has to give.
FILES = {
    "binance": (
        "b.csv",
        lines(lambda i, o, h, low, c: f"{MS[i]},{o},{h},{low},{c},9.0,{MS[i] + 59999},1.0,5,1.0,1.0,0"),
        {},
    ),
    "databento": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: (
                f"{MS[i]}000000,33,1,750,{o * 1e9:.0f},{h * 1e9:.0f},{low * 1e9:.0f},{c * 1e9:.0f},9,NQH4"
            ),
            "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol",
        ),
        {},
    ),
    "interactive_brokers": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: f"{EASTERN[i]:%Y%m%d %H:%M:%S} US/Eastern,{o},{h},{low},{c},9,{c},4",
            "date,open,high,low,close,volume,average,barCount",
        ),
        {},
    ),
    "ninjatrader": ("b.txt", lines(lambda i, o, h, low, c: f"{ENDS[i]:%Y%m%d %H%M%S};{o};{h};{low};{c};9"), {}),
    "histdata": (
        "b.csv",
        lines(lambda i, o, h, low, c: f"{STANDARD[i]:%Y%m%d %H%M%S};{o:.6f};{h:.6f};{low:.6f};{c:.6f};0"),
        {},
    ),
    "tradestation": (
        "b.txt",
        lines(
            lambda i, o, h, low, c: f"{ENDS[i]:%m/%d/%Y},{ENDS[i]:%H:%M},{o},{h},{low},{c},5,4",
            '"Date","Time","Open","High","Low","Close","Up","Down"',
        ),
        {"tz": "UTC"},
    ),
    "sierra_chart": (
        "b.txt",
        lines(
            lambda i, o, h, low, c: (
                f"{TIMES[i].year}/{TIMES[i].month}/{TIMES[i].day}, {TIMES[i]:%H:%M:%S}.0, {o}, {h}, {low}, {c}, 9, 4, 4, 5"
            ),
            "Date, Time, Open, High, Low, Last, Volume, NumberOfTrades, BidVolume, AskVolume",
        ),
        {"tz": "UTC"},
    ),
    "metatrader": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: f"{TIMES[i]:%Y.%m.%d}\t{TIMES[i]:%H:%M:%S}\t{o}\t{h}\t{low}\t{c}\t9\t0\t2",
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
        ),
        {"tz": "UTC"},
    ),
    "tradingview": (
        "b.csv",
        lines(lambda i, o, h, low, c: f"{MS[i] // 1000},{o},{h},{low},{c},9", "time,open,high,low,close,Volume"),
        {},
    ),
    "dukascopy": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: f"{TIMES[i]:%d.%m.%Y %H:%M:%S}.000,{o},{h},{low},{c},0.5",
            "Gmt time,Open,High,Low,Close,Volume",
        ),
        {},
    ),
    "kibot": ("b.txt", lines(lambda i, o, h, low, c: f"{EASTERN[i]:%m/%d/%Y,%H:%M},{o},{h},{low},{c},9"), {}),
    "firstratedata": (
        "b.txt",
        lines(lambda i, o, h, low, c: f"{EASTERN[i]:%Y-%m-%d %H:%M:%S},{o},{h},{low},{c},9"),
        {"tz": "America/New_York"},
    ),
    "polygon": (
        "b.csv.gz",
        lines(
            lambda i, o, h, low, c: f"QQQ,9,{o},{c},{h},{low},{MS[i]}000000,4",
            "ticker,volume,open,close,high,low,window_start,transactions",
        ),
        {},
    ),
    "yfinance": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: f"{TIMES[i]},{c},{h},{low},{o},9",
            "Price,Close,High,Low,Open,Volume\nTicker,NQ=F,NQ=F,NQ=F,NQ=F,NQ=F\nDatetime,,,,,",
        ),
        {},
    ),
    "barchart": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: f"{TIMES[i]:%m/%d/%Y %H:%M},{o},{h},{low},{c},0,0.0%,9",
            "Time,Open,High,Low,Last,Change,%Change,Volume",
        )
        + '"Downloaded from Barchart.com"\n',
        {"tz": "UTC"},
    ),
}
OTHERS = {
    "kraken": ("b.csv", lines(lambda i, o, h, low, c: f"{MS[i] // 1000},{o},{h},{low},{c},9.5,4"), {}),
    "stooq": (
        "b.txt",
        lines(
            lambda i, o, h, low, c: f"NQ.F,1,{TIMES[i]:%Y%m%d,%H%M%S},{o},{h},{low},{c},9,0",
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
        ),
        {"tz": "UTC"},
    ),
    "decimal comma": (
        "b.csv",
        lines(
            lambda i, *p: (
                f"{TIMES[i]:%d.%m.%Y;%H:%M};" + ";".join(f"{x:_.2f}".replace(".", ",").replace("_", ".") for x in p)
            ),
            "Datum;Zeit;Eröffnung;Hoch;Tief;Schluss",
        ),
        {"tz": "UTC"},
    ),
    "spreadsheet days": (
        "b.csv",
        lines(
            lambda i, o, h, low, c: (
                f"{(TIMES[i] - pd.Timestamp('1899-12-30', tz='UTC')) / pd.Timedelta(days=1):.9f},{o},{h},{low},{c}"
            ),
            "Date,Open,High,Low,Close",
        ),
        {"tz": "UTC"},
    ),
    "a title with its zone": (
        "b.csv",
        "# zone: America/New_York\n"
        + lines(lambda i, *p: f"{EASTERN[i]:%Y-%m-%d %H:%M}," + ",".join(map(str, p)), "time,open,high,low,close"),
        {},
    ),
    "newest first, low first": (
        "b.json",
        json.dumps([[int(MS[i]), *OHLC[i, [2, 1, 0, 3]], 9.0] for i in range(COUNT)][::-1]),
        {},
    ),
    "objects within objects": (
        "b.json",
        json.dumps({"results": [dict(zip("tohlc", [int(MS[i]), *OHLC[i]], strict=True)) for i in range(COUNT)]}),
        {},
    ),
}


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
def test_a_file_of_each_source_is_read_right(tmp_path, name):
    file, text, answers = (FILES | OTHERS)[name]
    path = tmp_path / file
    if file.endswith("gz"):
        pd.Series(text.splitlines()).to_csv(path, index=False, header=False, quoting=3, sep="\x01")
    else:
        path.write_text(text, encoding="utf-8")
    if answers:
        with pytest.raises(OpenQuestions) as asked:
            load_bars(path)
        assert {question.id for question in asked.value.questions} == set(answers)
    bars = load_bars(path, build(ReadOptions, answers))
    assert np.array_equal(bars.time, TIMES.tz_localize(None).to_numpy("datetime64[ns]"))
    assert np.allclose(bars.ohlc, OHLC, rtol=0, atol=1e-9)
    if name in FILES:
        assert bars.report.reader == name


def test_every_registered_source_has_a_file_here():
    assert set(FILES) == set(VENDORS) - {"moola"}, "tests/market/test_frames.py has the files that moola writes"


def test_a_usual_zone_that_the_sessions_contradict_is_asked_about(tmp_path):
    """NinjaTrader's layout, in a file whose days are those of US stocks by New York's clock and not by UTC."""
    clock = pd.DatetimeIndex(
        np.concatenate([pd.date_range(f"2024-01-{day:02d} 09:31", periods=390, freq="min") for day in (2, 3, 4, 5)])
    )
    prices = walk(np.random.default_rng(1), len(clock), 400.0)
    rows = [
        f"{moment:%Y%m%d %H%M%S};" + ";".join(map(str, row)) + ";9" for moment, row in zip(clock, prices, strict=True)
    ]
    (tmp_path / "b.txt").write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(OpenQuestions) as asked:
        load_bars(tmp_path / "b.txt")
    assert [question.id for question in asked.value.questions] == ["tz"]


def test_a_stamp_that_contradicts_the_source_is_asked_about(tmp_path):
    text = lines(lambda i, o, h, low, c: f"{TIMES[i]:%Y%m%d %H%M%S};{o};{h};{low};{c};9")
    (tmp_path / "b.txt").write_text(text, encoding="utf-8")
    with pytest.raises(OpenQuestions) as asked:
        load_bars(tmp_path / "b.txt")
    assert {question.id for question in asked.value.questions} == {"stamp", "tz"}


def test_how_sure_the_recognition_is_has_a_reason(tmp_path):
    for name, (file, text, _) in FILES.items():
        if not file.endswith("gz"):
            (tmp_path / file).write_text(text, encoding="utf-8")
            found, _, score, reason = vendors.recognise(readers.read_layout(tmp_path / file, ReadOptions()))
            assert found == name and 0.5 <= score <= 1 and reason
