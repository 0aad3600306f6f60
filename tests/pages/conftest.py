"""The app in Streamlit's own test runner, on folders of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from tests.app_samples import make_data

PROJECT = Path(__file__).parents[2]
PAGES = ("overview", "windows", "launch", "runs", "results")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """The file of windows of a small demo market; its data folder is two levels up."""
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def store(tmp_path) -> Path:
    return tmp_path / "artifacts"


class WarmPages(PagesManager):
    """Takes the reset that AppTest makes before each run, so that it does not reach Streamlit's own flag."""


@pytest.fixture
def show(monkeypatch, dataset, store, tmp_path) -> Callable[..., AppTest]:
    """Open a page of the app: show("windows", data=False) has an empty data folder, data=PATH that one; query is the URL's."""
    monkeypatch.chdir(PROJECT)
    # AppTest starts each run as a server's very first one, in which Streamlit runs a page without app.py. A server's later
    # runs are tested here; its first one in tests/browser.
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
    monkeypatch.setattr("streamlit.testing.v1.app_test.PagesManager", WarmPages)
    monkeypatch.setenv("MOOLA_DEMO", "off")
    monkeypatch.setenv("MOOLA_STORE", str(store))
    monkeypatch.setenv("STREAMLIT_CLIENT_SHOW_ERROR_DETAILS", "full")

    def open_page(page: str, data: bool | Path = True, **query: str) -> AppTest:
        folder = data if isinstance(data, Path) else dataset.parents[1] if data else tmp_path / "nothing"
        monkeypatch.setenv("MOOLA_DATA", str(folder))
        at = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=60)
        for name, value in query.items():
            at.query_params[name] = value
        if page != "overview":
            at.switch_page(f"pages/{page}.py")
        at.run()
        assert not at.exception, [error.message for error in at.exception]
        return at

    return open_page


def texts(at: AppTest) -> str:
    """All that the page says in words."""
    kinds = (at.title, at.header, at.subheader, at.markdown, at.caption, at.error, at.warning, at.info)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def sent(at: AppTest) -> dict[str, Any]:
    """What the page sends to its viewer of candles."""
    return json.loads(_viewer(at).proto.json)


def viewers(at: AppTest) -> list[Any]:
    """The page's viewers of candles: one or none."""
    return [one for one in at.get("bidi_component") if one.proto.component_name != "moola_shortcuts"]


def charts(at: AppTest) -> list[Any]:
    """All that the page draws, viewers of candles among it."""
    return [*at.get("plotly_chart"), *viewers(at)]


def _viewer(at: AppTest) -> Any:
    (only,) = viewers(at)
    return only


def say(at: AppTest, **values: Any) -> None:
    """What the page's viewer in the browser says; AppTest has no form of its own for such components."""
    states = at._tree.get_widget_states()
    states.widgets.add(id=_viewer(at).proto.id, json_value=json.dumps(values))
    at._run(states)


def button(at: AppTest, label: str):
    return next(item for item in at.button if item.label == label)
