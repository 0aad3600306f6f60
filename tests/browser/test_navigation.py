"""From page to page, by button, key, menu and the browser's Back: what is chosen stays chosen."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
from playwright.sync_api import TimeoutError

from moola_core.runs import flags
from moola_core.runs.flags import Labelled
from moola_core.runs.liveness import identity
from moola_core.runs.store import Store
from tests.app_samples import make_run

# Pages with buttons that lead on, and the run that is chosen there.
PAGES = {
    "": "run",
    "runs": "run",
    "results": "run",
    "results?show=Errors": "run",
    "results?show=Attribution": "run",
    "doctor": "run",
    "features?view=shift": "run",
    "compare?study={comparison}": "run",
    "compare?study={plan}": "run",
    "investigate?investigation={investigation}": "run",
    "results?": "encoder",
}
# They open a dialog, change the run, make a file or start work. Those that then lead on are clicked in tests/pages.
STAY = re.compile(
    "Read a new file|Resume|Pin as baseline|Unpin|Archive|Delete|Launch this|Run the checks|Start the study|Run the whole plan"
    "|Keep as a preset|Edit|Pin|Launch again(?! like)|Investigate|Compare them|Find the cause by experiments|Compute again|Report as a file|Make the file|Data of the charts|Download|Fill in"
)
# They open further buttons, of which this one is pressed.
POPOVERS = {"Open windows of a cell": 1, "Windows of grade B": 0, "Windows of Mondays": 0}
# They lead to the run that they are about, which is an arm of the study.
TO_ARM = re.compile(
    r"gains|answer-step|(answers|conclusion|questions)-run|See how good it is|Predict with the recommended model"
)
OWN_PAGE = "steps-links"  # the studies of a plan are shown on the page that shows the plan
BUTTONS = """places => [...document.querySelectorAll(places)].filter(one => one.checkVisibility() && !one.disabled && one.innerText).map((one, i) => {
    one.dataset.walked = i;
    const keyed = one.closest('[class*=st-key-]');
    return [i, keyed ? keyed.className.match(/st-key-(\\S+)/)[1] : '', one.querySelector('[data-testid=stMarkdownContainer]')?.innerText ?? ''];
})"""
MAIN = "[data-testid=stMain] [data-testid=stButton] button, [data-testid=stMain] [data-testid=stPopover] button"
INSIDE = "[data-testid=stPopoverBody] [data-testid=stButton] button"


def _kinds(tab, places: str = MAIN) -> dict[str, int]:
    """One button of each kind on the page, by its key without what differs between windows, runs and classes."""
    found: dict[str, int] = {}
    for place, key, text in tab.page.evaluate(BUTTONS, places):
        if not STAY.search(text) and not key.startswith(OWN_PAGE):
            found.setdefault(re.sub(r"_?(demo)?_?\d.*$", "", key) or text, place)
    return found


def _click(tab, kind: str) -> None:
    until = time.monotonic() + 20
    while (place := _kinds(tab).get(kind)) is None:
        assert time.monotonic() < until, f"{kind} is not there again"
        tab.page.wait_for_timeout(100)
    tab.page.locator(f"[data-walked='{place}']").click()


def _settle_on(tab, title: str, same: bool) -> None:
    sign = "===" if same else "!=="
    tab.page.wait_for_function(f"title => (document.querySelector('h1')?.innerText ?? title) {sign} title", arg=title)
    tab.settle()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "pages",
    [pytest.param(("results",), id="short"), pytest.param(tuple(PAGES), id="every", marks=pytest.mark.soak)],
)
def test_every_button_to_another_page_keeps_the_chosen_dataset_and_run(full, open_tab, pages):
    """The second dataset is chosen; the first would be the default. And Back leads back, with what was chosen."""
    tab, led = open_tab(full.address), {}
    for path in pages:
        chosen = PAGES[path]
        run = full.second[chosen].id
        link = path.format(**{name: one.id for name, one in full.second.items()})
        tab.open(f"{link}{'&' if '?' in link else '?'}dataset=second&run={run}")
        tab.page.locator("h1").first.wait_for()
        tab.settle()
        before = tab.title()
        for kind in _kinds(tab):
            _click(tab, kind)
            if kind in POPOVERS:
                tab.page.locator(INSIDE).first.wait_for()
                tab.page.locator(INSIDE).nth(POPOVERS[kind]).click()
            try:
                _settle_on(tab, before, same=False)
            except TimeoutError as error:
                raise AssertionError(f"{kind} on {before} leads to no other page") from error
            led[f"{before}: {kind}"] = tab.title()
            query, where = tab.query(), f"{kind} on {before} leads to {tab.page.url}"
            wanted = full.second["arm"].id if TO_ARM.match(kind) else run
            assert (query["dataset"], query["run"]) == ("second", wanted), where
            tab.page.go_back()
            _settle_on(tab, before, same=True)
            assert (tab.query()["dataset"], tab.query()["run"]) == ("second", run), where
    assert "Windows" in led.values() and tab.errors == [], led
    wanted = {"Windows", "Performance", "Doctor", "Launch"}
    assert len(pages) < len(PAGES) or (len(led) >= 12 and wanted <= set(led.values())), led


STEPS_MS = """async key => {
    const times = [];
    for (let i = 0; i < 21; i++) {
        const start = performance.now();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, composed: true }));
        await new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)));
        times.push(performance.now() - start);
        await new Promise(next => setTimeout(next, 20));
    }
    return times.sort((a, b) => a - b)[10];
}"""


@pytest.mark.parametrize("presses", [30, pytest.param(100, marks=pytest.mark.soak)])
def test_presses_of_an_arrow_key_at_ten_a_second_move_as_many_windows(full, open_tab, presses):
    tab = open_tab(full.address)
    tab.open(f"windows?run={full.second['run'].id}")
    tab.wait_for("Window 1 of")
    for _ in range(presses):
        tab.page.keyboard.press("ArrowRight")
        tab.page.wait_for_timeout(90)
    assert tab.place().startswith(f"Window {presses + 1} of")
    tab.page.wait_for_url(lambda url: f"window=demo_{presses:04}" in url)
    link = tab.page.url
    for _ in range(2):
        tab.page.get_by_role("button", name="Previous").click()
        tab.page.keyboard.press("k")
    assert tab.place().startswith(f"Window {presses - 3} of")
    tab.page.wait_for_url(lambda url: f"window=demo_{presses - 4:04}" in url)
    box = tab.page.get_by_label("Minimum center error (bars)")
    box.click()
    box.press("ArrowRight")
    assert tab.place().startswith(f"Window {presses - 3} of"), "a field in which somebody types keeps its keys"
    tab.page.goto(link)
    tab.wait_for(f"Window {presses + 1} of")
    tab.page.locator("h1").first.click()
    tab.page.keyboard.press("Home")
    assert tab.place().startswith("Window 1 of")
    tab.page.keyboard.press("End")
    assert tab.place() == "Window 117 of 117"
    assert tab.page.evaluate(STEPS_MS, "ArrowLeft") <= 150


def test_windows_are_flagged_and_wrong_ones_found_by_key(full, open_tab):
    run = full.second["run"]
    rows = run.predictions
    wrong = sorted(set(rows[rows["label"] != rows["predicted"]]["window_id"].astype(str)))
    tab = open_tab(full.address)
    tab.open(f"windows?run={run.id}&dataset=second")
    tab.wait_for("Window 1 of")
    first = tab.page.locator(".viewer .facts .muted").first.inner_text().split(" ")[0]
    expected = [name for name in wrong if name > first][:3]
    for name in expected:
        tab.page.keyboard.press("w")
        assert tab.page.locator(".viewer .facts .muted").first.inner_text().startswith(name)
        tab.page.keyboard.press("f")
    tab.page.keyboard.press("n")
    tab.page.keyboard.type("ends too late")
    tab.page.keyboard.press("Enter")
    tab.wait_for("Flagged windows (3)")
    tab.page.wait_for_function("() => !!document.querySelector('[data-testid=stExpander]')")
    tab.page.reload()
    tab.wait_for("Flagged windows (3)")
    kept = flags.of(full.store, Labelled("", str(full.data / "second" / "windows.parquet")))
    assert sorted(kept) == expected and kept[expected[-1]].comment == "ends too late"
    assert tab.page.get_by_label("Comment").input_value() == "ends too late"


def _click_on_a_confusion_square(tab) -> None:
    squares = tab.page.locator(".st-key-confusion-repeat-0-confusion .points path")
    squares.nth(1).scroll_into_view_if_needed()
    tab.settle()
    place = squares.nth(1).bounding_box()
    x, y = place["x"] + place["width"] / 4, place["y"] + place["height"] / 4
    tab.page.mouse.move(x, y)
    tab.page.wait_for_timeout(300)
    tab.page.mouse.click(x, y)


def test_a_square_opens_its_windows_and_back_leads_back_one_page_for_one_press(full, open_tab):
    """After many steps and filters."""
    tab = open_tab(full.address, own=True)
    tab.open("features")
    tab.wait_for("Not computed yet")
    before = tab.page.evaluate("history.length")
    tab.page.get_by_role("link", name="Windows").click()
    tab.wait_for("Window 1 of")
    for number in (2, 3):
        tab.page.keyboard.press("ArrowRight")
        tab.wait_for(f"Window {number} of")
    tab.page.get_by_role("link", name="Performance").click()
    _click_on_a_confusion_square(tab)
    tab.wait_for("Window 1 of")
    assert (tab.query()["true"], tab.query()["predicted"]) == ("consolidation", "retracement")
    assert tab.page.evaluate("history.length") == before + 3
    for title, text in (
        ("Performance", "Pooled out of fold"),
        ("Windows", "Window 3 of"),
        ("Features", "Not computed yet"),
    ):
        tab.page.go_back()
        tab.wait_for(text)
        assert tab.title() == title
    tab.page.go_forward()
    tab.wait_for("Window 3 of")
    assert tab.errors == []


def test_a_run_that_changes_its_state_stays_the_chosen_one_and_is_cancelled(full, open_tab):
    """Between the drawing of the page and the click, the waiting run has begun."""
    process = subprocess.Popen(["sleep", "600"])
    try:
        run = make_run(full.store, full.data / "demo" / "windows.parquet", "queued", name="Begins just now")
        run.update(process=identity(process.pid))
        tab = open_tab(full.address)
        tab.open(f"runs?run={run.id}")
        tab.page.get_by_role("button", name="Cancel").click()
        run.update(state="running")
        chosen = tab.page.get_by_label("Run", exact=True)
        tab.page.get_by_text("running Begins just now").wait_for()
        tab.settle()
        assert chosen.input_value().startswith("Begins just now")
        assert chosen.input_value().endswith("· running")
        tab.page.get_by_role("button", name="Cancel the run").click()
        process.wait(30)
        tab.settle()
        assert tab.query()["run"] == run.id and chosen.input_value().startswith("Begins just now")
    finally:
        process.kill()
        process.wait()
        run.update(state="cancelled")
        Store(full.store).delete(run.id)
