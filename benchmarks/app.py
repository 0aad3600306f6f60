"""How fast the app is in a real browser, with a finished run and none active.

.venv/bin/python benchmarks/app.py [--runs 500] [--bars 1800000]

First paint (a fresh server and a fresh browser each, in turn with that of an empty Streamlit page), switches to every page, stepping
through windows. Of a page the time to its heading is measured, and to all of it: its title is there, its script has ended, every chart
is drawn, and that stays so for 0.3 s (which are not counted). --runs puts so many more runs into the store, --bars makes the demo market
so long. Prints a table and writes benchmarks/results/app.json. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

from many_runs import make_runs
from playwright.sync_api import Page, sync_playwright

from moola_core.launch import demo
from moola_core.market.demo import make_demo, write_demo
from moola_core.runs.store import Store

PROJECT = Path(__file__).resolve().parents[1]
OUT = PROJECT / "benchmarks" / "results" / "app.json"
PAGES = (
    "Investigate",
    "Windows",
    "Features",
    "Launch",
    "Runs",
    "History",
    "Performance",
    "Doctor",
    "Compare",
    "Predict",
    "Report",
    "Overview",
)
WITH_CHARTS = ("Windows", "Runs", "Performance")
ROUNDS, PAINTS = 5, 3
BARS, SEED = 60_000, 7
LIMITS = {
    "heading of a page, median s": 0.35,
    "all of a page, median s": 1.0,
    "first paint (heading), times an empty page's": 1.3,
    "next window, median s": 0.15,
}
EMPTY = "import streamlit as st\n\nst.set_page_config(page_title='Empty', layout='wide')\nst.title('Empty')\n"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
STEPS = """async () => {
    const times = [];
    for (let i = 0; i < 50; i++) {
        const start = performance.now();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true, composed: true }));
        await new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)));
        times.push(performance.now() - start);
        await new Promise(next => setTimeout(next, 100));
    }
    return times;
}"""
SHOWN = """([title, charts]) => new Promise((resolve, reject) => {
    const start = performance.now(); let since = null, named = null;
    const look = () => {
        const now = performance.now(), app = document.querySelector('[data-testid=stApp]');
        const heading = document.querySelector('[data-testid=stMain] h1');
        const drawn = [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(c => c.querySelector('.main-svg'));
        const there = app && app.dataset.testConnectionState === 'CONNECTED' && app.dataset.testScriptState === 'notRunning'
            && !document.querySelector('[data-testid=stSkeleton],[data-stale=true]') && heading
            && heading.innerText.trim() === title && drawn
            && (!charts || document.querySelector('[data-testid=stPlotlyChart],[class*=st-key-viewer]'));
        if (named === null && heading && heading.innerText.trim() === title && !heading.closest('[data-stale=true]')) named = now;
        if (!there) since = null; else if (since === null) since = now;
        if (since !== null && now - since >= 300) return resolve([named, since]);
        if (now - start > 30000) return reject(new Error('not shown: ' + title));
        setTimeout(look, 10);
    };
    look();
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=0, help="runs in the store besides the one that is looked at")
    parser.add_argument("--bars", type=int, default=BARS, help="bars of the demo market")
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Needs Chromium: apt-get install -y --no-install-recommends chromium")
    with tempfile.TemporaryDirectory() as folder:
        _make_store(Path(folder), asked.runs, asked.bars)
        with sync_playwright() as playwright:
            paints = first_paints(Path(folder), playwright, chromium)
            figures = measure(Path(folder), playwright, chromium) | {"first_paint_s": paints}
    ours, empty = (statistics.median(named for named, _ in paints[name]) for name in ("moola", "empty"))
    rows = {
        "heading of a page, median s": _median(figures, 0),
        "all of a page, median s": _median(figures, 1),
        "first paint (heading), times an empty page's": ours / empty,
        "next window, median s": figures["next_window"]["median_s"],
    }
    for name, value in rows.items():
        print(f"{name:<45} {value:6.2f}   limit {LIMITS[name]:.2f}   {'met' if value <= LIMITS[name] else 'MISSED'}")
    for name, times in paints.items():
        named, whole = (statistics.median(one[i] for one in times) for i in range(2))
        print(f"  first paint, {name:<12} heading {named:6.2f} s, all {whole:6.2f} s")
    for name, times in figures["switch_s"].items():
        named, whole = ([one[i] for one in times] for i in range(2))
        print(
            f"  to {name:<22} heading {statistics.median(named):6.2f} s, all {statistics.median(whole):6.2f} s, "
            f"worst {max(whole):.2f} s, first {whole[0]:.2f} s"
        )
    step = figures["next_window"]
    print(f"  {'next window':<27} {step['median_s']:6.3f} s   worst {step['worst_s']:.3f} s")
    print(f"  100 presses at {step['presses_a_second']:.1f} a second moved {step['moved_by_100_presses']} windows")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps(
            {"host": _host(), "runs": asked.runs, "bars": asked.bars, "rows": rows, "limits": LIMITS, "all": figures},
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )


def _median(figures: dict, which: int) -> float:
    """Over all pages; which: 0 to the heading, 1 to all of it."""
    return statistics.median(times[which] for every in figures["switch_s"].values() for times in every)


def first_paints(folder: Path, playwright, chromium: str) -> dict[str, list[list[float]]]:
    """Seconds to the heading and to all of the first page of moola and of an empty app, each on fresh servers, in turn."""
    empty = folder / "empty.py"
    empty.write_text(EMPTY, encoding="utf-8")
    paints: dict[str, list[list[float]]] = {"moola": [], "empty": []}
    for turn in range(PAINTS):
        for name, script, title in (("moola", "app.py", "Overview"), ("empty", str(empty), "Empty")):
            port = _free_port()
            server = _serve(folder, port, script)
            try:
                context = _browser(folder / f"{name}-{turn}", playwright, chromium)
                paints[name].append(_first(context.pages[0], port, title))
                context.close()
            finally:
                server.terminate()
                server.wait()
    return paints


def _first(page: Page, port: int, title: str) -> list[float]:
    page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
    # performance.now() counts from the start of the navigation.
    return [ms / 1000 for ms in page.evaluate(SHOWN, [title, False])]


def _browser(profile: Path, playwright, chromium: str):
    return playwright.chromium.launch_persistent_context(
        profile,
        executable_path=chromium,
        headless=True,
        args=FLAGS.split(),
        viewport={"width": 1440, "height": 900},
    )


def measure(folder: Path, playwright, chromium: str) -> dict:
    """Every switch between pages, and steps from window to window, in seconds."""
    port = _free_port()
    server = _serve(folder, port)
    try:
        context = _browser(folder / "profile", playwright, chromium)
        page = context.pages[0]
        _first(page, port, "Overview")
        switches: dict[str, list[list[float]]] = {name: [] for name in PAGES}
        for _ in range(ROUNDS):
            for name in PAGES:
                switches[name].append(_switch(page, name))
        _switch(page, "Windows")
        steps = _steps(page)
        context.close()
    finally:
        server.terminate()
        server.wait()
    return {"switch_s": switches, "next_window": steps}


def _switch(page: Page, name: str) -> list[float]:
    """Seconds from the click in the menu to the page's heading, and to all of it."""
    link = page.locator("[data-testid=stSidebarNav]").get_by_role("link", name=name)
    start = page.evaluate("performance.now()")
    link.click()
    return [(ms - start) / 1000 for ms in page.evaluate(SHOWN, [name, name in WITH_CHARTS])]


def _steps(page: Page) -> dict[str, float]:
    """From a press of the arrow key to the window drawn, and how many windows 100 presses at 10 a second move."""
    page.wait_for_selector(".viewer .place")
    times = page.evaluate(STEPS)
    place = page.locator(".viewer .place")
    before = int(place.inner_text().split()[1])
    start = time.perf_counter()
    for i in range(100):
        page.keyboard.press("ArrowRight")
        time.sleep(max(0.0, start + 0.1 * (i + 1) - time.perf_counter()))
    seconds = time.perf_counter() - start
    after, count = (int(place.inner_text().replace(",", "").split()[k]) for k in (1, 3))
    return {
        "median_s": statistics.median(times) / 1000,
        "worst_s": max(times) / 1000,
        "moved_by_100_presses": (after - before) % count,
        "presses_a_second": 100 / seconds,
    }


def _make_store(folder: Path, runs: int, bars: int) -> None:
    """The demo market with its quick run, done, next to so many other runs of the same windows."""
    store = Store(folder / "artifacts")
    if bars != BARS:
        write_demo(folder / "data" / demo.FOLDER, make_demo(bars=bars, seed=SEED))
    windows, _ = demo.files(folder / "data")
    make_runs(store.root, windows, runs)
    run_id = demo.start(store, folder / "data", demo.STEPS[0])
    while store.open(run_id).record.active:
        time.sleep(0.5)
    if store.open(run_id).record.state != "done":
        sys.exit(f"The demo run failed: {store.open(run_id).record.error}")


def _serve(folder: Path, port: int, script: str = "app.py") -> subprocess.Popen:
    environment = os.environ | {"MOOLA_DATA": str(folder / "data"), "MOOLA_STORE": str(folder / "artifacts")}
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(port)]
    server = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).read()
            return server
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    server.terminate()
    sys.exit("The server did not start.")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _host() -> dict[str, object]:
    versions = {name: metadata.version(name) for name in ("streamlit", "plotly", "pandas", "playwright")}
    return {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count(), **versions}


if __name__ == "__main__":
    main()
