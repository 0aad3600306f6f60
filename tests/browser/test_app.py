"""What only a browser shows: keys, clicks, links, what is requested, a first start."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Server

PAGES = {"": "Overview", "windows": "Windows", "launch": "Launch", "runs": "Runs", "results": "Performance"}


def test_a_link_to_a_page_works_on_a_server_that_nobody_has_used(tmp_path, open_tab):
    """Streamlit would run the page without app.py there."""
    server = Server(tmp_path, MOOLA_DEMO="off")
    try:
        tab = open_tab(server.address, own=True)
        tab.open("runs")
        tab.wait_for("No runs yet")
        assert "Overview" in tab.page.inner_text("[data-testid=stSidebar]")
    finally:
        server.stop()


def test_no_page_is_wider_than_a_phone_and_each_opens_in_the_dark(full, open_tab):
    tab = open_tab(full.address, width=420, scheme="dark")
    for path, title in PAGES.items():
        tab.open(path)
        assert tab.title() == title and title in tab.text()
        assert tab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 420, title


def test_a_click_on_a_confusion_square_opens_its_windows(full, open_tab):
    tab = open_tab(full.address)
    tab.open("results")
    squares = tab.page.locator(".st-key-confusion_cell .points path")
    squares.nth(1).scroll_into_view_if_needed()
    place = squares.nth(1).bounding_box()
    x, y = place["x"] + place["width"] / 4, place["y"] + place["height"] / 4
    tab.page.mouse.move(x, y)
    tab.page.wait_for_timeout(300)
    tab.page.mouse.click(x, y)
    tab.wait_for("Window 1 of")
    query = tab.query()
    assert (query["true"], query["predicted"]) == ("consolidation", "retracement")
    tab.page.go_back()
    tab.settle()
    assert tab.errors == []


def test_a_setting_is_checked_as_it_is_typed(full, open_tab):
    tab = open_tab(full.address)
    tab.open("launch")
    box = tab.page.get_by_label("epochs", exact=True)
    box.fill("many")
    tab.wait_for("valid integer")
    box.fill("7")
    tab.wait_for("--set training.epochs=7")
    assert tab.page.get_by_role("button", name="Start the run").is_enabled()


def test_reading_a_new_file_is_asked_once_and_saved_beside_it(full, open_tab):
    folder = full.data / "own"
    folder.mkdir()
    lines = [f"2024-03-04 09:{i:02d},{100 + i},{101 + i},{99 + i},{100 + i}" for i in range(60)]
    (folder / "mine.csv").write_text("\n".join(["when,open,high,low,close", *lines]) + "\n")
    tab = open_tab(full.address)
    tab.open("")
    tab.page.get_by_role("button", name="Read a new file").click()
    tab.wait_for("no column for time")
    tab.page.get_by_label("time", exact=True).click()
    tab.page.get_by_role("option", name="when").click()
    tab.wait_for("carry no time zone")
    tab.page.get_by_label("carry no time zone").click()
    tab.page.get_by_role("option", name="America/Chicago").click()
    tab.wait_for("readable")
    tab.page.get_by_role("button", name="Save these settings").click()
    tab.settle()
    saved = folder / "mine.csv.moola.json"
    assert '"when"' in saved.read_text() and '"tz": "America/Chicago"' in saved.read_text()


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["begins", "ends"])
def test_a_first_start_shows_a_demo_run_and_then_its_result(tmp_path, open_tab, whole):
    """With an empty store the app makes the demo market and starts a run; its figures come by themselves."""
    server = Server(tmp_path, MOOLA_DEMO="on")
    try:
        tab = open_tab(server.address, own=True)
        tab.open("")
        tab.wait_for("A run is being computed", 150)
        tab.wait_for("of 10 fits", 60)
        if whole:
            tab.wait_for("Latest run: Demo run", 170)
            assert "0." in tab.page.locator("[data-testid=stTable]").first.inner_text()
    finally:
        server.stop()
        server.end_worker()
