"""What moola writes is read again as it was: bars, windows, tasks of Label Studio, and predictions."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from moola_core.cli import main
from moola_core.errors import DataError
from moola_core.market import frames
from moola_core.market.bars import bars_from_arrays, load_bars
from moola_core.market.readers import READERS
from moola_core.market.windows import load_windows, locate
from moola_core.specs import ReadOptions


@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_bars_are_read_again_as_they_were(demo, tmp_path, first, ending):
    part = slice(first, first + 3000)
    names = np.array(["H4"] * 1000 + ["M4"] * 2000)
    bars = bars_from_arrays(demo.bars.time[part], demo.bars.ohlc[part], volume=demo.bars.volume[part], contract=names)
    path = tmp_path / f"b.{ending}"
    frames.write(frames.bars_frame(bars), path)
    again = load_bars(path, ReadOptions(stamp="start") if ending == "csv" and first else None)
    assert again.content_hash == bars.content_hash and np.array_equal(again.volume, bars.volume)
    assert again.rolls.tolist() == [1000]


@pytest.fixture
def some(demo):
    """Windows with and without pointers, and with grades."""
    windows = demo.windows.select(np.arange(20))
    start = np.where(np.arange(20) % 4 == 0, np.nan, windows.start)
    end = np.where(np.arange(20) % 4 == 0, np.nan, windows.end)
    return dataclasses.replace(windows, start=start, end=end)


LISTS = [reader.suffixes[0].strip(".") for reader in READERS.values() if reader.holds_lists]


@pytest.mark.parametrize("ending", [*LISTS, "json"])
@pytest.mark.parametrize("length", [105, 60])
def test_windows_are_read_again_as_they_were(demo, tmp_path, some, ending, length):
    keep = np.nan_to_num(some.end) < length
    windows = dataclasses.replace(some.select(keep), prices=some.prices[keep][:, :length])
    path = tmp_path / f"w.{ending}"
    frames.write_windows(windows, path, demo.bars)
    again = load_windows(path, None, demo.bars)
    assert again.content_hash == windows.content_hash
    assert np.array_equal(again.position, windows.position) and again.grade.tolist() == windows.grade.tolist()


def test_tasks_need_to_know_when_a_window_is(demo, some):
    unknown = dataclasses.replace(
        some, position=np.full(len(some), -1), start_time=np.full(len(some), np.datetime64("NaT", "ns"))
    )
    with pytest.raises(DataError, match="is not known"):
        frames.tasks(unknown)
    assert len(frames.tasks(locate(unknown, demo.bars), demo.bars)) == 20


def test_predictions_are_shown_by_label_studio_as_they_are(demo):
    windows = demo.windows.select(np.arange(3))
    times = np.stack([demo.bars.time[i : i + 105] for i in windows.position])
    table = pd.DataFrame({"window_id": ["a", "b", "c"], "predicted": ["x", "y", "x"], "agreement": [1.0, 0.5, 0.75]})
    table["start_pred"], table["end_pred"] = [3.2, np.nan, 90.0], [9.6, np.nan, 120.0]
    made = frames.predicted_tasks(table, times, np.timedelta64(60, "s"), "run")
    spans = [task["predictions"][0]["result"][1:] for task in made]
    moments = [int(times[0, bar].astype("datetime64[ms]").astype(int)) for bar in (3, 10)]
    assert [spans[0][0]["value"][side] for side in ("start", "end")] == moments and not spans[1]
    assert spans[2][0]["value"]["end"] == int(times[2, 104].astype("datetime64[ms]").astype(int))
    assert [task["predictions"][0]["score"] for task in made] == [1.0, 0.5, 0.75]


def test_convert_writes_what_was_understood(capsys, tmp_path, demo):
    clock = pd.Series(demo.bars.time[:2000]) + pd.Timedelta(minutes=1)
    table = pd.DataFrame(demo.bars.ohlc[:2000], columns=["open", "high", "low", "close"])
    table.insert(0, "time", clock.astype(str))
    table.to_csv(tmp_path / "b.csv", index=False)
    flags = ["--tz", "UTC", "--stamp", "end", "--out", str(tmp_path / "b.parquet")]
    assert main(["convert", str(tmp_path / "b.csv"), *flags, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2000
    assert np.array_equal(load_bars(tmp_path / "b.parquet").time, demo.bars.time[:2000])
    assert main(["convert", str(tmp_path / "b.csv"), *flags[:-1], str(tmp_path / "b.csv")]) == 2
    assert "is the file that is read" in capsys.readouterr().err
