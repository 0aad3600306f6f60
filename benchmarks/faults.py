"""What is lost when processes are killed at random moments, when the disk is full, and what becomes of malformed input.

.venv/bin/python benchmarks/faults.py [--kills 500] [--inputs 10000] [--writes 60] [--hosts 10] [--clock 15] [--seed 1] [--minutes 180] [--only PART …] [--folder DIR]

Kills: SIGKILL to the trainer, to a process that shares its fits, to the device's worker, to submitters, to exporters, to studies, to
plans and investigations, to a worker in a container with PIDs of its own, and, while a visitor starts a run in headless Chromium, to the
app, at random moments of their lives, while runs go on; processes are stopped and continued in between. Then everything that was lost is
resumed, and the store is searched for what should not be there. Hosts: a worker with PIDs and a host name of its own takes over from one
of this host, and is killed with all that it began. Clock: signs of life are set a day back or forward while runs go on, and some are
killed. Writes: a run whose disk is full, or whose quota is used up, from one of its writes on. Inputs: bars, windows, settings, specs,
checkpoints, records and packed files, spoilt in many ways. Also: 20 submitters at once; a store of 5,000 runs.

Prints a table and writes benchmarks/results/faults.json when all parts are asked for. Every loss must be zero. With --folder it goes on
where it was cut off. tests/faults/test_benchmark.py runs the same parts, smaller, with `make test` and `make soak`.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
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
from moola_core.specs import Arm, Investigation, Study, change
from tests.browser.conftest import CHROMIUM, FLAGS, Server, Tab, fill_in
from tests.faults.kills import SUBMIT, Site, answers, fire
from tests.faults.malformed import Judge, Samples, inputs
from tests.faults.writes import full_at, writes_of

OUT = PROJECT / "benchmarks" / "results" / "faults.json"
# In the queue, and next to it: the two go on at the same time in one store.
QUEUED = {"trainer": 0.24, "worker": 0.2, "submitter": 0.08, "stopped": 0.07, "clock": 0.03, "container": 0.02}
APART = {"child": 0.1, "app": 0.06, "exporter": 0.08, "study": 0.05, "plan": 0.035, "investigation": 0.035}
TYPED = {"epochs": 2, "repeats": 1, "folds": 2}
SMALL = TYPED | {"processes": 1}
LOSSES = (
    "lost",
    "orphans",
    "torn",
    "wrong_state",
    "wrong_answers",
    "overlaps",
    "hung",
    "tracebacks",
    "written",
    "without_fix",
    "full_wrong",
    "hosts_wrong",
    "clock_wrong",
    "submitters_failed",
)
SAME = ("kept", "killed")  # runs of the one spec, whose predictions are known
SUBMITTERS, EACH = 20, 3
MANY = 5000
PAUSE_S = 4.0  # a run of the queue takes about so long
IDLE_S = 3.0
STATE = "state.json"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--writes", type=int, default=60)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--clock", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=180, help="after so many no further process is killed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of parts")
    parser.add_argument("--folder", help="what is done is kept here, and is not done again")
    wanted = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() if wanted.folder is None else nullcontext(wanted.folder) as folder:
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        parts: dict[str, Callable[[Path], dict[str, Any]]] = {
            "inputs": lambda place: malformed(place, wanted.inputs, wanted.seed),
            "at_once": at_once,
            "many": many,
            "writes": lambda place: full(place, wanted.writes, wanted.seed),
            "hosts": lambda place: hosts(place, wanted.hosts, wanted.seed),
            "clock": lambda place: clock(place, wanted.clock, wanted.seed),
            "kills": lambda place: killed(
                place, all_kinds(wanted.kills, wanted.seed), wanted.seed, 60 * wanted.minutes
            ),
        }
        for name, part in parts.items():
            if wanted.only and name not in wanted.only:
                continue
            figures |= once(root, name, part)
    packages = ("torch", "numpy", "psutil", "hypothesis", "streamlit")
    figures["host"] = {"machine": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    figures["versions"] = {name: metadata.version(name) for name in packages} | {"python": platform.python_version()}
    figures["seed"] = wanted.seed
    for name, value in figures.items():
        print(f"{name:<24} {value}" + ("   MISSED" if name in LOSSES and value else ""))
    if not wanted.only:
        OUT.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(figures.get(name) for name in LOSSES))


def once(root: Path, name: str, part: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The figures of a part; those that were kept, if it was done before."""
    kept = root / f"{name}.figures.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    figures = part(root / name)
    kept.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def full(folder: Path, writes: int, seed: int) -> dict[str, Any]:
    """A run for each of so many of its writes, from which on the disk is full."""
    started, spec = time.monotonic(), spec_in(folder)
    spec = change(spec, {"processes": 1, "hidden": 4, "epochs": 2})
    whole = Store(folder / f"whole-{time.time_ns()}").create(spec)
    worker.run(whole)
    every = writes_of(folder / "counted", spec)
    at = np.random.default_rng(seed).choice(every, size=min(writes, every), replace=False)
    counts, wrong = Counter[str](), list[str]()
    for first, number in enumerate((errno.ENOSPC, errno.EDQUOT)):
        own = sorted(map(int, at[first::2]))
        more, texts = full_at(folder / f"{errno.errorcode[number]}-{time.time_ns()}", spec, own, answers(whole), number)
        counts, wrong = counts + more, wrong + texts
    for text in wrong:
        print(text)
    figures = {"full_writes": every, "full_runs": counts["runs"], "full_sentences": counts["sentences"]}
    return figures | {"full_wrong": len(wrong), "full_s": time.monotonic() - started}


