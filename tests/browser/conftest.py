"""The app as a user has it: a real server and a headless Chromium. Skips, with the install command, where there is none."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moola_core.launch import local
from moola_core.launch.devices import Lock, default_device
from moola_core.runs import codec
from moola_core.runs.store import Run
from tests.app_samples import make_data, make_everything, make_run

PROJECT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
MADE = re.compile(r"Download .+ \(.+B\)")  # the button of a report's file; tables have buttons of that name too
IDLE = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    return !!app && app.dataset.testConnectionState === 'CONNECTED' && app.dataset.testScriptState === 'notRunning'
        && !!document.querySelector('[data-testid=stMain] [data-testid=stElementContainer]')
        && !document.querySelector('[data-testid=stSkeleton],[data-stale=true]');
}"""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            # One server and one browser: all of them in one worker.
            item.add_marker(pytest.mark.xdist_group("browser"))
            if CHROMIUM is None:
                reason = "no Chromium: apt-get install -y --no-install-recommends chromium"
                item.add_marker(pytest.mark.skip(reason=reason))


def until(ready: Callable[[], bool], seconds: float = 200) -> None:
    """Wait until `ready()` is true."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.2)


class Server:
    """The app on a free port, with folders of its own."""

    second: dict[str, Run]

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data, self.store = folder / "data", folder / "artifacts"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        paths = {"MOOLA_DATA": str(self.data), "MOOLA_STORE": str(self.store)}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        self.log = (folder / "server.log").open("wb")
        self.process = subprocess.Popen(
            command, cwd=PROJECT, env=os.environ | paths | environment, stdout=self.log, stderr=subprocess.STDOUT
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1).read()
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        raise TimeoutError("the server did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.log.close()

    def end_worker(self) -> None:
        """The worker would stay for its idle time, and go on with what is queued: end it with the test."""
        lock = Lock(self.store, default_device())
        if lock.held():
            os.kill(codec.load_object(lock.path.read_bytes())["pid"], signal.SIGTERM)
            until(lambda: not lock.held(), local.IDLE_S + 60)


class Tab:
    """A browser tab on a server; `outside` collects requests that leave the machine, `errors` what the console complained of."""

    def __init__(self, page, address: str) -> None:
        self.page = page
        self.address, self.outside, self.errors = address, [], []
        self.page.on("request", self._note)
        self.page.on("pageerror", self._complain)

    def _note(self, request) -> None:
        if not request.url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self.outside.append(request.url)

    def _complain(self, error) -> None:
        self.errors.append(str(error))

    def leave(self) -> None:
        """Hear no more of the page, and see that it asked for nothing elsewhere and complained of nothing."""
        self.page.remove_listener("request", self._note)
        self.page.remove_listener("pageerror", self._complain)
        assert self.outside == [] and self.errors == []

    def open(self, path: str = "") -> None:
        self.page.goto(f"{self.address}/{path}")
        self.settle()

    def settle(self) -> None:
        """Wait until the script has ended and everything is drawn: twice, since just after a click it still reads so."""
        quiet = 0
        until = time.monotonic() + 60
        while quiet < 2:
            assert time.monotonic() < until, "the page does not come to rest"
            self.page.wait_for_timeout(100)
            quiet = quiet + 1 if self.page.evaluate(IDLE) else 0

    def text(self) -> str:
        return self.page.inner_text("[data-testid=stMain]")

    def place(self) -> str:
        """Where the viewer of candles stands, such as "Window 3 of 117"."""
        return self.page.locator(".viewer .place").inner_text()

    def title(self) -> str:
        return self.page.locator("h1").first.inner_text()

    def query(self) -> dict[str, str]:
        """The parameters of the URL."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.page.url).query))

    def wait_for(self, text: str, seconds: float = 20) -> None:
        # A table keeps its texts in cells that are never visible, and may come first in the document.
        self.page.get_by_text(text).filter(visible=True).first.wait_for(timeout=seconds * 1000)
        self.settle()


class Reader:
    """A page opened from disk; what it asked for, what it complained of, which dialogs it opened."""

    def __init__(self, context, path) -> None:
        self.page, self.requests, self.errors = context.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda line: self.errors.append(line.text))
        self.page.on("dialog", lambda dialog: (self.errors.append(dialog.message), dialog.dismiss()))
        self.page.goto(path.as_uri())
        self.page.wait_for_function(
            "[...document.querySelectorAll('[data-figure]')].every(place => place.querySelector('.main-svg'))"
        )

    def fetched(self) -> list[str]:
        """What was asked for besides the file itself; blob: and data: never leave the page."""
        return [url for url in self.requests[1:] if not url.startswith(("data:", "blob:"))]


def fill_in(tab: Tab, name: str, **settings: str) -> None:
    """The Launch page with these settings of a `quick` run, ready to be started."""
    tab.open("launch?preset=quick")
    for label, value in settings.items():
        tab.page.get_by_label(label, exact=True).fill(value)
        tab.settle()
    tab.page.get_by_label("Name", exact=True).fill(name)
    tab.wait_for(f"--name {name}")


def download_report(tab: Tab, folder: Path) -> Path:
    """Make the file on the Report page that is open, and download it into the folder."""
    tab.page.get_by_role("button", name="Make the file").click()
    link = tab.page.get_by_role("button", name=MADE)
    link.wait_for(timeout=90_000)
    tab.settle()
    with tab.page.expect_download() as download:
        link.click()
    out = folder / download.value.suggested_filename
    download.value.save_as(out)
    return out


@pytest.fixture(scope="session")
def browser(request):
    from playwright.sync_api import sync_playwright

    if getattr(request.config.option, "loadgroup", False):
        grouped = any(item.nodeid.endswith("@browser") for item in request.session.items)
        assert grouped, "xdist no longer keeps a group in one worker"
    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS.split())
        yield found
        found.close()


@pytest.fixture(scope="session")
def shared_page(browser):
    """A page that one test uses after another: the first page of a new context takes seconds."""
    return browser.new_context().new_page()


@pytest.fixture
def open_tab(shared_page):
    """open_tab(address, width=1440, scheme="light", own=False): a tab; own: one that no test has used, with no history.

    When the test ends, no tab may have asked for anything outside the machine, or have had an error.
    """
    tabs, closing = [], []

    def start(address: str, width: int = 1440, scheme: str = "light", own: bool = False) -> Tab:
        page = shared_page
        if own:
            page = shared_page.context.new_page()
            closing.append(page)
        elif not page.url.startswith(address):
            page.goto("about:blank")  # it would go on asking for the server of the test before
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(color_scheme=scheme)
        tabs.append(Tab(page, address))
        return tabs[-1]

    yield start
    for page in closing:
        page.close()
    for tab in tabs:
        tab.leave()


@pytest.fixture
def read(browser) -> Iterator:
    opened = []

    def start(path, width: int = 1280) -> Reader:
        opened.append(browser.new_context(viewport={"width": width, "height": 900}))
        return Reader(opened[-1], path)

    yield start
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def full(tmp_path_factory) -> Iterator[Server]:
    """A server with a finished run of the dataset `demo`, and nothing under way; `server.second` names runs of the dataset `second`."""
    folder = tmp_path_factory.mktemp("full")
    make_run(folder / "artifacts", make_data(folder / "data"), name="Browser run")
    second = make_everything(folder / "artifacts", make_data(folder / "data", "second", seed=4))
    server = Server(folder, MOOLA_DEMO="off")
    server.second = second
    yield server
    server.stop()
