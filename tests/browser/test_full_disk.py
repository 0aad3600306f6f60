"""The app on a disk that is really full, with one torn spec of each kind: it shows the runs, and can delete one to make room."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.app_samples import make_data, make_everything
from tests.browser.conftest import Server
from tests.faults.disks import fill


@pytest.fixture
def server(tmp_path, small_disk):
    windows, store = make_data(tmp_path / "data", "mine"), small_disk / "artifacts"
    made = make_everything(store, windows)
    for number, run in enumerate(list(made.values())):
        torn = run.folder.with_name(f"{run.id[:-4]}{number:04x}")
        shutil.copytree(run.folder, torn)
        (torn / "spec.json").write_text("{")
    fill(small_disk, leave=0)
    assert os.statvfs(small_disk).f_bavail == 0
    started = Server(tmp_path, MOOLA_DEMO="off", MOOLA_STORE=str(store))
    yield started, made
    started.stop()


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param(("", "results"), id="short"),
        pytest.param(("", "results", "windows", "compare", "doctor", "history"), id="every", marks=pytest.mark.soak),
    ],
)
def test_a_full_disk_shows_its_runs_and_one_can_be_deleted(server, open_tab, pages):
    running, made = server
    run = made["arm"]
    tab = open_tab(running.address, own=True)
    tab.open(f"runs?dataset=mine&run={run.id}")
    tab.wait_for("runs cannot be read", 60)
    assert tab.title() == "Runs" and "An arm" in tab.text()
    for page in pages:
        tab.open(f"{page}?dataset=mine&run={made['run'].id}")
        assert "encountered an error" not in tab.text() and "Traceback" not in tab.text(), page
    tab.open(f"runs?dataset=mine&run={run.id}")
    tab.page.get_by_role("button", name="Delete", exact=False).first.wait_for(timeout=30_000)
    tab.page.locator("[data-testid=stMain]").get_by_role("button", name="Delete").last.click()
    tab.page.get_by_role("button", name="Delete for good").click()
    tab.settle()
    assert not run.folder.exists()
    assert "encountered an error" not in tab.text()
