"""Files are written as they were understood, and read again they are the same."""

import numpy as np
import pandas as pd
import pytest

import moola_core as moola
from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.windows import load_windows


def test_bars_are_converted_with_the_answers_that_they_need(demo, tmp_path):
    table = pd.DataFrame(demo.bars.ohlc[:900], columns=["open", "high", "low", "close"])
    table.insert(0, "time", (pd.Series(demo.bars.time[:900]) + pd.Timedelta(minutes=1)).astype(str))
    table.to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(OpenQuestions):
        moola.convert(tmp_path / "b.csv", tmp_path / "b.parquet")
    out = moola.convert(tmp_path / "b.csv", tmp_path / "b.parquet", answers={"tz": "UTC", "stamp": "end"})
    first, again = load_bars(out), load_bars(moola.convert(out, tmp_path / "again.csv"))
    assert np.array_equal(first.time, demo.bars.time[:900]) and first.content_hash == again.content_hash


@pytest.mark.parametrize("ending", ["parquet", "json"])
def test_windows_are_converted_there_and_back(demo_files, tmp_path, ending):
    windows, bars = demo_files["windows"], demo_files["bars"]
    there = moola.convert(windows, tmp_path / f"w.{ending}", bars)
    back = moola.convert(there, tmp_path / "back.parquet", bars)
    before, after = (load_windows(path, None, load_bars(bars)) for path in (windows, back))
    assert before.content_hash == after.content_hash and np.array_equal(before.position, after.position)


def test_the_file_that_is_read_is_not_written(demo_files):
    with pytest.raises(DataError, match="is the file that is read"):
        moola.convert(demo_files["windows"], demo_files["bars"], demo_files["bars"])
