import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.settings import load_reading, save_reading
from moola_core.specs import ReadOptions

MINUTE = np.timedelta64(60, "s")


def frame(n=60, start="2024-03-04T14:30"):
    rng = np.random.default_rng(0)
    close = 100 + np.cumsum(rng.integers(-2, 3, n)) * 0.25
    first = np.r_[100.0, close[:-1]]
    high, low = np.maximum(first, close) + 0.25, np.minimum(first, close) - 0.25
    times = np.datetime64(start, "ns") + np.arange(n) * MINUTE
    return pd.DataFrame({"timestamp": times, "open": first, "high": high, "low": low, "close": close, "volume": 5})


def write(table, path):
    {
        ".csv": table.to_csv,
        ".gz": table.to_csv,
        ".zst": table.to_csv,
        ".parquet": table.to_parquet,
        ".feather": table.to_feather,
    }[path.suffix](path, **({} if path.suffix == ".feather" else {"index": False}))
    return path


@pytest.mark.parametrize("name", ["b.csv", "b.csv.gz", "b.csv.zst", "b.parquet", "b.feather"])
def test_every_kind_of_file_gives_the_same_bars(tmp_path, name):
    table = frame()
    if name.endswith("zst"):
        with pa.output_stream(tmp_path / name, compression="zstd") as stream:
            stream.write(table.to_csv(index=False).encode())
    else:
        write(table, tmp_path / name)
    bars = load_bars(tmp_path / name, ReadOptions(tz="UTC"))
    assert np.array_equal(bars.ohlc, table[["open", "high", "low", "close"]].to_numpy())
    assert np.array_equal(bars.time, table["timestamp"].to_numpy("datetime64[ns]"))
    assert bars.interval_s == 60 and bars.volume.sum() == 300 and bars.report.ok


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_epoch_times_are_recognised_by_their_size(tmp_path, unit):
    table = frame()
    epoch = table["timestamp"].astype(f"datetime64[{unit}]").astype("int64")
    bars = load_bars(write(table.assign(timestamp=epoch), tmp_path / "b.csv"))
    assert bars.time[0] == np.datetime64("2024-03-04T14:30")
    assert not bars.report.warnings


def test_offsets_zones_and_naive_times(tmp_path):
    table = frame()
    offset = table["timestamp"].dt.tz_localize("America/New_York").astype(str)
    bars = load_bars(write(table.assign(timestamp=offset), tmp_path / "o.csv"))
    assert bars.time[0] == np.datetime64("2024-03-04T19:30")
    naive = write(table, tmp_path / "n.csv")
    assert load_bars(naive, ReadOptions(tz="America/New_York")).time[0] == np.datetime64("2024-03-04T19:30")
    with pytest.raises(OpenQuestions, match=r"2024-03-04 14:30:00, carry no time zone.*--tz UTC") as asked:
        load_bars(naive)
    assert [question.id for question in asked.value.questions] == ["tz"] and asked.value.exit_status == 2
    with pytest.raises(DataError, match="unknown time zone 'Mars/Olympus'"):
        load_bars(naive, ReadOptions(tz="Mars/Olympus"))


def test_an_index_of_times_and_other_names_in_any_case(tmp_path):
    table = frame().rename(columns={"open": "O", "high": "HIGH", "low": "Lo", "close": "Last", "volume": "Vol"})
    table.set_index("timestamp").rename_axis(None).to_parquet(tmp_path / "b.parquet")
    assert len(load_bars(tmp_path / "b.parquet", ReadOptions(tz="UTC"))) == 60


def test_a_column_map_is_saved_beside_the_file_and_used(tmp_path):
    path = write(frame().rename(columns={"open": "first"}), tmp_path / "b.csv")
    with pytest.raises(DataError, match=r"b.csv: no column for open; the file has timestamp, first.*--column open="):
        load_bars(path)
    save_reading(path, ReadOptions(column_map={"open": "first"}, tz="UTC"))
    assert len(load_bars(path)) == 60
    assert load_reading(path).column_map == {"open": "first"}


FAULTS = {
    "a price is missing or infinite": ("close", np.nan),
    "a price is not positive": ("low", -1.0),
    "high is below the body": ("high", 50.0),
    "low is above the body": ("low", 500.0),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_bad_prices_are_refused_with_rule_count_and_rows_or_dropped(tmp_path, rule):
    table = frame()
    column, value = FAULTS[rule]
    table.loc[[7, 9], column] = value
    path = write(table, tmp_path / "b.csv")
    with pytest.raises(DataError, match=rf"{rule} \(2: row 7 .*row 9 .*repair"):
        load_bars(path, ReadOptions(tz="UTC"))
    bars = load_bars(path, ReadOptions(tz="UTC", repair="drop"))
    assert len(bars) == 58 and f"{rule} 2" in bars.report.warnings[0]


def test_a_repair_that_would_drop_many_rows_is_asked_about(tmp_path):
    table = frame()
    table.loc[10:13, "high"] = 50.0
    path = write(table, tmp_path / "b.csv")
    with pytest.raises(OpenQuestions, match=r"4 of 60 rows are bad.*--repair drop-many"):
        load_bars(path, ReadOptions(tz="UTC", repair="drop"))
    assert len(load_bars(path, ReadOptions(tz="UTC", repair="drop-many"))) == 56


def test_unordered_and_repeated_times_are_refused_or_dropped(tmp_path):
    table = frame()
    table.loc[10, "timestamp"] = table.loc[9, "timestamp"]
    table.loc[20, "timestamp"] = table.loc[2, "timestamp"]
    path = write(table, tmp_path / "b.csv")
    with pytest.raises(DataError, match=r"out of order \(1: row 20.*time occurs twice \(1: row 10"):
        load_bars(path, ReadOptions(tz="UTC"))
    bars = load_bars(path, ReadOptions(tz="UTC", repair="drop"))
    assert len(bars) == 58 and (np.diff(bars.time) > np.timedelta64(0)).all()


def test_gaps_rolls_and_jumps(tmp_path):
    table = frame(200)
    table.loc[100:, "timestamp"] += np.timedelta64(30, "m")
    table.loc[150:, ["open", "high", "low", "close"]] += 100
    bars = load_bars(write(table, tmp_path / "b.csv"), ReadOptions(tz="UTC"))
    assert [(gap.after, gap.missing) for gap in bars.gaps] == [(99, 30)]
    assert any("1 jumps" in line for line in bars.report.warnings)
    table["contract"] = ["H4"] * 150 + ["M4"] * 50
    rolled = load_bars(write(table, tmp_path / "c.csv"), ReadOptions(tz="UTC", max_gap_bars=60))
    assert rolled.rolls.tolist() == [150] and rolled.breaks.tolist() == [150] and rolled.gaps == ()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"nonsense", "cannot be read"),
        ("a.csv", b"", "no table in it"),
        ("a.csv", b"timestamp,open,high,low,close\n", "no bars"),
        ("a.csv", b"timestamp,open,high,low,close\nyesterday,1,1,1,1\n", "carry no time zone"),
        ("a.docx", b"x", "unknown kind of file"),
    ],
)
def test_files_that_are_no_bars_say_so(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        load_bars(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_bars(tmp_path / "none.csv")
