"""What is lost when processes are killed at random moments, and what becomes of malformed input.

.venv/bin/python benchmarks/faults.py [--kills 120] [--inputs 5000] [--seed 1]

Kills: SIGKILL to the trainer, to the device's worker, to submitters and, while a visitor starts a run in headless Chromium, to the app,
at random moments, while runs go on; then everything that was lost is resumed, and the store is searched for what should not be
there. Inputs: bars, windows, settings, specs, checkpoints,
records and packed files, spoilt in many ways. Also: 20 submitters at once; a store of 2,000 runs.
Prints a table and writes benchmarks/results/faults.json. Every loss must be zero.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from playwright.sync_api import sync_playwright
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import app_test

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from moola_core.launch import local, worker
from moola_core.market.demo import make_demo, write_demo
from moola_core.presets import preset
from moola_core.runs.facts import Facts
from moola_core.runs.queue import Queue
from moola_core.runs.store import Store
from moola_core.specs import change
from tests.browser.conftest import CHROMIUM, FLAGS, Server, Tab, fill_in
from tests.faults.kills import SUBMIT, Site, answers, fire
from tests.faults.malformed import Judge, Samples, inputs

OUT = PROJECT / "benchmarks" / "results" / "faults.json"
SHARES = {"trainer": 0.35, "worker": 0.35, "submitter": 0.15, "app": 0.15}
TYPED = {"epochs": 4, "repeats": 1, "folds": 3}
SMALL = TYPED | {"processes": 2}
LOSSES = (
    "lost",
    "orphans",
    "torn",
    "wrong_state",
    "wrong_answers",
    "overlaps",
    "tracebacks",
    "written",
    "without_mend",
)
SUBMITTERS, EACH = 20, 3
MANY = 2000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=120)
    parser.add_argument("--inputs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        figures |= malformed(Path(folder) / "inputs", chosen.inputs, chosen.seed)
        figures |= at_once(Path(folder) / "at_once")
        figures |= many(Path(folder) / "many")
        figures |= killed(Path(folder) / "kills", chosen.kills, chosen.seed)
    packages = ("torch", "numpy", "psutil", "hypothesis", "streamlit")
    figures["host"] = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    figures["versions"] = {name: metadata.version(name) for name in packages} | {"python": platform.python_version()}
    figures["seed"] = chosen.seed
    for name, value in figures.items():
        print(f"{name:<24} {value}" + ("   MISSED" if name in LOSSES and value else ""))
    OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(figures[name] for name in LOSSES))


def killed(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kills of every kind in a random order, then peace, then the count of what is missing."""
    folder.mkdir()
    paths = write_demo(folder / "data" / "demo", make_demo("helpful", bars=20_000, windows=60, seed=3))
    files = {"data.windows": str(paths["windows"]), "data.bars": str(paths["bars"])}
    spec = change(preset("quick").finetune(), files | SMALL)
    whole = Store(folder / "whole").create(spec)
    started = time.monotonic()
    worker.run(whole)
    local.IDLE_S = 3.0
    site = Site(folder, spec, seed)
    pause_s = 1.5 * (time.monotonic() - started)
    victims = np.repeat(list(SHARES), [round(share * kills) for share in SHARES.values()])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS.split())
        ways = {
            "trainer": site.kill_trainer,
            "worker": site.kill_worker,
            "submitter": site.kill_submitter,
            "app": lambda: kill_app(site, browser),
        }
        fire(site, [ways[str(victim)] for victim in site.rng.permutation(victims)], pause_s)
    open_ = site.settle(3600)
    states: dict[str, int] = {}
    for record in site.store.runs():
        states[record.state] = states.get(record.state, 0) + 1
    done = [r.run_id for r in site.store.runs() if r.state == "done"]
    return {
        "kills": sum(site.counts.values()),
        "kills_of": dict(site.counts),
        "runs": len(site.store.runs()),
        "states": states,
        "lost": len(site.lost()),
        "orphans": len(site.orphans(120)),
        "torn": len(site.torn()),
        "wrong_state": len(open_),
        "wrong_answers": sum(not answers(site.store.open(run_id)).equals(answers(whole)) for run_id in done),
        "overlaps": int(site.beside > 1),
        "kills_s": time.monotonic() - started,
    }


