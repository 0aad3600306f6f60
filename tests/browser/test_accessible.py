"""Every page in both themes and at three widths: clean under axe-core but for what Streamlit's own markup brings, nothing cut or on top of
anything else."""

from __future__ import annotations

import pytest

from tests.browser import looking
from tests.browser.conftest import Server

EVERY = (
    "",
    "investigate",
    "windows",
    "features",
    "launch",
    "runs",
    "history",
    "results",
    "doctor",
    "compare",
    "predict",
    "report",
)
WIDTHS = (390, 800, 1440)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A server without data and runs."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "data").mkdir()
    server = Server(folder, MOOLA_DEMO="off")
    yield server
    server.stop()


def problems(tab, path: str) -> list[str]:
    tab.open(path)
    tab.page.locator("h1").first.wait_for()
    tab.settle()
    return [*looking.breaches(tab.page), *looking.boxes(tab.page)]


@pytest.mark.parametrize("path", ["windows", ""])
def test_a_page_is_accessible_and_nothing_is_cut(full, open_tab, path):
    """The rest of the sweep is `test_every_page_is_accessible_at_any_width`."""
    tab = open_tab(full.address, width=390, scheme="dark")
    assert problems(tab, f"{path}?run={full.second['run'].id}&dataset=second") == []


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("filled", [True, False], ids=["full", "empty"])
def test_every_page_is_accessible_at_any_width(full, bare, open_tab, scheme, filled):
    server = full if filled else bare
    link = f"?run={full.second['run'].id}&dataset=second" if filled else ""
    broken = {}
    for width in WIDTHS:
        tab = open_tab(server.address, width=width, scheme=scheme)
        for path in EVERY:
            if one := problems(tab, path + link):
                broken[f"{path or 'overview'} at {width}"] = one
    assert not broken, "\n".join(f"{place}: {one}" for place, found in broken.items() for one in found)


def test_what_is_looked_for_is_seen(full, open_tab):
    """A text without contrast, one that is cut off, and one on top of another are planted."""
    tab = open_tab(full.address)
    tab.open("report")
    tab.page.evaluate(
        """() => {
            const caption = document.querySelector('[data-testid=stMain] [data-testid=stCaptionContainer]');
            caption.style.color = '#bbbbbb';
            caption.insertAdjacentHTML('afterend', `
                <p style="width:40px;overflow:hidden;white-space:nowrap">a text that is cut off here</p>
                <p style="position:relative;height:20px">below</p><h4 style="position:relative;top:-24px">above</h4>`);
        }"""
    )
    breaches, seen = looking.breaches(tab.page), looking.boxes(tab.page)
    assert any(one.startswith("color-contrast") for one in breaches), breaches
    assert any(one.startswith("cut: a text that is cut") for one in seen), seen
    assert any(one.startswith("on each other") and "above" in one for one in seen), seen
