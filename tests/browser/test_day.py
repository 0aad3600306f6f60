"""One person's day in the app, and the morning after: from the demo to a report of their own run, found again by its note."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from moola_core.market.demo import make_demo, write_demo
from moola_core.runs import flags
from moola_core.runs.flags import Labelled
from moola_core.runs.store import Run, Store
from tests.browser.conftest import Server, Tab, download_report, fill_in, until
from tests.browser.test_reading import Drive, read_in_the_app

RUN, NOTE, COMMENT = "first-try", "do the new labels help", "starts too late"
ZONE = "America/Chicago"
# Long enough to be cancelled; what is finished by then stays.
SETTINGS = {"epochs": "60", "folds": "3", "repeats": "1"}
STUDY = """training.repeats=1
training.folds=2
training.epochs=3
pretrain.training.epochs=1
pretrain.sampling.labelled=see"""


def _own_files(folder) -> None:
    """Bars as text in local time with the day first, and windows in a Parquet file."""
    write_demo(folder, make_demo("helpful", bars=20_000, windows=60, seed=5))
    bars = pd.read_parquet(folder / "bars.parquet")
    local = pd.DatetimeIndex(bars.pop("time") if "time" in bars else bars.index)
    local = (local.tz_localize("UTC") if local.tz is None else local).tz_convert(ZONE)
    bars = bars.reset_index(drop=True)
    bars.insert(0, "when", local.strftime("%d/%m/%Y %H:%M"))
    bars.to_csv(folder / "bars.csv", index=False)
    for name in ("bars.parquet", "truth.json"):
        (folder / name).unlink()


def _reads_own_files(tab, server: Server) -> None:
    read_in_the_app(tab, Drive("bars.csv", _own_files, (("time", "when"),), "20,000 bars of 1 min"))
    until((server.data / "own" / "bars.csv.moola.json").is_file, 30)
    tab.open("?dataset=own")
    tab.wait_for("20,000", 60)


def _removes_the_demo(tab, server: Server) -> None:
    tab.open("?dataset=demo")
    tab.page.get_by_role("button", name="Remove the demo").click()
    tab.page.get_by_role("button", name="Remove", exact=True).click()
    until(lambda: not Store(server.store).runs(include_archived=True), 60)
    tab.settle()
    assert not (server.data / "demo").exists()


def _looks_at_windows(tab) -> None:
    tab.open("windows?dataset=own")
    tab.wait_for("Window 1 of")
    for _ in range(5):
        tab.page.keyboard.press("ArrowRight")
    assert tab.place().startswith("Window 6 of")


def _launches_watches_cancels_and_resumes(tab, server: Server) -> Run:
    fill_in(tab, RUN, **SETTINGS)
    tab.page.get_by_label("Note", exact=True).fill(NOTE)
    tab.wait_for(f"--note '{NOTE}'")
    tab.page.get_by_role("button", name="Start the run").click()
    tab.page.get_by_role("heading", name="Runs").wait_for(timeout=60_000)
    (record,) = Store(server.store).runs()
    run = Store(server.store).open(record.run_id)
    tab.page.get_by_text(re.compile(r"\d of 3 fits, epoch")).first.wait_for(timeout=60_000)
    tab.page.get_by_text("Class loss").first.wait_for(timeout=20_000)
    tab.page.get_by_role("button", name="Cancel", exact=True).click()
    tab.page.get_by_role("button", name="Cancel the run").click()
    until(lambda: run.record.state == "cancelled", 60)
    done = run.record.progress["done"]
    tab.page.get_by_role("button", name="Resume", exact=True).click()
    until(lambda: run.record.state == "done", 120)
    assert run.record.progress["done"] == 3 >= done
    tab.wait_for(f"Run {RUN} is done.")
    return run


def _asks_whether_pretraining_helps(tab, server: Server) -> None:
    tab.page.get_by_role("link", name="Compare").click()
    tab.wait_for("New study")
    tab.page.get_by_text("Encoder and settings").first.click()
    settings = tab.page.get_by_role("textbox", name="Other settings")
    settings.fill(STUDY)
    settings.press("Control+Enter")
    tab.wait_for("1 repeat of 2 folds")
    tab.page.get_by_role("button", name="Start the study").click()
    until(lambda: len(Store(server.store).runs("study")) == 1, 60)
    study = Store(server.store).open(Store(server.store).runs("study")[0].run_id)
    until(lambda: not study.record.active, 1200)
    assert study.record.state == "done", study.record.error
    tab.wait_for("The question.", 90)
    verdicts = [one for one in study.result("comparison")["verdicts"] if one["against"] == "from scratch"]
    deciding = [one for one in verdicts if one["decides"] and one["arm"] in ("frozen", "gradual", "full")]
    assert len(deciding) == 3
    for one in deciding:
        assert re.search(rf"{one['arm']} (is )?{one['verdict']}", tab.text()), one


def _flags_wrong_windows(tab, server: Server, run: Run) -> list[str]:
    rows = run.predictions
    wrong = sorted(set(rows[rows["label"] != rows["predicted"]]["window_id"].astype(str)))
    assert len(wrong) >= 3, "choose settings that err"
    tab.open(f"windows?dataset=own&run={run.id}")
    tab.wait_for("Window 1 of")
    seen = []
    for _ in range(3):
        tab.page.keyboard.press("w")
        seen.append(tab.page.locator(".viewer .facts .muted").first.inner_text().split(" ")[0])
        tab.page.keyboard.press("f")
    tab.page.keyboard.press("n")
    tab.page.keyboard.type(COMMENT)
    tab.page.keyboard.press("Enter")
    tab.wait_for("Flagged windows (3)")
    assert set(seen) <= set(wrong) and len(set(seen)) == 3
    return seen


def _finds_it_again(tab, run: Run, count: int) -> None:
    """By a word of its note, on the Runs page."""
    tab.open("")
    tab.page.get_by_role("link", name="Runs").click()
    tab.page.get_by_label("Find").fill("new labels")
    tab.page.get_by_label("Find").press("Enter")
    tab.settle()
    if count > 1:  # else there is nothing to filter
        tab.page.get_by_text(re.compile(r"^1 of \d+ runs pass the filters")).wait_for()
    table = tab.page.locator("[data-testid=stDataFrame]").first
    box = table.bounding_box()
    tab.page.mouse.click(box["x"] + 240, box["y"] + 52)
    tab.page.get_by_role("heading", name=RUN).wait_for(timeout=20_000)
    tab.settle()
    assert NOTE in tab.text() and tab.query()["run"] == run.id
    tab.page.get_by_role("button", name="See the results").click()
    tab.page.get_by_role("heading", name="Performance").wait_for(timeout=20_000)
    tab.settle()
    assert tab.query()["run"] == run.id


@pytest.mark.timeout(1800)
@pytest.mark.soak  # a minute without the demo and the study, three with them
@pytest.mark.parametrize("is_whole", [False, True], ids=["short", "whole"])
def test_a_day_to_a_report_and_the_run_found_again_tomorrow(tmp_path, open_tab, browser, read, is_whole):
    """The whole day starts with the demo and has the transfer study."""
    server = Server(tmp_path, MOOLA_DEMO="on" if is_whole else "off")
    try:
        tab = open_tab(server.address, own=True)
        tab.open("")
        if is_whole:
            tab.wait_for("This is a simulated market", 60)
            tab.wait_for("A run is being computed", 60)
        (server.data / "own").mkdir(parents=True)
        _own_files(server.data / "own")
        _reads_own_files(tab, server)
        if is_whole:
            _removes_the_demo(tab, server)
        _looks_at_windows(tab)
        run = _launches_watches_cancels_and_resumes(tab, server)
        if is_whole:
            _asks_whether_pretraining_helps(tab, server)
        seen = _flags_wrong_windows(tab, server, run)
        tab.page.get_by_role("link", name="Doctor").click()
        tab.wait_for("Run the checks again", 60)
        assert tab.query()["run"] == run.id
        tab.page.get_by_role("link", name="Report").click()
        tab.wait_for("Sections of the file", 60)
        report = read(download_report(tab, tmp_path))
        assert report.page.locator("h1").inner_text() == RUN and report.fetched() == [] and report.errors == []
    finally:
        server.stop()
        server.end_worker()
    again = Server(tmp_path, MOOLA_DEMO="off")
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    try:
        tab = Tab(context.new_page(), again.address)
        _finds_it_again(tab, run, 2 if is_whole else 1)
        kept = flags.of(again.store, Labelled("", str(again.data / "own" / "windows.parquet")))
        assert sorted(kept) == sorted(seen) and kept[seen[-1]].comment == COMMENT
        tab.leave()
    finally:
        context.close()
        again.stop()
        again.end_worker()
