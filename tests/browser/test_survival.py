"""Runs that outlive the browser and the app that started them."""

from __future__ import annotations

import pytest

from moola_core.launch.local import LocalLauncher
from moola_core.runs import cancelling
from moola_core.runs.store import Store
from tests.app_samples import make_data
from tests.browser.conftest import Server, download_report, fill_in, until

FEW = {"epochs": "3", "folds": "2", "repeats": "1"}


def start(tab, name: str, **settings: str) -> None:
    """Fill in the Launch page and start the run."""
    fill_in(tab, name, **FEW | settings)
    tab.page.get_by_role("button", name="Start the run").click()
    tab.page.get_by_role("heading", name="Runs").wait_for(timeout=60_000)
    tab.settle()


def states(server) -> dict[str, str]:
    return {record.name: record.state for record in Store(server.store).runs()}


@pytest.mark.soak
def test_a_first_start_shows_a_demo_run_that_outlives_the_browser_and_the_app(tmp_path, open_tab):
    """With an empty store the app makes the demo market and starts a run, whichever page is opened first."""
    server = Server(tmp_path, MOOLA_DEMO="on")
    try:
        tab = open_tab(server.address, own=True)
        # Streamlit itself would run this page without app.py, on a server that nobody has used.
        tab.open("runs")
        tab.page.get_by_role("link", name="Overview").click()
        tab.wait_for("A run is being computed", 150)
        tab.wait_for("of 10 fits", 100)
        tab.page.close()
        server.process.kill()
        server.process.wait()
        (record,) = Store(server.store).runs()
        assert record.state == "running"
        run = Store(server.store).open(record.run_id)
        before = progress(run)
        until(lambda: progress(run) > before)
        LocalLauncher(Store(server.store)).cancel(run.id)
        until(lambda: run.record.state == "cancelled")
    finally:
        server.stop()
        server.end_worker()


def progress(run) -> tuple[int, int]:
    """Fits that are done, and epochs of the one under way."""
    record = run.record
    return record.progress["done"], record.progress.get("epoch") or 0


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_the_figures_of_the_demo_run_come_by_themselves(tmp_path, open_tab):
    server = Server(tmp_path, MOOLA_DEMO="on")
    try:
        tab = open_tab(server.address, own=True)
        tab.open("")
        tab.wait_for("Latest run: Demo run", 300)
        assert "0." in tab.page.locator("[data-testid=stTable]").first.inner_text()
    finally:
        server.stop()
        server.end_worker()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_three_queued_runs_outlive_the_browser_and_the_app(tmp_path, open_tab, read):
    make_data(tmp_path / "data")
    server = Server(tmp_path, MOOLA_DEMO="off")
    tab = open_tab(server.address, own=True)
    for name, settings in (("watched", {}), ("unwanted", {"epochs": "2000", "patience": "none"}), ("third", {})):
        start(tab, name, **settings)
    tab.open("runs")
    assert "third" in tab.text()
    watched = next(r for r in Store(server.store).runs() if r.name == "watched")
    tab.open(f"runs?run={watched.run_id}")
    tab.page.get_by_role("button", name="See the results").wait_for(timeout=200_000)
    until(lambda: states(server)["unwanted"] == "running")
    assert states(server) == {"watched": "done", "unwanted": "running", "third": "queued"}
    unwanted = next(r for r in Store(server.store).runs() if r.name == "unwanted")
    tab.open(f"runs?run={unwanted.run_id}")
    tab.page.get_by_role("button", name="Cancel").first.click()
    tab.page.get_by_role("button", name="Cancel the run").click()
    until(lambda: cancelling.asked(Store(server.store).open(unwanted.run_id)))
    tab.page.close()
    server.process.kill()
    server.process.wait()
    until(lambda: states(server)["unwanted"] == "cancelled")
    again = Server(tmp_path, MOOLA_DEMO="off")
    try:
        until(lambda: states(again)["third"] == "done")
        tab = open_tab(again.address, own=True)
        third = next(r for r in Store(again.store).runs() if r.name == "third")
        tab.open(f"results?run={third.run_id}")
        tab.page.get_by_role("heading", name="Performance").wait_for(timeout=60_000)
        tab.settle()
        assert "done third" in tab.text()
        tab.open(f"doctor?run={third.run_id}")
        tab.page.get_by_role("button", name="Run the checks again").wait_for(timeout=60_000)
        assert "done third" in tab.text()
        tab.open(f"report?run={third.run_id}")
        tab.wait_for("Conclusion and next step", 60)
        report = read(download_report(tab, tmp_path))
        assert report.page.locator("h1").inner_text() == "third" and report.fetched() == [] and report.errors == []
        assert tab.errors == [] and tab.outside == []
    finally:
        again.stop()
        again.end_worker()
