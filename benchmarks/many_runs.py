"""How fast the app opens a store of 5,000 runs, and a run of a million events.

python benchmarks/many_runs.py [RUNS [EVENTS]]

Streamlit's own test runner draws the pages, so that the browser's part is not in the figures. Each page is drawn once to fill the
caches, and then three times; the median counts. Prints a table and writes benchmarks/results/many-runs.json.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from moola_core.market.demo import make_demo, write_demo
from moola_core.presets import preset
from moola_core.runs import codec, event_lines
from moola_core.runs.facts import Facts
from moola_core.runs.queue import Queue
from moola_core.runs.record import Record, stored
from moola_core.runs.store import Run, Store
from moola_core.specs import change

PROJECT = Path(__file__).resolve().parents[1]
OUT = PROJECT / "benchmarks" / "results" / "many-runs.json"
RUNS, EVENTS = 5_000, 1_000_000
LIMITS_S = {"5,000 runs": 1.0, "a run of a million events": 2.0}
FITS, FOLDS = 50, 5
ARMS = 9


def main(arguments: list[str]) -> None:
    runs, events = (int(arguments[i]) if len(arguments) > i else (RUNS, EVENTS)[i] for i in range(2))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_demo(folder / "data" / "demo", make_demo("helpful", bars=20_000, windows=60, seed=3))
        windows = folder / "data" / "demo" / "windows.parquet"
        rows: dict[str, list[float]] = {}
        make_runs(folder / "many", windows, runs)
        rows[f"{runs:,} runs: Runs page"] = _drawn(folder, "many", "runs")
        rows[f"{runs:,} runs: Overview"] = _drawn(folder, "many", "overview")
        run = _make_long_run(folder / "long", windows, events)
        rows[f"{events:,} events: Runs page"] = _drawn(folder, "long", "runs", run.id)
        rows[f"{events:,} events: Performance"] = _drawn(folder, "long", "results", run.id)
    for row, seconds in rows.items():
        print(f"{row:<36} first {seconds[0]:6.2f} s   then {statistics.median(seconds[1:]):6.2f} s")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"limits": LIMITS_S, "seconds": rows}, indent=1) + "\n", encoding="utf-8")


def _drawn(folder: Path, store: str, page: str, run_id: str = "") -> list[float]:
    """Seconds of four drawings of the page, each in a session of its own."""
    os.environ |= {"MOOLA_DATA": str(folder / "data"), "MOOLA_STORE": str(folder / store), "MOOLA_DEMO": "off"}
    PagesManager.uses_pages_directory = False
    seconds = []
    for _ in range(4):
        at = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=300)
        if run_id:
            at.query_params["run"] = run_id
        if page != "overview":
            at.switch_page(f"pages/{page}.py")
        began = time.perf_counter()
        at.run()
        seconds.append(time.perf_counter() - began)
        if at.exception:
            sys.exit(f"{page}: {at.exception[0].message}")
    return seconds


def make_runs(root: Path, windows: Path, count: int) -> None:
    """Runs of their own, and studies of nine arms each, all of the same windows."""
    spec = change(preset("quick").finetune(), {"data.windows": str(windows)}).model_dump_json()
    study = ""
    Queue(root).entries()  # every store in which something ran has the file
    for i in range(count):
        moment = time.gmtime(1_760_000_000 + 60 * i)
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', moment)}-{i % 1000:03d}-{secrets.token_hex(2)}"
        whole = i % (2 * (ARMS + 1)) == 0
        study = run_id if whole else study if i % (2 * (ARMS + 1)) <= ARMS else ""
        record = Record(
            run_id,
            "finetune",
            parent=None if whole or not study else study,
            name=f"Run {i}" if i % 3 else "",
            note="compared with the one before" if i % 7 == 0 else "",
            tags=("july",) if i % 5 == 0 else (),
            preset="quick",
            model="network",
            state="failed" if i % 11 == 0 else "done",
            created=time.strftime("%Y-%m-%dT%H:%M:%S.000+00:00", moment),
            seconds=60.0 + i % 30,
            progress={"done": FITS, "total": FITS},
            data_hashes={"windows": "0" * 16},
            data={"windows": str(windows)},
            facts=Facts(f1_macro=0.4 + (i % 300) / 1000),
            error="The loss is not a number." if i % 11 == 0 else "",
        )
        folder = root / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(codec.dumps(stored(record)), encoding="utf-8")
        (folder / "spec.json").write_text(spec, encoding="utf-8")


def _make_long_run(root: Path, windows: Path, events: int) -> Run:
    """A finished run whose fits have so many epochs that the events are a million lines."""
    run = Store(root).create(change(preset("quick").finetune(), {"data.windows": str(windows)}), name="long")
    per_fit = events // FITS // 2
    with (run.folder / "events.jsonl").open("w", encoding="utf-8") as file:
        for fit in range(FITS):
            for epoch in range(1, per_fit + 1):
                at = {
                    "time": "2026-01-01T00:00:00.000+00:00",
                    "repeat": fit // FOLDS,
                    "fold": fit % FOLDS,
                    "epoch": epoch,
                }
                loss = 0.6 + 0.1 / epoch
                values = {
                    "loss": 1.0,
                    "loss_class": loss,
                    "loss_pointer": loss,
                    "sigma_class": 0.9,
                    "sigma_pointer": 1.1,
                }
                file.write(
                    event_lines.written({**at, "type": "epoch", "split": "train", "values": values | {"lr": 1e-3}})
                )
                file.write(event_lines.written({**at, "type": "epoch", "split": "validation", "values": values}))
    run.update(state="done", progress={"done": FITS, "total": FITS}, ended=run.record.created, seconds=9000.0)
    return run


if __name__ == "__main__":
    main(sys.argv[1:])
