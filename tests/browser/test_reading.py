"""A new file from the dialog through its questions to the page that shows it, and what was read is what was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from moola_core.market.bars import load_bars
from moola_core.market.library import datasets
from moola_core.market.windows import load_windows
from tests.market.generated_files import walk

COUNT = 400
TIMES = pd.date_range("2024-02-05 23:00", periods=COUNT, freq="min", tz="UTC")
OHLC = walk(np.random.default_rng(0), COUNT, 16800.0)
PRICES = ["open", "high", "low", "close"]
STARTS = (10, 130, 260)


class Drive(NamedTuple):
    """A file, written into a folder by `write`; the answers to its questions in their order; what the form and its page then show."""

    file: str
    write: Callable[[Path, Path], None]
    answers: tuple[tuple[str, str], ...] = ()
    form: str = f"{COUNT} bars of 1 min, Mon 05 Feb 2024 18:00"
    page: str = "05 Feb 2024"


def _ninjatrader(path: Path, demo: Path) -> None:
    ends = TIMES + pd.Timedelta(minutes=1)
    rows = [f"{m:%Y%m%d %H%M%S};{';'.join(map(str, row))};9" for m, row in zip(ends, OHLC, strict=True)]
    path.write_text("\n".join(rows), encoding="utf-8")


def _day_first(path: Path, demo: Path) -> None:
    table = pd.DataFrame(OHLC, columns=PRICES)
    table.insert(0, "when", TIMES.tz_convert("America/Chicago").strftime("%d/%m/%Y %H:%M"))
    table.to_csv(path, index=False)


def _databento(path: Path, demo: Path) -> None:
    table = pd.DataFrame(np.round(OHLC * 1e9).astype(np.int64), columns=PRICES).assign(
        ts_event=TIMES.tz_localize(None).to_numpy().astype(np.int64), rtype=33, publisher_id=1, symbol="NQH4"
    )
    other = table.assign(symbol="NQM4", **{name: table[name] + 200 * 10**9 for name in PRICES})
    pd.concat([table, other]).sort_values("ts_event", kind="stable").to_csv(path, index=False)


def _label_studio(path: Path, demo: Path) -> None:
    bars = pd.DataFrame(OHLC, columns=PRICES)
    bars.insert(0, "time", TIMES.strftime("%Y-%m-%dT%H:%M:%SZ"))
    bars.to_csv(path.with_name("bars.csv"), index=False)
    results = []
    for number, (first, label) in enumerate(
        zip(STARTS, ("consolidation", "retracement", "consolidation"), strict=True)
    ):
        for name, edges in ((label, (0, 104)), ("expansion", (50, 60))):
            start, end = (int(TIMES[first + bar].timestamp() * 1000) + 20_000 for bar in edges)
            value = {"start": start, "end": end, "timeserieslabels": [name]}
            results.append({"id": f"{name}{number}", "type": "timeserieslabels", "value": value})
    task = {"id": 1, "data": {"csv": "nq.csv"}, "annotations": [{"result": results}]}
    path.write_text(json.dumps([task]), encoding="utf-8")


def _own_layout(path: Path, demo: Path) -> None:
    bars = path.parents[2] / "raw" / "nq_ohlcv_1min_2020-09_2025-09_fixed.parquet"
    bars.parent.mkdir()
    shutil.copy(demo / "bars.parquet", bars)
    shutil.copy(demo / "windows.parquet", path)


DRIVES = {
    "ninjatrader": Drive("NQ 03-24.Last.txt", _ninjatrader),
    "day-first": Drive(
        "mine.csv",
        _day_first,
        (
            ("time", "when"),
            ("The order of day and month in dates", "day-first"),
            ("carry no time zone", "America/Chicago"),
        ),
    ),
    "databento": Drive("glbx-mdp3.csv", _databento, (("2 instruments", "NQM4"),)),
    "label-studio": Drive(
        "project-1.json",
        _label_studio,
        (),
        "3 windows of 105 bars: consolidation, retracement. The first one, from Mon 05 Feb 2024 18:10:",
        "Mon 05 Feb 2024 18:10",
    ),
    "own-layout": Drive(
        "processed/labeled/train_latest.parquet",
        _own_layout,
        (),
        "windows of 105 bars: consolidation, retracement. The first one, from",
        "Window 1 of",
    ),
}
CHEAPEST = "databento"


@pytest.fixture
def folder(full):
    """A folder among the data of the server, which is gone after the test."""
    yield full.data / "own"
    shutil.rmtree(full.data / "own")


def answer(tab, question: str, value: str) -> None:
    """Answer a question of the form, or fill in one of its fields, by a choice among those offered."""
    radio = tab.page.get_by_role("radiogroup").filter(has_text=value)
    if radio.count():
        radio.get_by_text(value, exact=True).click()
    else:
        tab.page.get_by_label(question).first.click()
        tab.page.get_by_role("option", name=value).first.click()
    tab.settle()


def read_in_the_app(tab, drive: Drive, look: Callable[[str], object] = lambda step: None) -> None:
    """Open the dialog, answer what is asked, and save. look: called with the name of each step."""
    tab.open("")
    tab.page.get_by_role("button", name="Read a new file").click()
    tab.page.get_by_role("dialog").wait_for()
    tab.settle()
    tab.page.get_by_label("File", exact=True).first.click()
    tab.page.get_by_role("option", name=drive.file).click()
    tab.settle()
    look("asked")
    for question, value in drive.answers:
        tab.wait_for(question)
        answer(tab, question, value)
    tab.wait_for(drive.form)
    look("answered")
    tab.page.get_by_role("button", name="Save these settings").click()
    tab.settle()


@pytest.mark.parametrize(
    "name", [name if name == CHEAPEST else pytest.param(name, marks=pytest.mark.soak) for name in DRIVES]
)
def test_a_new_file_from_the_dialog_to_its_page(full, folder, open_tab, tmp_path, name):
    drive, path = DRIVES[name], folder / DRIVES[name].file
    path.parent.mkdir(parents=True)
    drive.write(path, full.data / "demo")
    tab = open_tab(full.address)
    read_in_the_app(tab, drive)
    assert path.with_name(f"{path.name}.moola.json").is_file()
    (dataset,) = (one for one in datasets(full.data) if path in (one.windows, one.bars))
    tab.open(f"{'windows' if dataset.windows else ''}?dataset={quote(dataset.name)}")
    tab.wait_for(drive.page)
    assert tab.query()["dataset"] == dataset.name
    _check(dataset)
    if name == "own-layout":
        _download(tab, dataset, tmp_path)


def _check(dataset) -> None:
    """What is read is what was written."""
    bars = load_bars(dataset.bars)
    if dataset.windows is None:
        added = 200 if "glbx" in dataset.bars.name else 0
        assert np.array_equal(bars.time, TIMES.tz_localize(None).to_numpy()) and np.array_equal(bars.ohlc, OHLC + added)
        return
    windows = load_windows(dataset.windows, None, bars)
    assert (windows.position >= 0).all()
    if dataset.windows.suffix == ".json":
        assert windows.position.tolist() == list(STARTS) and windows.start.tolist() == [50.0] * 3


def _download(tab, dataset, folder: Path) -> None:
    """What the Overview offers as files is what was read."""
    tab.open(f"?dataset={quote(dataset.name)}")
    bars = load_bars(dataset.bars)
    for title in ("Bars as Parquet", "Windows as Parquet", "Windows for Label Studio"):
        with tab.page.expect_download() as download:
            tab.page.get_by_role("button", name=title).click()
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        again = load_bars(path) if title.startswith("Bars") else load_windows(path, None, bars)
        first = bars if title.startswith("Bars") else load_windows(dataset.windows, None, bars)
        assert again.content_hash == first.content_hash, title
