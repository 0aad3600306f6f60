"""The readers beside those of bars, windows and specs in `malformed.py`: predictions, weights, tasks, figures, presets, what a store holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core import presets, specs
from moola_core.diagnostics.doctor import reported
from moola_core.launch.worker.imported.columns import table_of
from moola_core.launch.worker.imported.understood import understand
from moola_core.launch.worker.labelled import load_labelled
from moola_core.market import readers
from moola_core.market.demo import make_demo
from moola_core.market.readers.reader import READERS
from moola_core.market.windows import load_windows
from moola_core.runs import decisions
from moola_core.runs.queue import Queue
from moola_core.runs.store import Store
from moola_core.specs import Finetune
from moola_core.weight_files import description
from tests.launch import generated_predictions
from tests.weight_files import generated

Reading = tuple[str, Callable[[], Any]]
Spoil = Callable[[bytes, np.random.Generator], tuple[str, bytes]]
FIGURES = {
    "accuracy": 0.53,
    "f1": [0.6, 0.4],
    "ece": 0.1,
    "class_counts": {"a": 93, "b": 81},
    "encoder": {"inputs": 12, "layers": 2, "hidden": 64},
}
ENDINGS = {
    "csv": (".csv", ".tsv", ".csv.gz", ".csv.zst", ".csv.zip"),
    "json": (".json", ".jsonl", ".json.zst"),
    "feather": (".feather",),
    "parquet": (".parquet",),
    "excel": (".xlsx",),
    "dbn": (".dbn", ".dbn.zst"),
}


class Files:
    """Sound files of every other kind, each as bytes, and what reads them."""

    def __init__(self, folder: Path, spoil: Spoil, spoil_values: Callable[[Any, np.random.Generator], Any]) -> None:
        self.folder, self.spoil, self.spoil_values = folder / "more", spoil, spoil_values
        self.folder.mkdir()
        self.made = make_demo("helpful", bars=3000, windows=20, seed=6)
        self.windows = folder / "demo" / "windows.parquet"
        data = specs.Data(windows=str(self.windows))
        self.material = load_labelled(data, Finetune(data=data).features)
        self.loaded = load_windows(self.windows)
        self.tables = self._tables(folder)
        self.store = Store(self.folder / "store")
        self.run = self.store.create(presets.preset("quick").finetune(), queue={"priority": 1, "needs": "auto"})
        self.run.append_events(
            [{"type": "epoch", "repeat": 0, "fold": 0, "epoch": i, "values": {"loss": 1.0}} for i in range(3)]
        )
        self.run.write_result("evaluation", {"metrics": {"f1_macro": {"mean": 0.5, "std": 0.1}}})
        self.run.write_table("predictions", {"repeat": [0, 0], "window_id": ["a", "b"], "p_x": [0.5, 0.4]})
        Queue(self.store.root).add(self.run.record)
        decided = decisions.add(
            self.store, decisions.Decision("no network is needed", "a baseline is as good", data={"windows": "0" * 16})
        )
        self.decision_file = next(self.store.root.rglob(f"{decided.id}.json"))

    def _tables(self, folder: Path) -> list[tuple[str, bytes]]:
        bars = pd.read_parquet(folder / "demo" / "bars.parquet").reset_index().head(120)
        windows = pd.read_parquet(self.windows).head(16)
        windows["features"] = [np.stack(one).tolist() for one in windows["features"]]
        made = []
        for name, endings in ENDINGS.items():
            for ending in endings:
                for table in (bars, windows) if READERS[name].holds_lists else (bars,):
                    path = self.folder / f"table{ending}"
                    READERS[name]().write(table, path)
                    made.append((ending, path.read_bytes()))
                    path.unlink()
        tasks = self.folder / "tasks.json"
        READERS["label_studio"]().write(windows, tasks)
        made += [(".json", tasks.read_bytes())] * 3
        tasks.unlink()
        return made

    def table(self, rng: np.random.Generator) -> Reading:
        ending, content = self.tables[int(rng.integers(len(self.tables)))]
        what, path = self._write(f"table{ending}", content, rng)
        reading = specs.ReadOptions()
        return f"{ending} {what}", lambda: (readers.read_layout(path, reading), readers.read_table(path, reading))

    def predictions(self, rng: np.random.Generator) -> Reading:
        for path in self.folder.glob("theirs*"):
            path.unlink()
        made = generated_predictions.random_file(rng, self.loaded, self.folder)
        what, path = self._write(made.path.name, made.path.read_bytes(), rng)
        answers = generated_predictions.answers_of(made)
        return f"{path.suffix} {what}", lambda: _predictions(path, answers, self.material)

    def weights(self, rng: np.random.Generator) -> Reading:
        source, _ = generated.random_file(rng, self.folder)
        content = source.read_bytes()
        source.unlink()
        what, path = self._write(f"weights{source.suffix}", content, rng)
        return f"{source.suffix} {what}", lambda: description.weights(description.describe(path))

    def figures(self, rng: np.random.Generator) -> Reading:
        what, path = self._write("figures.json", json.dumps(FIGURES).encode(), rng, FIGURES)
        return what, lambda: reported.reported_case(reported.load(path))

    def preset(self, rng: np.random.Generator) -> Reading:
        values = {"sentence": "mine", "finetune": {"training.epochs": 3}}
        what, path = self._write("own.json", json.dumps(values).encode(), rng, values)
        return what, lambda: presets.own_preset(path, presets._values(path, path.stat().st_size))

    def decision(self, rng: np.random.Generator) -> Reading:
        """One file among the decisions of a store: it is listed with the reason, and so are the others."""
        values = json.loads(self.decision_file.read_text(encoding="utf-8"))
        whole = self.decision_file.read_bytes()
        what, path = self._write("decision.json", whole, rng, values)
        content = path.read_bytes()
        path.unlink()
        return what, lambda: self._read_spoilt(self.decision_file, content, lambda: decisions.listed(self.store))

    def stored(self, rng: np.random.Generator) -> Reading:
        """A file of a run, the index or the queue: the run is read all the same, or says why not."""
        names = ["events.jsonl", "results/evaluation.json", "predictions.parquet", "spec.json"]
        path = self.run.folder / names[int(rng.integers(len(names)))]
        whole = path.read_bytes()
        what, content = self.spoil(whole, rng)

        return f"{path.name} {what}", lambda: self._read_spoilt(path, content, self._read_all)

    def _read_spoilt(self, path: Path, content: bytes, read: Callable[[], Any]) -> None:
        whole, status = path.read_bytes(), path.stat()
        path.write_bytes(content)
        try:
            read()
        finally:
            path.write_bytes(whole)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _read_all(self) -> None:
        assert len(self.store.runs()) == 1  # listed whatever its files hold
        self.run.events()
        _ = self.run.spec, self.run.result("evaluation"), self.run.predictions

    def _write(self, name: str, content: bytes, rng: np.random.Generator, values: Any = None) -> tuple[str, Path]:
        path = self.folder / name
        if values is not None and rng.random() < 0.6:
            path.write_text(json.dumps(self.spoil_values(values, rng), default=str), encoding="utf-8")
            return "values", path
        what, spoilt = self.spoil(content, rng)
        path.write_bytes(spoilt)
        return what, path


def _predictions(path: Path, answers: Any, material: Any) -> Any:
    table, where = table_of(path)
    return understand(table, material, answers, where)
