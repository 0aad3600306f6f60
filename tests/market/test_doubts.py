"""Files that are not what they seem: named or refused, never read in silence."""

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.market.windows import load_windows, windows_from_arrays
from moola_core.specs import ReadOptions
from tests.market.test_bars import frame, write

PRICES = ["open", "high", "low", "close"]


def notes(table, path, **reading):
    return " ".join(load_bars(write(table, path), ReadOptions(tz="UTC", **reading)).report.warnings)


def jumping(n=200):
    table = frame(n)
    table.loc[150:, PRICES] += 100
    return table


@pytest.mark.parametrize("column", ["symbol", "ticker", "contract", "instrument"])
def test_a_constant_symbol_does_not_hide_a_jump(tmp_path, column):
    assert "1 jumps" in notes(jumping().assign(**{column: "NQ"}), tmp_path / "b.csv")


def test_a_roll_explains_its_own_jump_and_no_other(tmp_path):
    table = jumping().assign(contract=["H4"] * 150 + ["M4"] * 50)
    assert "jumps" not in notes(table, tmp_path / "b.csv")
    table.loc[50:, PRICES] += 100
    found = notes(table, tmp_path / "b.csv")
    assert "1 jumps" in found and str(table["timestamp"][50])[:10] in found


def test_a_contract_number_beside_a_constant_symbol_gives_the_rolls(tmp_path):
    table = jumping().assign(instrument_id=[750] * 150 + [751] * 50, symbol="NQ.c.0")
    bars = load_bars(write(table, tmp_path / "b.csv"), ReadOptions(tz="UTC"))
    assert bars.rolls.tolist() == [150] and "instrument_id" in " ".join(bars.report.warnings)


@pytest.mark.parametrize("mixed", ["interleaved", "one after another"])
@pytest.mark.parametrize("repair", ["refuse", "drop", "drop-many"])
def test_two_instruments_in_one_file_are_asked_about_and_never_mixed_by_dropping(tmp_path, mixed, repair):
    table = pd.concat([frame(60).assign(ticker="AAPL"), frame(60).assign(ticker="QQQ")])
    table = table.sort_values("timestamp", kind="stable") if mixed == "interleaved" else table
    with pytest.raises(OpenQuestions, match=r"2 instruments at the same times: AAPL, QQQ.*--contract") as asked:
        notes(table, tmp_path / "b.csv", repair=repair)
    assert dict(asked.value.questions[0].answers) == {"AAPL": "60 bars", "QQQ": "60 bars"}
    assert "60 bars of QQQ are kept" in notes(table, tmp_path / "b.csv", repair=repair, contract="QQQ")


def test_whole_numbers_in_a_fixed_point_scale_are_asked_about(tmp_path):
    table = frame()
    path = write(table.assign(**{name: (table[name] * 1e9).astype("int64") for name in PRICES}), tmp_path / "b.csv")
    with pytest.raises(OpenQuestions, match=r"whole numbers such as.*--scale 1e-9"):
        load_bars(path, ReadOptions(tz="UTC"))
    assert np.array_equal(load_bars(path, ReadOptions(tz="UTC", scale=1e-9)).ohlc, table[PRICES].to_numpy())


@pytest.mark.parametrize(
    ("times", "first"),
    [
        (45293.75 + np.arange(60) / 1440, "2024-01-02T18:00"),
        (20240102180000 + 100 * np.arange(60), "2024-01-02T18:00"),
        (202401021800 + np.arange(60), "2024-01-02T18:00"),
    ],
)
def test_days_of_a_spreadsheet_and_dates_without_separators_are_times(tmp_path, times, first):
    bars = load_bars(write(frame().assign(timestamp=times), tmp_path / "b.csv"), ReadOptions(tz="UTC"))
    assert bars.time[0] == np.datetime64(first) and bars.interval_s == 60


def test_row_numbers_are_no_times(tmp_path):
    with pytest.raises(DataError, match="row numbers"):
        notes(frame().assign(timestamp=np.arange(60)), tmp_path / "b.csv")


