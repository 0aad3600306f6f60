"""An investigation as a user has it: started, watched, cancelled, resumed; and one that is done: read, followed, adopted, used, exported."""

from __future__ import annotations

import pytest

from moola_core.runs.liveness import mark_lost
from moola_core.runs.store import Store
from tests.app_samples import make_data
from tests.browser.conftest import MADE, Server, until


@pytest.fixture
def server(tmp_path):
    make_data(tmp_path / "data")
    started = Server(tmp_path, MOOLA_DEMO="off")
    yield started
    started.stop()
    started.end_worker()


@pytest.mark.timeout(300)
def test_an_investigation_is_started_watched_cancelled_and_resumed(server, open_tab):
    tab, store = open_tab(server.address), Store(server.store)
    tab.open("investigate")
    tab.page.get_by_role("button", name="Investigate", exact=True).last.click()
    until(lambda: len(store.runs("investigation")) == 1)
    run = store.open(store.runs("investigation")[0].run_id)
    tab.wait_for("So far", 200)
    answered = len(run.result("investigation")["steps"])
    assert answered and tab.query()["investigation"] == run.id
    tab.page.get_by_role("button", name="Cancel").first.click()
    tab.page.get_by_role("button", name="Cancel the run").click()
    until(lambda: run.record.state == "cancelled")
    tab.wait_for("It can be resumed", 30) if "It can be resumed" in run.record.error else tab.wait_for("Cancelled.", 30)
    tab.page.get_by_role("button", name="Resume").click()
    until(lambda: run.record.state == "running")
    tab.wait_for("So far", 60)
    assert len(run.result("investigation")["steps"]) >= answered
    tab.page.get_by_role("button", name="Cancel").first.click()
    tab.page.get_by_role("button", name="Cancel the run").click()
    until(lambda: run.record.state == "cancelled")
    children = [store.open(one) for one in run.record.facts.children.values()]
    # One that was made and had not begun is seen to be lost as soon as the process is gone.
    until(lambda: not any(mark_lost(child, child.record).active for child in children), 30)


def test_a_conclusion_is_read_followed_adopted_used_and_exported(full, open_tab, tmp_path):
    tab = open_tab(full.address)
    investigation, arm = full.second["investigation"].id, full.second["arm"].id
    link = f"investigate?dataset=second&investigation={investigation}"
    tab.open(link)
    tab.wait_for("Use logistic on aggregates.", 60)
    tab.page.get_by_role("button", name=f"Run {arm[-4:]}").first.click()
    until(lambda: tab.title() == "Performance")
    tab.settle()
    assert tab.query()["run"] == arm and tab.query()["dataset"] == "second"
    tab.page.go_back()
    tab.wait_for("Use logistic on aggregates.", 60)
    tab.page.get_by_role("button", name="Keep as a preset").click()
    tab.page.get_by_label("Name", exact=True).fill("found")
    tab.page.get_by_role("button", name="Keep", exact=True).click()
    tab.wait_for("found.json", 60)
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="Report as a file").click()
    tab.page.get_by_role("button", name="Make the file").click()
    download = tab.page.get_by_role("button", name=MADE)
    download.wait_for(timeout=90_000)
    tab.settle()
    with tab.page.expect_download() as made:
        download.click()
    made.value.save_as(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Use logistic on aggregates." in text and f"[run {arm}]" in text
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="Predict with the recommended model").click()
    until(lambda: tab.title() == "Predict")
    tab.settle()
    until(lambda: tab.query().get("run") == arm, 30)
