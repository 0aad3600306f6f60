"""Runs that outlive the browser and the app that started them."""

from __future__ import annotations

import pytest

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


def test_a_run_outlives_the_browser_and_the_app_that_started_it(tmp_path, open_tab):
    make_data(tmp_path / "data")
    server = Server(tmp_path, MOOLA_DEMO="off")
    tab = open_tab(server.address, own=True)
    start(tab, "alone", epochs="1", processes="1")
    assert states(server)["alone"] in ("queued", "running")
    tab.page.context.close()
    server.process.kill()
    server.process.wait()
    until(lambda: states(server)["alone"] == "done")
    (record,) = Store(server.store).runs()
    assert Store(server.store).open(record.run_id).result("evaluation")["metrics"]
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
    tab.page.context.close()
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