def test_an_export_that_changes_the_unit_of_its_times_is_read_by_size_and_named(tmp_path):
    table = frame()
    epoch = table["timestamp"].astype("datetime64[us]").astype("int64")
    table["timestamp"] = np.where(np.arange(60) < 30, epoch // 1000, epoch)
    bars = load_bars(write(table, tmp_path / "b.csv"))
    assert np.array_equal(bars.time, frame()["timestamp"].to_numpy("datetime64[ns]"))
    assert "30 in us, 30 in ms" in bars.report.warnings[0]


def test_filler_of_a_closed_market_is_named(tmp_path):
    table = frame(200)
    table.loc[100:160, [*PRICES, "volume"]] = [100.0] * 4 + [0]
    assert "61 flat bars of volume 0 in 1 long runs" in notes(table, tmp_path / "b.csv")
    assert "flat" not in notes(frame(200), tmp_path / "b.csv")


def test_times_that_the_file_calls_ends_are_named(tmp_path):
    table = frame().rename(columns={"timestamp": "close_time"})
    assert "close_time holds the end of each bar" in notes(table, tmp_path / "b.csv", column_map={"time": "close_time"})
    table = frame().drop(columns="volume").assign(Up=1, Down=1)
    table["Date"], table["Time"] = table["timestamp"].dt.strftime("%Y-%m-%d"), table["timestamp"].dt.strftime("%H:%M")
    table["Time"] = (table["timestamp"] + pd.Timedelta(minutes=1)).dt.strftime("%H:%M")
    bars = load_bars(write(table.drop(columns="timestamp"), tmp_path / "t.csv"), ReadOptions(tz="UTC"))
    assert "TradeStation" in " ".join(bars.report.warnings) and bars.time[0] == table["timestamp"][0]


def test_an_hour_that_the_clock_shows_twice_is_named_when_it_has_to_be_guessed(tmp_path):
    clock = [
        *pd.date_range("2024-11-03 00:30", periods=60, freq="1min"),
        *pd.date_range("2024-11-03 02:00", periods=30, freq="1min"),
    ]
    table = frame(90).assign(timestamp=clock)
    found = load_bars(write(table, tmp_path / "b.csv"), ReadOptions(tz="America/New_York"))
    assert "30 times may be either of two" in found.report.warnings[0]


def test_classes_that_differ_in_spelling_and_copies_with_other_labels_are_named(demo):
    prices = demo.windows.prices[[0, 1, 2, 3, 0]]
    report = windows_from_arrays(prices, ["Up", "up", "down", "up", "down"]).report
    found = " ".join(report.warnings)
    assert report.contradicting == 2
    assert "Up (1), up (2) differ only in their spelling and are joined as up" in found
    assert "2 windows have the prices of another window and a different label" in found


def labels_of(demo, lengths, ends_at=0):
    at = demo.windows.position[: len(lengths)]
    stamp = lambda rows: pd.Series(demo.bars.time[rows]).astype(str)  # noqa: E731
    return pd.DataFrame(
        {
            "start_time": stamp(at),
            "end_time": stamp(at + np.array(lengths) - ends_at),
            "label": demo.windows.label[: len(lengths)],
        }
    )


@pytest.mark.parametrize("ends_at", [0, 1], ids=["end of the last bar", "start of the last bar"])
def test_the_length_of_labelled_intervals_is_used_or_asked_about(demo, tmp_path, ends_at):
    path = tmp_path / "l.csv"
    labels_of(demo, [105] * 12, ends_at).to_csv(path, index=False)
    assert not load_windows(path, ReadOptions(tz="UTC"), demo.bars).report.warnings
    labels_of(demo, [105] * 6 + [40, 60, 90, 20, 80, 75], ends_at).to_csv(path, index=False)
    with pytest.raises(OpenQuestions, match=r"intervals have (20|19) to 10[45] bars.*--lengths center"):
        load_windows(path, ReadOptions(tz="UTC"), demo.bars)
    first = demo.windows.position[:12]
    assert np.array_equal(load_windows(path, ReadOptions(tz="UTC", lengths="start"), demo.bars).position, first)
    middle = load_windows(path, ReadOptions(tz="UTC", lengths="center"), demo.bars).position
    assert np.abs(middle[6:] - (first[6:] + np.array([40, 60, 90, 20, 80, 75]) // 2 - 52)).max() <= 1
    with pytest.raises(DataError, match="all windows of a run have one length"):
        load_windows(path, ReadOptions(tz="UTC", lengths="refuse"), demo.bars)


@pytest.mark.parametrize("length", [30, 60])
def test_intervals_of_one_other_length_are_windows_of_that_length(demo, tmp_path, length):
    path = tmp_path / "l.csv"
    labels_of(demo, [length] * 12).to_csv(path, index=False)
    windows = load_windows(path, ReadOptions(tz="UTC", ends="exclusive"), demo.bars)
    assert windows.bars == length and np.array_equal(windows.position, demo.windows.position[:12])
    with pytest.raises(OpenQuestions, match="--ends inclusive"):
        load_windows(path, ReadOptions(tz="UTC"), demo.bars)


def test_a_lone_end_time_is_asked_about(demo, tmp_path):
    path = tmp_path / "l.csv"
    labels_of(demo, [105] * 12, 1).drop(columns="start_time").to_csv(path, index=False)
    with pytest.raises(OpenQuestions, match="moment after the last bar, or that bar itself"):
        load_windows(path, ReadOptions(tz="UTC"), demo.bars)
    for ends, first in (("inclusive", demo.windows.position[:12]), ("exclusive", demo.windows.position[:12] - 1)):
        windows = load_windows(path, ReadOptions(tz="UTC", ends=ends), demo.bars)
        assert np.array_equal(windows.position, first)


def test_rows_that_label_single_bars_become_windows_only_when_the_user_says_so(demo, tmp_path):
    path = tmp_path / "l.csv"
    times = pd.Series(demo.bars.time[200:260]).astype(str)
    runs = ["up"] * 15 + ["none"] * 5 + ["down"] * 15 + ["none"] * 10 + ["up"] * 15
    pd.DataFrame({"timestamp": times, "label": runs}).to_csv(path, index=False)
    with pytest.raises(OpenQuestions, match=r"labels a single bar. Runs of equal labels \(3 of down, up\)"):
        load_windows(path, ReadOptions(tz="UTC"), demo.bars)
    windows = load_windows(path, ReadOptions(tz="UTC", bar_labels="runs", ends="exclusive"), demo.bars)
    assert windows.position.tolist() == [200, 220, 245] and windows.bars == 15
    assert windows.label.tolist() == ["up", "down", "up"]


def test_two_series_without_names_are_never_mixed_by_dropping(tmp_path):
    table = pd.concat([frame(60), frame(60).assign(**{name: frame(60)[name] + 50 for name in PRICES})])
    path = write(table.sort_values("timestamp", kind="stable"), tmp_path / "b.csv")
    for repair in ("refuse", "drop", "drop-many"):
        with pytest.raises(DataError, match="it holds several instruments"):
            load_bars(path, ReadOptions(tz="UTC", repair=repair))


@pytest.mark.parametrize(("scale", "asked"), [(100, "0.01"), (10_000, "0.0001")])
def test_whole_numbers_in_steps_are_hardly_prices_as_they_are(tmp_path, scale, asked):
    table = frame()
    table[PRICES] += 16_700
    path = write(table.assign(**{name: (table[name] * scale).astype("int64") for name in PRICES}), tmp_path / "b.csv")
    with pytest.raises(OpenQuestions) as error:
        load_bars(path, ReadOptions(tz="UTC"))
    assert asked in error.value.questions[0].answers
    assert np.allclose(load_bars(path, ReadOptions(tz="UTC", scale=1 / scale)).ohlc, table[PRICES].to_numpy())
    whole = table.assign(**{name: table[name].round().astype("int64") for name in PRICES})
    whole["high"], whole["low"] = whole[PRICES].max(axis=1), whole[PRICES].min(axis=1)
    assert load_bars(write(whole, tmp_path / "w.csv"), ReadOptions(tz="UTC")).ohlc[0, 0] == whole["open"][0]


def test_a_time_zone_in_which_the_sessions_are_unusual_is_named(demo, tmp_path):
    clock = (
        pd.Series(demo.bars.time[:8000]).dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.tz_localize(None)
    )
    table = pd.DataFrame(demo.bars.ohlc[:8000], columns=PRICES).assign(timestamp=clock)
    path = write(table, tmp_path / "b.csv")
    assert np.array_equal(load_bars(path).time, demo.bars.time[:8000])
    assert "likely" not in " ".join(load_bars(path, ReadOptions(tz="America/New_York")).report.warnings)
    assert "Another time zone is likely, America/New_York" in " ".join(
        load_bars(path, ReadOptions(tz="UTC")).report.warnings
    )


def test_a_length_in_bars_is_used(demo, tmp_path):
    path = tmp_path / "l.csv"
    labels_of(demo, [60] * 12).drop(columns="end_time").assign(length=60).to_csv(path, index=False)
    windows = load_windows(path, ReadOptions(tz="UTC"), demo.bars)
    assert windows.bars == 60 and np.array_equal(windows.position, demo.windows.position[:12])


@pytest.mark.parametrize("values", [[-0.4, 0.5, 0.6], ["2024-01-02 10:00", "2024-01-02 11:00", "x"]])
def test_pointers_of_windows_with_prices_that_are_no_bar_numbers_are_refused(demo, values):
    with pytest.raises(DataError, match=r"which is no bar number|neither bar numbers nor fractions"):
        windows_from_arrays(demo.windows.prices[:3], ["a", "b", "a"], expansion_start=values, expansion_end=values)


def test_a_file_of_bars_with_labels_is_cut_from_itself(demo, tmp_path):
    labels = np.full(600, "none", object)
    labels[100:160], labels[300:360] = "up", "down"
    table = pd.DataFrame(demo.bars.ohlc[:600], columns=PRICES).assign(
        time=pd.Series(demo.bars.time[:600]).dt.tz_localize("UTC").astype(str), label=labels
    )
    table.to_csv(tmp_path / "b.csv", index=False)
    windows = load_windows(tmp_path / "b.csv", ReadOptions(bar_labels="runs", ends="exclusive"))
    assert windows.position.tolist() == [100, 300] and windows.bars == 60
    assert "give the file as windows" in " ".join(load_bars(tmp_path / "b.csv").report.warnings)


def test_the_order_of_dates_in_labels_is_seen_in_the_bars(demo, tmp_path):
    times = pd.Series(demo.bars.time[demo.windows.position[:60]])
    early = times[(times.dt.day <= 12) & (times.dt.day != times.dt.month)][:4]
    path = tmp_path / "l.csv"
    pd.DataFrame({"start_time": early.dt.strftime("%d/%m/%Y %H:%M"), "label": ["a", "b"] * 2}).to_csv(path, index=False)
    windows = load_windows(path, ReadOptions(tz="UTC"), demo.bars)
    assert np.array_equal(windows.start_time, early.to_numpy())
    assert "Dates are read day-first, because only then do they lie in the bars" in " ".join(windows.report.warnings)
