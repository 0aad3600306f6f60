"""How fast the app opens a store of 5,000 runs, a run of a million events, 50,000 windows, and predictions over 60,000 bars.

python benchmarks/many_runs.py [RUNS [EVENTS [WINDOWS]]]

Streamlit's own test runner draws the pages, so that the browser's part is not in the figures. Each page is drawn once to fill the
caches, and then three times; the median counts, in seconds of the clock and of the processor, which other work on the host disturbs less. Prints a table and writes benchmarks/results/many-runs.json.
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
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from moola_core.diagnostics.results import Expansion, Predicted
from moola_core.market.demo import make_demo, write_demo
from moola_core.presets import preset
from moola_core.runs import codec, event_lines
from moola_core.runs.facts import Facts
from moola_core.runs.queue import Queue
from moola_core.runs.record import Record, stored
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Finetune, Predict, change

PROJECT = Path(__file__).resolve().parents[1]
OUT = PROJECT / "benchmarks" / "results" / "many-runs.json"
RUNS, EVENTS, WINDOWS = 5_000, 1_000_000, 50_000
PREDICTED_BARS, STRIDE_BARS, WINDOW_BARS = 60_000, 20, 105
LIMITS_S = {"5,000 runs": 1.0, "a run of a million events": 2.0}
FITS, FOLDS = 50, 5
ARMS = 9
CLASSES = ("consolidation", "retracement")
POINTERS = ("start_true", "end_true", "start_pred", "end_pred")


def main(arguments: list[str]) -> None:
    counts = [int(arguments[i]) if len(arguments) > i else (RUNS, EVENTS, WINDOWS)[i] for i in range(3)]
    runs, events, many = counts
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_demo(folder / "data" / "demo", make_demo("helpful", bars=20_000, windows=60, seed=3))
        windows = folder / "data" / "demo" / "windows.parquet"
        rows: dict[str, list[Seconds]] = {}
        make_runs(folder / "many", windows, runs)
        rows[f"{runs:,} runs: Runs page"] = _drawn(folder, "many", "runs")
        rows[f"{runs:,} runs: Overview"] = _drawn(folder, "many", "overview")
        run = _make_long_run(folder / "long", windows, events)
        rows[f"{events:,} events: Runs page"] = _drawn(folder, "long", "runs", run.id)
        rows[f"{events:,} events: Performance"] = _drawn(folder, "long", "results", run.id)
        run = _make_predicted(folder / "predicted", windows)
        rows[f"{PREDICTED_BARS:,} bars: Predict"] = _drawn(folder, "predicted", "predict", run.id)
        run = _make_run_of(folder / "windows", _make_windows(folder / "data" / "many", many))
        rows[f"{many:,} windows: Windows"] = _drawn(folder, "windows", "windows", run.id)
    for row, drawn in rows.items():
        then, cpu = (statistics.median(one[i] for one in drawn[1:]) for i in range(2))
        first = f"first {drawn[0].clock:6.2f} s, of the processor {drawn[0].processor:6.2f} s"
        print(f"{row:<32} {first}; then {then:6.2f} s and {cpu:6.2f} s")
    OUT.parent.mkdir(exist_ok=True)
    kept = {row: [one._asdict() for one in drawn] for row, drawn in rows.items()}
    OUT.write_text(json.dumps({"limits": LIMITS_S, "seconds": kept}, indent=1) + "\n", encoding="utf-8")


class Seconds(NamedTuple):
    """What one drawing took."""

    clock: float
    processor: float


def _drawn(folder: Path, store: str, page: str, run_id: str = "") -> list[Seconds]:
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
        began, before = time.perf_counter(), time.process_time()
        at.run()
        seconds.append(Seconds(time.perf_counter() - began, time.process_time() - before))
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


def _make_windows(folder: Path, count: int) -> Path:
    """A file of labelled windows whose prices are random walks."""
    random = np.random.default_rng(0)
    ends = np.cumsum(random.normal(0, 2, (count, WINDOW_BARS)), axis=1) + 15_000
    starts = np.concatenate([ends[:, :1], ends[:, :-1]], axis=1)
    reach = random.exponential(1, (count, WINDOW_BARS))
    prices = np.stack([starts, np.maximum(starts, ends) + reach, np.minimum(starts, ends) - reach, ends], axis=-1)
    flat = pa.array(prices.round(2).reshape(-1))
    bars = pa.FixedSizeListArray.from_arrays(flat, 4).cast(pa.list_(pa.float64()))
    offsets = pa.array(np.arange(0, count * WINDOW_BARS + 1, WINDOW_BARS, dtype=np.int32))
    first = random.integers(20, 60, count)
    columns = {
        "window_id": [f"w{i:06d}" for i in range(count)],
        "label": np.array(CLASSES)[random.integers(0, 2, count)],
        "expansion_start": first,
        "expansion_end": first + 20,
        "features": pa.ListArray.from_arrays(offsets, bars),
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "windows.parquet")
    return folder / "windows.parquet"


def _make_run_of(root: Path, windows: Path) -> Run:
    """A finished run of two repeats that predicts each window."""
    random, run = np.random.default_rng(1), Store(root).create(_quick(windows), name="many")
    names = pq.read_table(windows, columns=["window_id", "label"]).to_pydict()
    n = len(names["window_id"])
    p = random.uniform(0, 1, 2 * n)
    table = {
        "repeat": np.repeat([0, 1], n),
        "fold": np.tile(np.arange(n) % FOLDS, 2),
        "window_id": np.array(names["window_id"] * 2),
        "label": np.array(names["label"] * 2),
        "predicted": np.where(p > 0.5, CLASSES[0], CLASSES[1]),
        f"p_{CLASSES[0]}": p,
        f"p_{CLASSES[1]}": 1 - p,
        **{name: np.full(2 * n, value) for name, value in zip(POINTERS, (40.0, 60.0, 42.0, 61.0), strict=True)},
    }
    run.write_table("predictions", table)
    run.update(state="done", ended=run.record.created, seconds=9.0)
    return run


def _make_predicted(root: Path, windows: Path) -> Run:
    """A finished run and what it predicted over bars, with an expansion every 100 bars."""
    run = Store(root).create(_quick(windows), name="predicts")
    run.update(state="done", ended=run.record.created, seconds=9.0)
    bars = windows.parent.parent / "bars" / "bars.parquet"
    write_demo(bars.parent, make_demo("helpful", bars=PREDICTED_BARS, windows=60, seed=4))
    child = Store(root).create(Predict(run=run.id, data=Data(bars=str(bars)), stride=STRIDE_BARS), parent=run.id)
    first = np.arange(0, PREDICTED_BARS - WINDOW_BARS, STRIDE_BARS)
    n = len(first)
    answer = np.array(CLASSES)[np.arange(n) % 2]
    table = {
        "first_bar": first,
        "start_time": np.datetime64("2020-09-06T21:00", "ns") + first * np.timedelta64(1, "m"),
        **{f"p_{name}": np.where(answer == name, 0.8, 0.2) for name in CLASSES},
        "predicted": answer,
        "agreement": np.full(n, 0.8),
        "start_pred": np.full(n, 40.0),
        "end_pred": np.full(n, 60.0),
        "out_of_distribution": np.zeros(n, bool),
    }
    child.write_table("predicted", table)
    found = tuple(
        Expansion(at, at + 20, "2020-09-07T10:00:00", "2020-09-07T10:20:00", CLASSES[at // 100 % 2], 0.8, 0.7)
        for at in range(100, PREDICTED_BARS - 100, 100)
    )
    counts = dict.fromkeys(CLASSES, n // 2)
    child.write_result(
        "predicted", Predicted(CLASSES, n, 10, WINDOW_BARS, counts, 0.8, 0, 5, True, STRIDE_BARS, 1.0, found)
    )
    child.update(state="done")
    return run


def _quick(windows: Path) -> Finetune:
    return change(preset("quick").finetune(), {"data.windows": str(windows)})


if __name__ == "__main__":
    main(sys.argv[1:])