def spec_in(folder: Path) -> Any:
    """A small run on a demo market in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = write_demo(folder / "data" / "demo", make_demo("helpful", bars=6400, windows=30, seed=3))
    files = {"data.windows": str(paths["windows"]), "data.bars": str(paths["bars"])}
    return change(preset("quick").finetune(), files | SMALL)


Orders = Mapping[str, Sequence[str]]


def all_kinds(kills: int, seed: int) -> Orders:
    """So many kills of every kind in two random orders, which go on at the same time."""
    return {"queued": ordered(QUEUED, kills, seed), "apart": ordered(APART, kills, seed)}


def hosts(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Two hosts on one store by turns: the other one is killed with all that it began."""
    return named("hosts", killed(folder, {"queued": ["container"] * count}, seed))


def clock(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """The clock set by a day again and again while runs go on; every third time one is killed."""
    order = ["trainer" if number % 3 == 2 else "clock" for number in range(count)]
    return named("clock", killed(folder, {"queued": order}, seed))


def named(part: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """What a small part of its own counted, under names of its own: its losses as one number."""
    kept = {"times": figures["kills"], "s": figures["kills_s"]} | {name: figures[name] for name in ("runs", "compared")}
    kept["wrong"] = sum(int(figures.get(name, 0)) for name in LOSSES)
    return {f"{part}_{name}": value for name, value in kept.items()}


def killed(folder: Path, orders: Orders, seed: int, most_s: float = 3600.0, pause_s: float = PAUSE_S) -> dict[str, Any]:
    """Kills in these orders, those in the queue and those next to it at the same time, then peace, then the count of what is missing."""
    spec = spec_in(folder)
    whole = Store(folder / f"whole-{time.time_ns()}").create(spec)
    started = time.monotonic()
    worker.run(whole)
    local.IDLE_S = IDLE_S
    site = Site(folder, spec, seed)
    done = site.go_on(folder / STATE)
    front = Front(site, folder / STATE, done, started + most_s, pause_s)
    queued = threading.Thread(
        target=front.go, args=("queued", orders.get("queued", ()), in_queue(site, pause_s)), daemon=True
    )
    queued.start()
    others = orders.get("apart", ())
    with sync_playwright() if "app" in others else nullcontext() as playwright:
        browser = playwright and playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS.split())
        front.go("apart", others, apart(site, browser, spec))
    queued.join()
    if front.errors:
        raise front.errors[0]
    return counted(site, whole) | {"kills_s": time.monotonic() - started}


class Front:
    """Kills in their order, kept after each; `errors`: what ended one of the two orders."""

    def __init__(self, site: Site, state: Path, done: dict[str, int], until: float, pause_s: float) -> None:
        self.site, self.state, self.done, self.until, self.pause_s = site, state, done, until, pause_s
        self.lock, self.errors = threading.Lock(), list[Exception]()

    def go(self, name: str, order: Sequence[str], ways: dict[str, Callable[[], bool]]) -> None:
        queued = name == "queued"
        try:
            for number in range(self.done.get(name, 0), len(order)):
                if time.monotonic() > self.until or self.errors:
                    return
                before = time.monotonic()
                fire(self.site, [ways[order[number]]], self.pause_s if queued else 0.0, keep=2 if queued else 0)
                print(f"{name} {number + 1} {order[number]} {time.monotonic() - before:.1f} s", flush=True)
                with self.lock:
                    self.done[name] = number + 1
                    self.site.keep(self.state, self.done)
        except Exception as error:  # noqa: BLE001 - raised where both orders have ended
            self.errors.append(error)


def ordered(shares: dict[str, float], kills: int, seed: int) -> list[str]:
    victims = np.repeat(list(shares), [round(share * kills) for share in shares.values()])
    return [str(victim) for victim in np.random.default_rng(seed).permutation(victims)]


def in_queue(site: Site, pause_s: float) -> dict[str, Callable[[], bool]]:
    return {
        "trainer": site.kill_trainer,
        "worker": site.kill_worker,
        "submitter": site.kill_submitter,
        "stopped": site.stop_and_continue,
        "clock": site.set_clock,
        "container": lambda: site.kill_container(2 * pause_s),
    }


def apart(site: Site, browser: Any, spec: Any) -> dict[str, Callable[[], bool]]:
    study = Study(base=spec, arms=(Arm(name="a"), Arm(name="b", changes={"model.dropout": 0.3})), against="a")
    asked = Investigation(preset="quick", data=spec.data, budget_s=20.0)
    shared = change(spec, {"processes": 2})
    return {
        "child": lambda: site.kill_child(shared),
        "app": lambda: kill_app(site, browser),
        "exporter": site.kill_exporter,
        "study": lambda: site.kill_of_kind("study", study),
        "plan": lambda: site.kill_of_kind("plan", change(asked, {"order": "phases"})),
        "investigation": lambda: site.kill_of_kind("investigation", asked),
    }


def counted(site: Site, whole: Any) -> dict[str, Any]:
    """Let all go on that was interrupted, and count what is not as it should be."""
    open_ = site.settle(3600)
    states: dict[str, int] = {}
    for record in site.store.runs():
        states[record.state] = states.get(record.state, 0) + 1
    alike = [r.run_id for r in site.store.runs() if r.state == "done" and r.kind == "finetune" and r.name in SAME]
    wrong = [run_id for run_id in alike if not answers(site.store.open(run_id)).equals(answers(whole))]
    torn, orphans = site.torn() + site.broken, site.orphans(120)
    for text in [*open_, *torn, *orphans, *site.hung, *site.doubled, *wrong]:
        print(text)
    return {
        "kills": sum(site.counts.values()),
        "kills_of": dict(site.counts),
        "runs": len(site.store.runs()),
        "states": states,
        "compared": len(alike),
        "lost": len(site.lost()),
        "orphans": len(orphans),
        "torn": len(torn),
        "wrong_state": len(open_),
        "wrong_answers": len(wrong),
        "overlaps": len(site.doubled),
        "hung": len(site.hung),
    }


class Starting(Server):
    """A server that nobody waits for."""

    def _wait(self) -> None:
        return


def kill_app(site: Site, browser: Any, most_s: float = 2.0) -> bool:
    """Kill the server while it starts, or while a visitor starts a run. The run counts as promised once the page of runs shows it."""
    site.counts["app"] += 1
    if site.rng.random() < 0.5:
        server: Server = Starting(site.folder, MOOLA_DEMO="off")
        time.sleep(site.rng.uniform(0, 2 * most_s))
        end(server)
        return True
    server, page = Server(site.folder, MOOLA_DEMO="off"), browser.new_page()
    try:
        fill_in(Tab(page, server.address), "killed", **{label: str(value) for label, value in TYPED.items()})
        page.get_by_role("button", name="Start the run").click()
        page.wait_for_timeout(1000 * site.rng.uniform(0, most_s))
    finally:
        end(server)
    site.acknowledged += parse_qs(urlsplit(page.url).query).get("run", [])
    page.close()
    return True


def end(server: Server) -> None:
    server.process.kill()
    server.process.wait()
    server.log.close()


def malformed(folder: Path, count: int, seed: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    judge, started = Judge(folder), time.monotonic()
    for kind, what, read in itertools.islice(inputs(Samples(folder), np.random.default_rng(seed)), count):
        judge.look(kind, what, read)
    for text in judge.wrong.values():
        print(text)
    names = ("inputs", "refused", "taken", "tracebacks", "written", "without_fix")
    kinds = {kind: n for kind, n in judge.counts.items() if kind not in names}
    return {name: judge.counts[name] for name in names} | {"inputs_of": kinds, "inputs_s": time.monotonic() - started}


def at_once(folder: Path) -> dict[str, Any]:
    """Twenty processes that submit at the same time, to a store that none of them has made."""
    folder.mkdir(exist_ok=True)
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
    """Seconds to list a store of 5,000 runs: first, when its index is made, and after one of them has changed."""
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
