"""Data that is moved, renamed or copied while the app runs: its runs stay on the pages, and links open what they name."""

from __future__ import annotations

import shutil

import pytest

from moola_core.market.windows import load_windows
from tests.app_samples import make_data, make_run
from tests.browser.conftest import Server


@pytest.fixture
def server(tmp_path):
    store = tmp_path / "artifacts"
    for name, seed in (("mine", 6), ("other", 7)):
        windows = make_data(tmp_path / "data", name, seed=seed)
        run = make_run(store, windows, name=f"Run of {name}")
        run.update(data_hashes={"windows": load_windows(windows).trainable()[0].content_hash})
    started = Server(tmp_path, MOOLA_DEMO="off")
    yield started
    started.stop()


@pytest.mark.soak
def test_runs_stay_with_moved_renamed_and_copied_data_and_links_tell_the_truth(server, open_tab):
    tab = open_tab(server.address, own=True)
    tab.open("runs?dataset=mine")
    tab.wait_for("Run of mine", 60)
    run_id = tab.query()["run"]
    data = server.data
    (data / "deep" / "down").mkdir(parents=True)
    # Each of these alone is a test of the pages, without a browser.
    for page, change in {
        "results": lambda: shutil.copytree(data / "mine", data / "copy"),
        "windows": lambda: (shutil.rmtree(data / "mine"), shutil.move(data / "copy", data / "deep" / "down" / "moved")),
    }.items():
        change()
        tab.open(f"{page}?run={run_id}")
        tab.page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)
        tab.settle()
        assert tab.query()["run"] == run_id and "is not in the data folder" not in tab.text(), page
    shutil.rmtree(data / "deep")
    tab.open(f"results?run={run_id}")
    tab.wait_for("is not in the data folder", 60)
    tab.page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)  # from what it stored
    assert tab.query()["run"] == run_id
    wrong = run_id[:-1] + ("0" if run_id[-1] != "0" else "1")
    tab.open(f"results?run={wrong}")
    tab.wait_for("There is no run", 60)
    assert run_id in tab.text(), "runs with a similar id are offered"
    assert tab.query().get("run") != run_id
