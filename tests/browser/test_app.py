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
