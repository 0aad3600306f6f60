"""Flags that say how files are read, where a command reads two of them."""

import json

import pandas as pd
import pytest

from moola_core.cli import main
from moola_core.market.settings import load_reading, save_reading
from moola_core.specs import ReadOptions

ZONES = ("UTC", "America/New_York", "Asia/Tokyo")


def run(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def files(demo, tmp_path):
    """write(labels zone, bars zone): labels and bars whose naive times are of those zones; gives both paths."""

    def write(labels_zone, bars_zone):
        clock = lambda times, zone: pd.Series(times).dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)  # noqa: E731
        bars = pd.DataFrame(demo.bars.ohlc, columns=["open", "high", "low", "close"])
        bars["time"] = clock(demo.bars.time, bars_zone).astype(str)
        at = demo.windows.position[:12]
        labels = pd.DataFrame(
            {"start_time": clock(demo.bars.time[at], labels_zone).astype(str), "label": demo.windows.label[:12]}
        )
        paths = tmp_path / "labels.csv", tmp_path / "bars.csv"
        labels.to_csv(paths[0], index=False)
        bars.to_csv(paths[1], index=False)
        return paths

    return write


def check(capsys, labels, bars, *flags):
    status, out, err = run(capsys, "check", labels, "--bars", bars, *flags, "--json")
    return status, json.loads(out) if out else {}, err


def right(found):
    """All windows were cut, at the places that the answers agree on."""
    return found.get("rows") == found.get("located") == 12 and not found["warnings"]


@pytest.mark.parametrize("saved", ["bars", "labels"])
def test_tz_for_one_file_leaves_what_was_saved_for_the_other(capsys, files, saved, demo):
    labels, bars = files("America/New_York", "Asia/Tokyo")
    kept, flag = (
        ((bars, "Asia/Tokyo"), "America/New_York") if saved == "bars" else ((labels, "America/New_York"), "Asia/Tokyo")
    )
    save_reading(kept[0], ReadOptions(tz=kept[1]))
    status, found, err = check(capsys, labels, bars, "--tz", flag, "--save")
    assert status == 0 and right(found)
    assert f"{kept[0]} keeps {kept[1]}" in err and f"--tz {flag} is for the other file" in err
    assert load_reading(labels).tz == "America/New_York" and load_reading(bars).tz == "Asia/Tokyo"


def test_each_file_has_its_own_time_zone_flag(capsys, files):
    labels, bars = files("America/New_York", "UTC")
    save_reading(labels, ReadOptions(tz="Asia/Tokyo"))  # a slip that the flag puts right
    status, found, err = check(capsys, labels, bars, "--tz", "America/New_York", "--bars-tz", "UTC")
    assert status == 0 and right(found) and err == ""


def test_one_zone_is_never_forced_on_two_files(capsys, files):
    """--tz is for the windows where their times carry no zone; the bars are asked about, or show theirs by their sessions."""
    labels, bars = files("America/New_York", "Asia/Tokyo")
    pd.read_csv(bars).iloc[:3000].to_csv(bars, index=False)
    table = pd.read_csv(labels)
    status, found, err = check(capsys, labels, bars, "--tz", "America/New_York")
    assert (
        status == 2
        and [question["flag"] for question in found["questions"]] == ["--bars-tz"]
        and "--bars-tz UTC" in err
    )
    status, found, _ = check(capsys, labels, bars, "--tz", "America/New_York", "--bars-tz", "Asia/Tokyo")
    assert status == 0 and found["rows"] == len(table)


def test_a_zone_is_for_the_bars_where_the_windows_need_none(capsys, files):
    labels, bars = files("UTC", "America/New_York")
    table = pd.read_csv(labels)
    table.assign(start_time=table["start_time"] + "Z").to_csv(labels, index=False)
    status, found, _ = check(capsys, labels, bars, "--tz", "America/New_York")
    assert status == 0 and right(found)


def test_a_flag_that_contradicts_what_was_saved_for_both_is_refused(capsys, files):
    labels, bars = files("America/New_York", "UTC")
    save_reading(labels, ReadOptions(tz="America/New_York"))
    save_reading(bars, ReadOptions(tz="UTC"))
    status, _, err = check(capsys, labels, bars, "--tz", "Asia/Tokyo")
    assert status == 2 and "neither of what was saved" in err and "--bars-tz" in err and err.count("\n") == 1


def test_a_flag_corrects_what_was_saved_for_a_file_that_is_read_alone(capsys, files):
    _, bars = files("UTC", "America/New_York")
    save_reading(bars, ReadOptions(tz="UTC"))
    status, _, err = run(capsys, "check", bars, "--tz", "America/New_York", "--save", "--json")
    assert status == 0 and err == "" and load_reading(bars).tz == "America/New_York"


def test_a_column_map_for_one_file_leaves_the_other_as_it_is(capsys, files):
    labels, bars = files("UTC", "UTC")
    pd.read_csv(labels).rename(columns={"start_time": "begins"}).to_csv(labels, index=False)
    pd.read_csv(bars).rename(columns={"time": "when"}).to_csv(bars, index=False)
    flags = ("--column", "start_time=begins", "--column", "time=when", "--tz", "UTC", "--bars-tz", "UTC", "--save")
    status, found, err = check(capsys, labels, bars, *flags)
    assert status == 0 and right(found), err
    assert load_reading(labels).column_map == {"start_time": "begins"}
    assert load_reading(bars).column_map == {"time": "when"}


def test_the_order_of_dates_is_asked_once_and_saved_for_its_own_file(capsys, files, demo):
    labels, bars = files("UTC", "UTC")
    table = pd.read_csv(bars)
    times = pd.to_datetime(table["time"])
    day = (times.dt.day == 8).to_numpy()  # 8 September fits both orders, and so do all bars of that day
    table.assign(time=times.dt.strftime("%d/%m/%Y %H:%M"))[day].to_csv(bars, index=False)
    starts = times[day].iloc[[30, 300]].astype(str) + "Z"
    pd.DataFrame({"start_time": starts, "label": ["a", "b"]}).to_csv(labels, index=False)
    status, found, err = check(capsys, labels, bars, "--bars-tz", "UTC", "--stamp", "start")
    assert (
        status == 2 and "--bars-dates day-first" in err and "--bars-dates month-first" in err and err.count("\n") == 1
    )
    assert found["questions"][0]["flag"] == "--bars-dates"
    flags = ("--bars-tz", "UTC", "--stamp", "start", "--bars-dates", "day-first", "--save")
    status, found, _ = check(capsys, labels, bars, *flags)
    assert status == 0 and found["rows"] == 2
    assert load_reading(bars).date_order == "dmy" and load_reading(labels).date_order is None
    status, found, _ = check(capsys, labels, bars)
    assert status == 0 and found["rows"] == 2


def test_every_command_names_the_flags_of_the_second_file(capsys, files, tmp_path, monkeypatch):
    labels, bars = files("UTC", "UTC")
    pd.read_csv(bars).iloc[:3000].to_csv(bars, index=False)
    monkeypatch.chdir(tmp_path)
    where = ["--windows", labels.name, "--bars", bars.name, "--tz", "UTC", "--store", tmp_path / "s"]
    status, out, err = run(capsys, "diagnose", "features", *where)
    assert status == 2 and out == "" and "--bars-tz UTC" in err and "--tz UTC" not in err.replace("--bars-tz", "")
