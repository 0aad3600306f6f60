"""What only a browser shows: widths, colours, forms that answer as they are filled in."""

from __future__ import annotations

PAGES = ("Overview", "Windows", "Launch", "Runs", "Performance")
IN_THE_DARK = """() => {
    const colour = getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor;
    return colour.match(/[0-9]+/g).slice(0, 3).every(part => Number(part) < 80);
}"""


def test_no_page_is_wider_than_a_phone_and_each_opens_in_the_dark(full, open_tab):
    tab = open_tab(full.address, width=420, scheme="dark")
    tab.open("")
    for title in PAGES:
        # On a phone the menu is folded away.
        tab.page.locator("[data-testid=stSidebarNavLink]").get_by_text(title, exact=True).dispatch_event("click")
        tab.page.get_by_role("heading", name=title, exact=True).wait_for()
        tab.settle()
        assert tab.title() == title and title in tab.text()
        assert tab.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 420, title
        assert tab.page.evaluate(IN_THE_DARK), title


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
