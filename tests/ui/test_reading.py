"""Reading a new file in the app: what the file shows is not asked, what it leaves open is asked once and saved."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from moola_core.market.bars import load_bars
from moola_core.market.settings import load_reading
from moola_core.market.windows import load_windows
from tests.market.generated_files import walk
from tests.pages.conftest import button, texts

COUNT = 400
TIMES = pd.date_range("2024-01-02 23:00", periods=COUNT, freq="min", tz="UTC")
OHLC = walk(np.random.default_rng(0), COUNT, 16800.0)
TRUTH = TIMES.tz_localize(None).to_numpy("datetime64[ns]")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MOOLA_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def form():
    """The body of the dialog, opened."""

    def opened():
        at = AppTest.from_string("from moola_core.ui import reading; reading.body()", default_timeout=60).run()
        assert not at.exception
        return at

    return opened


def save(at):
    button(at, "Save these settings").click().run()
    assert not at.exception


def test_a_file_of_ninjatrader_asks_nothing(folder, form):
    rows = [
        f"{m + pd.Timedelta(minutes=1):%Y%m%d %H%M%S};" + ";".join(map(str, row)) + ";9"
        for m, row in zip(TIMES, OHLC, strict=True)
    ]
    (folder / "NQ.txt").write_text("\n".join(rows), encoding="utf-8")
    at = form()
    assert not at.radio and "readable" in texts(at) and "Tue 02 Jan 2024 18" in texts(at)
    save(at)
    assert np.array_equal(load_bars(folder / "NQ.txt").time, TRUTH)


def test_a_file_of_two_contracts_asks_which_and_shows_both(folder, form):
    table = pd.DataFrame(OHLC, columns=["open", "high", "low", "close"]).assign(
        ts_event=[f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in TIMES], rtype=33, publisher_id=1, symbol="NQH4"
    )
    other = table.assign(symbol="NQM4", **{name: table[name] + 200 for name in ("open", "high", "low", "close")})
    pd.concat([table, other]).sort_values("ts_event", kind="stable").to_csv(folder / "glbx.csv", index=False)
    at = form()
    (question,) = at.radio
    assert "2 instruments at the same times" in question.label and question.options == ["NQH4", "NQM4"]
    assert texts(at).count("400 bars of 1 min") == 2, "a preview for each answer"
    question.set_value("NQM4").run()
    save(at)
    assert load_reading(folder / "glbx.csv").contract == "NQM4"
    assert np.array_equal(load_bars(folder / "glbx.csv").ohlc, OHLC + 200)


def test_contracts_are_joined_where_the_volume_moves_on(folder, form):
    days = pd.date_range("2024-01-02 12:00", periods=4 * 60, freq="min", tz="UTC") + pd.to_timedelta(
        np.repeat(np.arange(4), 60) * 1380, unit="min"
    )
    table = pd.DataFrame(walk(np.random.default_rng(1), 240, 16800.0), columns=["open", "high", "low", "close"])
    table.insert(0, "time", [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in days])
    later = np.arange(240) >= 120
    first, second = (
        table.assign(symbol=name, volume=np.where(later == new, 9, 1)) for name, new in (("H4", False), ("M4", True))
    )
    pd.concat([first, second]).to_csv(folder / "two.csv", index=False)
    at = form()
    next(item for item in at.toggle if "Join contracts" in item.label).set_value(True).run()
    assert not at.radio and "2 contracts are joined by volume, with 1 rolls" in texts(at)
    save(at)
    bars = load_bars(folder / "two.csv")
    assert load_reading(folder / "two.csv").roll == "volume" and bars.rolls.tolist() == [180]


def test_a_task_of_label_studio_with_many_regions_is_cut_from_the_bars(folder, form):
    frame = pd.DataFrame(OHLC, columns=["open", "high", "low", "close"])
    frame.insert(0, "time", [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in TIMES])
    frame.to_csv(folder / "bars.csv", index=False)
    results = []
    for number, (first, label) in enumerate([(10, "consolidation"), (130, "retracement"), (260, "consolidation")]):
        for name, bars in ((label, (0, 104)), ("expansion", (50, 60))):
            start, end = (int(TIMES[first + bar].timestamp() * 1000) + 20_000 for bar in bars)
            value = {"start": start, "end": end, "timeserieslabels": [name]}
            results.append({"id": f"{name}{number}", "type": "timeserieslabels", "value": value})
    task = {"id": 1, "data": {"csv": "nq.csv"}, "annotations": [{"result": results}]}
    (folder / "export.json").write_text(json.dumps([task]), encoding="utf-8")
    at = form()
    names = next(item for item in at.selectbox if item.label == "File")
    names.set_value(next(option for option in names.options if option.endswith("export.json"))).run()
    assert "3 windows of 105 bars" in texts(at) and "consolidation, retracement" in texts(at) and not at.radio
    save(at)
    windows = load_windows(folder / "export.json", None, load_bars(folder / "bars.csv"))
    assert windows.position.tolist() == [10, 130, 260] and windows.start.tolist() == [50.0] * 3


def test_windows_are_paired_with_bars_of_another_folder(folder, form, demo_files):
    labelled, raw = folder / "processed" / "labeled" / "train_latest.parquet", folder / "raw" / "nq_fixed.parquet"
    for path, name in ((labelled, "windows"), (raw, "bars")):
        path.parent.mkdir(parents=True)
        shutil.copy(demo_files[name], path)
    at = form()
    names = next(item for item in at.selectbox if item.label == "File")
    names.set_value(next(option for option in names.options if option.endswith("train_latest.parquet"))).run()
    pair = next(item for item in at.selectbox if item.label == "Bars that the windows belong to")
    assert pair.value.endswith("nq_fixed.parquet") and "were not found" not in texts(at)
    save(at)
    assert load_reading(labelled).paired_bars


def test_bars_with_open_questions_are_read_before_their_labels(folder, form):
    frame = pd.DataFrame(OHLC, columns=["open", "high", "low", "close"])
    frame.insert(0, "time", [f"{moment:%Y-%m-%d %H:%M}" for moment in TIMES])
    frame.to_csv(folder / "bars.csv", index=False)
    times = [f"{TIMES[row]:%Y-%m-%dT%H:%M:%SZ}" for row in (0, 110, 220)]
    pd.DataFrame({"start_time": times, "label": ["a", "b", "a"]}).to_csv(folder / "labels.csv", index=False)
    at = form()
    names = next(item for item in at.selectbox if item.label == "File")
    names.set_value(next(option for option in names.options if option.endswith("labels.csv"))).run()
    assert "the bars leave questions open" in texts(at)
    names = next(item for item in at.selectbox if item.label == "File")
    names.set_value(next(option for option in names.options if option.endswith("/bars.csv"))).run()
    next(item for item in at.selectbox if "no time zone" in item.label).set_value("UTC").run()
    save(at)
    names = next(item for item in at.selectbox if item.label == "File")
    names.set_value(next(option for option in names.options if option.endswith("labels.csv"))).run()
    assert "3 windows of 105 bars" in texts(at)