def kill_app(site: Site, browser: Any, most_s: float = 2.0) -> bool:
    """Kill the server while a visitor starts a run. The run counts as promised once the page of runs shows it."""
    server, page = Server(site.folder, MOOLA_DEMO="off"), browser.new_page()
    tab = Tab(page, server.address)
    fill_in(tab, "killed", **{label: str(value) for label, value in TYPED.items()})
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_timeout(1000 * site.rng.uniform(0, most_s))
    server.process.kill()
    server.process.wait()
    site.acknowledged += parse_qs(urlsplit(page.url).query).get("run", [])
    page.close()
    site.counts["app"] += 1
    return True


def malformed(folder: Path, count: int, seed: int) -> dict[str, Any]:
    folder.mkdir()
    judge, started = Judge(folder), time.monotonic()
    for kind, what, read in itertools.islice(inputs(Samples(folder), np.random.default_rng(seed)), count):
        judge.look(kind, what, read)
    for text in judge.wrong.values():
        print(text)
    names = ("inputs", "refused", "taken", "tracebacks", "written", "without_mend")
    kinds = {kind: n for kind, n in judge.counts.items() if kind not in names}
    return {name: judge.counts[name] for name in names} | {"inputs_of": kinds, "inputs_s": time.monotonic() - started}


def at_once(folder: Path) -> dict[str, Any]:
    """Twenty processes that submit at the same time, to a store that none of them has made."""
    folder.mkdir()
    (folder / "spec.json").write_text(preset("quick").finetune().model_dump_json(), encoding="utf-8")
    alone = f"import moola_core.launch.local as l; l.ensure_worker = lambda *a: None\nfor _ in range({EACH}):"
    quiet = SUBMIT.replace("while True:", alone)
    command = [sys.executable, "-c", quiet, str(folder / "store"), str(folder / "spec.json"), "on"]
    started = time.monotonic()
    processes = [subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL) for _ in range(SUBMITTERS)]
    failed = sum(process.wait() != 0 for process in processes)
    store = Store(folder / "store")
    missing = SUBMITTERS * EACH - len({entry.run_id for entry in Queue(store.root).entries()})
    return {"submitters": SUBMITTERS, "submitters_failed": failed + missing, "submitters_s": time.monotonic() - started}


def many(folder: Path) -> dict[str, Any]:
    """Seconds to list a store of 2,000 runs: first, when its index is made, and after one of them has changed."""
    store = Store(folder)
    paths = write_demo(folder / "data" / "demo", make_demo("helpful", bars=20_000, windows=60, seed=3))
    spec = change(preset("quick").finetune(), {"data.windows": str(paths["windows"]), "data.bars": str(paths["bars"])})
    facts = Facts(f1_macro=0.5, doctor={"info": 1})
    for i in range(MANY):
        store.create(spec, name=f"run {i}").update(state="done", seconds=1.0, facts=facts)
    times = []
    for _ in range(6):
        started = time.perf_counter()
        records = store.runs()
        times.append(time.perf_counter() - started)
        store.open(records[MANY // 2].run_id).update(note="changed")
    assert len(records) == MANY
    listed = {"many_runs": MANY, "many_first_s": times[0], "many_again_s": statistics.median(times[1:])}
    return listed | {"many_page_s": runs_page(store.root)}


def runs_page(root: Path) -> float:
    """Median seconds in which the server makes the Runs page of this store, after the first time."""
    os.environ |= {"MOOLA_STORE": str(root), "MOOLA_DATA": str(root / "data"), "MOOLA_DEMO": "off"}
    os.chdir(PROJECT)
    PagesManager.uses_pages_directory = (
        False  # AppTest begins each run as a server's very first one, which has no app.py
    )
    app_test.PagesManager = type("WarmPages", (PagesManager,), {})
    at = app_test.AppTest.from_file(str(PROJECT / "app.py"), default_timeout=600).run()
    times = []
    for _ in range(6):
        started = time.perf_counter()
        at.switch_page("pages/runs.py").run()
        times.append(time.perf_counter() - started)
        assert not at.exception and len(at.dataframe[0].value) == MANY
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
