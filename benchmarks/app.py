"""How fast the app is in a real browser, with a finished run and none active.

.venv/bin/python benchmarks/app.py

First paint (a fresh server and a fresh browser), switches between pages, stepping through windows. A page counts as shown when
its title is there, its script has ended, every chart is drawn, and that stays so for 0.3 s (which are not counted).
Prints a table and writes benchmarks/results/app.json. Needs Chromium.
"""

from __future__ import annotations

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

from playwright.sync_api import Page, sync_playwright

from moola_core.launch import demo
from moola_core.runs.store import Store

PROJECT = Path(__file__).resolve().parents[1]
OUT = PROJECT / "benchmarks" / "results" / "app.json"
PAGES = ("Windows", "Launch", "Runs", "Performance", "Overview")
WITH_CHARTS = ("Windows", "Runs", "Performance")
ROUNDS = 5
LIMITS_S = {
    "first paint": 3.0,
    "page switch, median": 0.5,
    "page with charts, median": 1.0,
    "next window, median": 0.15,
}
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
    const start = performance.now(); let since = null;
    const look = () => {
        const now = performance.now(), app = document.querySelector('[data-testid=stApp]');
        const heading = document.querySelector('[data-testid=stMain] h1');
        const drawn = [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(c => c.querySelector('.main-svg'));
        const there = app && app.dataset.testConnectionState === 'CONNECTED' && app.dataset.testScriptState === 'notRunning'
            && !document.querySelector('[data-testid=stSkeleton],[data-stale=true]') && heading
            && heading.innerText.trim() === title && drawn
            && (!charts || document.querySelector('[data-testid=stPlotlyChart],[class*=st-key-viewer]'));
        if (!there) since = null; else if (since === null) since = now;
        if (since !== null && now - since >= 300) return resolve(since);
        if (now - start > 30000) return reject(new Error('not shown: ' + title));
        setTimeout(look, 10);
    };
    look();
})"""


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("Needs Chromium: apt-get install -y --no-install-recommends chromium")
    with tempfile.TemporaryDirectory() as folder:
        _finish_demo_run(Path(folder))
        with sync_playwright() as playwright:
            figures = measure(Path(folder), playwright, chromium)
    rows = {
        "first paint": figures["first_paint_s"],
        "page switch, median": _median(figures, tuple(name for name in PAGES if name not in WITH_CHARTS)),
        "page with charts, median": _median(figures, WITH_CHARTS),
        "next window, median": figures["next_window"]["median_s"],
    }
    print(f"{'all pages, median':<28} {_median(figures, PAGES):6.2f} s")
    for name, value in rows.items():
        print(
            f"{name:<28} {value:6.2f} s   limit {LIMITS_S[name]:.1f} s   {'met' if value <= LIMITS_S[name] else 'MISSED'}"
        )
    for name, values in figures["switch_s"].items():
        print(
            f"  to {name:<24} {statistics.median(values):6.2f} s   worst {max(values):.2f} s, first {values[0]:.2f} s"
        )
    step = figures["next_window"]
    print(f"  {'next window':<27} {step['median_s']:6.3f} s   worst {step['worst_s']:.3f} s")
    print(f"  100 presses at {step['presses_a_second']:.1f} a second moved {step['moved_by_100_presses']} windows")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps({"host": _host(), "seconds": rows, "limits": LIMITS_S, "all": figures}, indent=1) + "\n",
        encoding="utf-8",
    )


def _median(figures: dict, pages: tuple[str, ...]) -> float:
    return statistics.median(value for name in pages for value in figures["switch_s"][name])


def measure(folder: Path, playwright, chromium: str) -> dict:
    """First paint, every switch between pages, and steps from window to window, in seconds."""
    port = _free_port()
    server = _serve(folder, port)
    try:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=chromium,
            headless=True,
            args=FLAGS.split(),
            viewport={"width": 1440, "height": 900},
        )
        page = context.pages[0]
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        # performance.now() counts from the start of the navigation.
        first = page.evaluate(SHOWN, ["Overview", False]) / 1000
        switches: dict[str, list[float]] = {name: [] for name in PAGES}
        for _ in range(ROUNDS):
            for name in PAGES:
                switches[name].append(_switch(page, name))
        _switch(page, "Windows")
        steps = _steps(page)
        context.close()
    finally:
        server.terminate()
        server.wait()
    return {"first_paint_s": first, "switch_s": switches, "next_window": steps}


def _switch(page: Page, name: str) -> float:
    link = page.locator("[data-testid=stSidebarNav]").get_by_role("link", name=name)
    start = page.evaluate("performance.now()")
    link.click()
    return (page.evaluate(SHOWN, [name, name in WITH_CHARTS]) - start) / 1000


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


def _finish_demo_run(folder: Path) -> None:
    """The demo market with its quick run, done."""
    store = Store(folder / "artifacts")
    run_id = demo.start(store, folder / "data", demo.STEPS[0])
    while store.open(run_id).record.active:
        time.sleep(0.5)
    if store.open(run_id).record.state != "done":
        sys.exit(f"The demo run failed: {store.open(run_id).record.error}")


def _serve(folder: Path, port: int) -> subprocess.Popen:
    environment = os.environ | {"MOOLA_DATA": str(folder / "data"), "MOOLA_STORE": str(folder / "artifacts")}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
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
