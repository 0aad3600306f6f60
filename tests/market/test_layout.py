"""How a text is laid out: separators, decimal marks, headers, titles, footers, encodings."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.readers import text as text_reader
from moola_core.market.readers.layout import layout_of
from moola_core.specs import ReadOptions, build
from tests.market.generated_files import walk
from tests.market.test_bars import frame, write


def text_of(table, separator=",", head="", foot=""):
    times = table["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return head + table.assign(timestamp=times).to_csv(index=False, sep=separator) + foot


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("head", ["", "sep=X\n", "# by hand\n", "My bars\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_same_bars_whatever_the_layout(tmp_path, separator, head, encoding):
    table = frame()
    path = tmp_path / "b.csv"
    text = text_of(table, separator, head.replace("X", separator), "exportiert für Sie\n")
    path.write_bytes(text.encode(encoding))
    bars = load_bars(path)
    assert np.array_equal(bars.ohlc, table[["open", "high", "low", "close"]].to_numpy()) and len(bars) == 60


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands"),
    [
        (["16800.25", "16801.5"], ".", None),
        (["16.800,25", "16.801,50"], ",", "."),
        (["16800,25", "16801,5"], ",", None),
        (["16'800.25", "16'801.50"], ".", "'"),
        (["1.085", "1.0851"], ".", None),
    ],
)
def test_decimal_marks_and_thousands(cells, decimal, thousands):
    text = "time;open;high;low;close\n" + "".join(
        f"2024-01-02 10:0{i};" + ";".join([c] * 4) + "\n" for i, c in enumerate(cells)
    )
    layout = layout_of(text, ReadOptions(), "f")
    assert (layout.decimal, layout.thousands) == (decimal, thousands)


@pytest.mark.parametrize(("mark", "price"), [(",", 148.123), (".", 148123.0)])
def test_a_mark_that_may_be_either_is_asked_about(tmp_path, mark, price):
    rows = [f"2024-01-02T10:{i:02d}:00Z;" + ";".join(["148,123"] * 4) for i in range(30)]
    (tmp_path / "b.csv").write_text("\n".join(["time;open;high;low;close", *rows]), encoding="utf-8")
    with pytest.raises(OpenQuestions, match=r"148,123 is 148\.123.*148,123 is 148123"):
        load_bars(tmp_path / "b.csv")
    assert load_bars(tmp_path / "b.csv", ReadOptions(decimal=mark)).ohlc[0, 0] == price


def test_columns_without_names_in_no_usual_order_are_asked_about(tmp_path):
    table = frame()
    shuffled = pd.DataFrame({"t": table["timestamp"].astype("int64") // 1000, "x": table["close"]})
    shuffled = shuffled.assign(l=table["low"], h=table["high"], o=table["open"])
    shuffled.to_csv(tmp_path / "b.csv", index=False, header=False)
    with pytest.raises(OpenQuestions, match="fits no usual order of prices") as asked:
        load_bars(tmp_path / "b.csv")
    assert asked.value.questions[0].flag == "--columns"
    bars = load_bars(tmp_path / "b.csv", build(ReadOptions, {"column_names": "time,close,low,high,open"}))
    assert np.array_equal(bars.ohlc, table[["open", "high", "low", "close"]].to_numpy())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("\n", "\n1,2,3,4,5,6,7,8,9\n", 1), "do not have the same columns: line 2 has 9"),
        (
            lambda t: t.replace("2024-03-04T15:00", "1,2,2024-03-04T15:00"),
            "do not have the same columns.*line 32, saw 8",
        ),
        (lambda t: t.replace("100.25", "abc"), "'abc', which is no number"),
        (lambda t: t.replace("2024-03-04T14:40:00Z", "2024-03-04 14:40:00"), "carry an offset and 1 do not"),
        (lambda t: t.replace("2024", "1970"), "before 1980"),
        (lambda t: t.replace("2024", "2199"), "in the future"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_was_seen(tmp_path, change, words):
    (tmp_path / "b.csv").write_text(change(text_of(frame())), encoding="utf-8")
    with pytest.raises(DataError, match=words):
        load_bars(tmp_path / "b.csv")


def test_an_archive_of_two_files_is_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(DataError, match=r"archive of 2 files: a\.csv, b\.csv"):
        load_bars(tmp_path / "b.zip")


def test_bars_of_two_lengths_and_prices_in_two_scales_are_refused(tmp_path):
    table = frame(400)
    longer = table.copy()
    longer.loc[200:, "timestamp"] = longer.loc[199, "timestamp"] + pd.to_timedelta(np.arange(1, 201) * 5, unit="min")
    with pytest.raises(DataError, match=r"bars are \d+ s apart, but \d+ s from"):
        load_bars(write(longer, tmp_path / "l.csv"), ReadOptions(tz="UTC"))
    table.loc[200:, ["open", "high", "low", "close"]] *= 100
    with pytest.raises(DataError, match="the scale of the prices seems to change"):
        load_bars(write(table, tmp_path / "s.csv"), ReadOptions(tz="UTC"))


def test_a_bar_that_is_still_running_is_left_out(tmp_path):
    table = frame()
    table.loc[59, "timestamp"] = table.loc[58, "timestamp"] + pd.Timedelta(seconds=90)
    bars = load_bars(write(table, tmp_path / "b.csv"), ReadOptions(tz="UTC"))
    assert len(bars) == 59 and "still running" in " ".join(bars.report.warnings)


def test_only_bars_of_the_session_are_kept(tmp_path):
    table = frame(600, "2024-03-04T13:00")
    bars = load_bars(write(table, tmp_path / "b.csv"), ReadOptions(tz="UTC", session=("09:30", "16:00")))
    assert len(bars) == 390 and bars.time[0] == np.datetime64("2024-03-04T14:30")
    assert "390 of 600 bars lie in the session 09:30-16:00" in " ".join(bars.report.warnings)


TIMES = pd.date_range("2024-03-14 23:00", periods=120, freq="min", tz="UTC")
OHLC = walk(np.random.default_rng(0), 120, 16800.0)
STARTS = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in TIMES]
HEADER = "time,open,high,low,close"


def lines(header, row=None):
    """A text with a line for each bar: row(i, open, high, low, close)."""
    row = row or (lambda i, o, h, low, c: f"{STARTS[i]},{o},{h},{low},{c}")
    return [*[header] * bool(header), *(row(i, *OHLC[i]) for i in range(len(OHLC)))]


def comma(value, thousands=""):
    return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", thousands)


FOREIGN = {
    "names in one word": lines("DateTime,OpenPrice,HighPrice,LowPrice,ClosePrice"),
    "names with the instrument": lines("timestamp,NQ_open,NQ_high,NQ_low,NQ_close"),
    "names with a unit": lines("timestamp,open_usd,high_usd,low_usd,close_usd"),
    "german": lines(
        "Datum;Uhrzeit;Eröffnungskurs;Höchstkurs;Tiefstkurs;Schlußkurs;Umsatz",
        lambda i, *row: f"{TIMES[i]:%d.%m.%Y;%H:%M};{';'.join(comma(v, '.') for v in row)};12",
    ),
    "french": lines(
        "Date;Heure;Ouverture;Plus haut;Plus bas;Clôture",
        lambda i, *row: f"{TIMES[i]:%d/%m/%Y;%H:%M};{';'.join(map(comma, row))}",
    ),
    "header in a comment": [
        "# by hand",
        *lines("#time,close,open,low,high", lambda i, o, h, low, c: f"{STARTS[i]},{c},{o},{low},{h}"),
    ],
    "two files joined": [*lines(HEADER)[:60], HEADER, *lines(HEADER)[60:]],
    "currency": lines(HEADER, lambda i, *row: f"{STARTS[i]},{','.join(f'${v:.2f}' for v in row)}"),
    "time in parts": lines(
        "year,month,day,hour,minute,open,high,low,close",
        lambda i, *row: f"{TIMES[i]:%Y,%m,%d,%H,%M},{','.join(map(str, row))}",
    ),
    "zone in a column": lines(
        "time,timezone,open,high,low,close",
        lambda i, *row: f"{TIMES[i].tz_convert('Asia/Tokyo'):%Y-%m-%d %H:%M},Asia/Tokyo,{','.join(map(str, row))}",
    ),
    "iso without signs": lines("", lambda i, *row: f"{TIMES[i]:%Y%m%dT%H%M%SZ},{','.join(map(str, row))}"),
    "ends a second early": lines(HEADER, lambda i, *row: f"{STARTS[i][:-3]}59Z,{','.join(map(str, row))}"),
    "ends a millisecond early": lines(
        "close_time,open,high,low,close",
        lambda i, *row: f"{int(TIMES[i].timestamp() * 1000) + 59999},{','.join(map(str, row))}",
    ),
    "milliseconds as decimals": lines(
        "ts,o,h,l,c", lambda i, *row: f"{TIMES[i].timestamp() * 1000:.1f},{','.join(map(str, row))}"
    ),
}


@pytest.mark.parametrize("layout", FOREIGN)
def test_layouts_of_others(tmp_path, layout):
    (tmp_path / "b.csv").write_text("\n".join(FOREIGN[layout]) + "\n", encoding="utf-8")
    try:
        bars = load_bars(tmp_path / "b.csv")
    except OpenQuestions as error:  # no zone in it
        assert {question.id for question in error.questions} == {"tz"}
        bars = load_bars(tmp_path / "b.csv", ReadOptions(tz="UTC"))
    assert np.array_equal(bars.time, TIMES.tz_localize(None).to_numpy()) and np.array_equal(bars.ohlc, OHLC)


def test_the_prices_of_several_instruments_in_a_row_are_told_apart_by_the_user(tmp_path):
    header = "timestamp,NQ_open,NQ_high,NQ_low,NQ_close,ES_open,ES_high,ES_low,ES_close"
    text = lines(header, lambda i, *row: f"{STARTS[i]},{','.join(map(str, row))},{','.join(str(v / 4) for v in row)}")
    (tmp_path / "b.csv").write_text("\n".join(text), encoding="utf-8")
    with pytest.raises(DataError, match=r"2 instruments.*--column open=NQ_open"):
        load_bars(tmp_path / "b.csv")
    own = {name: f"ES_{name}" for name in ("open", "high", "low", "close")}
    assert np.allclose(load_bars(tmp_path / "b.csv", ReadOptions(column_map=own)).ohlc, OHLC / 4)


@pytest.mark.parametrize("names", [("data.csv", "report.txt"), ("data.csv",)])
def test_an_archive_with_one_table_in_it(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "\n".join(lines(HEADER)) if name == "data.csv" else "gaps: none")
    assert np.array_equal(load_bars(tmp_path / "b.zip").ohlc, OHLC)


@pytest.mark.parametrize(
    "change",
    [
        "",
        "a text further down",
        "a number with an exponent",
        "empty cells",
        "spaces",
        "quotes",
        "whole numbers, then parts",
    ],
)
def test_a_text_is_read_alike_by_both_parsers(tmp_path, monkeypatch, change):
    rows = [
        line.split(",")
        for line in lines(
            "time,open,high,low,close,volume,code",
            lambda i, *row: f"{STARTS[i]},{','.join(map(str, row))},{i},0{i % 9}30",
        )
    ]
    table = pd.DataFrame(rows[1:], columns=rows[0])
    if change == "a text further down":
        table.loc[110, "volume"] = "1.2K"
    if change == "a number with an exponent":
        table["volume"] = "1e3"
    if change == "empty cells":
        table.loc[::3, "volume"] = ""
    if change.startswith("whole"):
        table.loc[115:, "volume"] = "0.5"
    text = table.to_csv(index=False, quoting=1 if change == "quotes" else 0)
    (tmp_path / "b.csv").write_text(text.replace(",", ", ") if change == "spaces" else text)
    quick = text_reader.Text().table(tmp_path / "b.csv", ReadOptions())
    monkeypatch.setattr(text_reader, "_parse_quickly", lambda text, layout: None)
    pd.testing.assert_frame_equal(quick, text_reader.Text().table(tmp_path / "b.csv", ReadOptions()))
    assert quick["code"].iloc[0] == "0030"
