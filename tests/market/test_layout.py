"""How a text is laid out: separators, decimal marks, headers, titles, footers, encodings."""

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.readers.layout import layout_of
from moola_core.specs import ReadOptions, build
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
