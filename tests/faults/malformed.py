"""Files and specs that are wrong in many ways, and whether each is answered with a sentence, leaving everything as it was."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from moola_core import specs
from moola_core.errors import MoolaError, SpecError
from moola_core.market.bars import load_bars
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.library import recognise
from moola_core.market.settings import load_reading
from moola_core.market.windows import load_windows
from moola_core.models.checkpoint import load_pretrained
from moola_core.presets import PRESETS, preset
from moola_core.runs.pack import pack
from moola_core.runs.store import Store
from moola_core.runs.unpack import unpack
from tests.faults.malformed_files import Files

MORE = ("table", "predictions", "weights", "figures", "preset", "decision", "stored")
JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "none",
    "1,5",
    "ä\u0000",
    "'; DROP TABLE",
    "../../etc",
    [],
    {},
    [[]],
    {"a": {}},
    "2026-13-45",
    "\U0001f600" * 50,
    b"\xff",
)
KINDS = ("bars", "windows", "reading", "spec", "checkpoint", "record", "pack", *MORE)


class Judge:
    """Counts what becomes of the inputs; `wrong` keeps the first of each kind of failure."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.wrong: dict[str, str] = {}

    def look(self, kind: str, what: str, read: Callable[[], Any]) -> None:
        """Read one input: it is taken, or refused in a sentence that says how to fix it; nothing is written either way."""
        before = state(self.folder)
        self.counts["inputs"] += 1
        self.counts[kind] += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read()
            self.counts["taken"] += 1
        except MoolaError as error:
            self.counts["refused"] += 1
            if not error.hint and not isinstance(error, SpecError):  # a setting's own sentence names what it may be
                self._note("without_fix", f"{kind}, {what}: {error}")
            if "\n  File " in str(error):
                self._note("tracebacks", f"{kind}, {what}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever comes is what is counted
            self._note("tracebacks", f"{kind}, {what}: {type(error).__name__}: {error}")
        if state(self.folder) != before:
            self._note("written", f"{kind}, {what}")

    def _note(self, count: str, text: str) -> None:
        self.counts[count] += 1
        self.wrong.setdefault(f"{count} {text[:40]}", text[:300])


def state(folder: Path) -> list[tuple[str, int, int]]:
    """Every file but the index of the records, which may be made anew whenever they are read."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("index.sqlite"))
    return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)


class Samples:
    """Sound files, small enough to be read thousands of times, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        import torch
        from safetensors.numpy import save_file

        self.folder = folder
        made = make_demo("helpful", bars=3000, windows=20, seed=5)
        paths = write_demo(folder / "demo", made)
        self.bars = pd.read_parquet(paths["bars"]).reset_index().head(240)
        self.windows = pd.read_parquet(paths["windows"]).head(24)
        self.windows["features"] = [
            np.stack(one).tolist() for one in self.windows["features"]
        ]  # quicker to be written as text
        weights = {
            f"encoder.lstm.{k}": v.numpy() for k, v in torch.nn.LSTM(12, 4, 1, bidirectional=True).state_dict().items()
        }
        save_file(weights, folder / "ours.safetensors", {"description": "{}"})
        (folder / "ours.json").write_text('{"features": null}')
        theirs = {"model_state_dict": {k.replace("lstm.", ""): torch.tensor(v) for k, v in weights.items()}}
        torch.save(theirs, folder / "theirs.pt")
        store = Store(folder / "store")
        run = store.create(preset("quick").finetune())
        run.update(state="done")
        pack(store, [run.id], folder / "runs.zip")
        self.record = (run.folder / "run.json").read_bytes()
        self.files = Files(folder, spoil_bytes, spoil_values)


def spoil_bytes(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """The content with bytes changed, cut, doubled or put in."""
    how = rng.choice(
        ["flip", "cut", "insert", "double", "zeros", "head", "empty"], p=[0.4, 0.2, 0.15, 0.08, 0.08, 0.07, 0.02]
    )
    data = bytearray(content)
    at = int(rng.integers(0, max(len(data), 1)))
    if how == "flip":
        for i in rng.integers(0, len(data), int(rng.integers(1, 20))):
            data[i] = int(rng.integers(0, 256))
    elif how == "cut":
        del data[at:]
    elif how == "insert":
        data[at:at] = rng.bytes(int(rng.integers(1, 60)))
    elif how == "double":
        data[at:at] = data[: int(rng.integers(1, 200))]
    elif how == "zeros":
        data[at : at + 40] = bytes(40)
    elif how == "head":
        data[: int(rng.integers(1, 64))] = rng.bytes(8)
    else:
        data.clear()
    return str(how), bytes(data)


def spoil_table(table: pd.DataFrame, rng: np.random.Generator) -> tuple[str, pd.DataFrame]:
    """The table with cells, columns or rows that do not belong there."""
    spoilt = table.copy()
    how = str(rng.choice(["cells", "column", "drop", "rename", "rows", "none", "types", "twice"]))
    column = spoilt.columns[int(rng.integers(len(spoilt.columns)))]
    if how == "cells":
        spoilt[column] = spoilt[column].astype(object)
        for row in rng.integers(0, len(spoilt), int(rng.integers(1, 4))):
            spoilt.at[int(row), column] = _junk(rng)
    elif how == "column":
        value = _junk(rng)
        spoilt[column] = pd.Series([value] * len(spoilt), dtype=object)
    elif how == "drop":
        spoilt = spoilt.drop(columns=column)
    elif how == "rename":
        spoilt = spoilt.rename(columns={column: str(_junk(rng))})
    elif how == "rows":
        spoilt = spoilt.sample(
            frac=float(rng.choice([0.0, 0.5, 1.0, 1.5])), replace=True, random_state=int(rng.integers(1e9))
        )
    elif how == "none":
        spoilt[column] = None
    elif how == "types":
        spoilt[column] = spoilt[column].astype(str)
    else:
        spoilt = pd.concat([spoilt, spoilt[[column]]], axis=1)
    return f"{how} {column}", spoilt.reset_index(drop=True)


def spoil_values(values: Any, rng: np.random.Generator) -> Any:
    """Plain values with one of them, at any depth, replaced, removed or added to."""
    if isinstance(values, dict) and values and rng.random() < 0.85:
        key = list(values)[int(rng.integers(len(values)))]  # numpy would take a NUL off its end
        how = rng.random()
        if how < 0.6:
            return {**values, key: spoil_values(values[key], rng)}
        if how < 0.75:
            return {k: v for k, v in values.items() if k != key}
        return {**values, str(_junk(rng)): _junk(rng)}
    if isinstance(values, list) and values and rng.random() < 0.7:
        return [spoil_values(values[0], rng), *values[1:]]
    return _junk(rng)


def _junk(rng: np.random.Generator) -> Any:
    value = JUNK[int(rng.integers(len(JUNK)))]
    return value.decode("latin-1") if isinstance(value, bytes) else value


def inputs(samples: Samples, rng: np.random.Generator) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Kind, what was done, and the reading of it; without end, the kinds in turn."""
    makers: dict[str, Callable[[Samples, np.random.Generator], tuple[str, Callable[[], Any]]]] = {
        "bars": _bars,
        "windows": _windows,
        "reading": _reading,
        "spec": _spec,
        "checkpoint": _checkpoint,
        "record": _record,
        "pack": _pack,
    } | {name: partial(_of_files, name) for name in MORE}
    while True:
        for kind, make in makers.items():
            what, read = make(samples, rng)
            yield kind, what, read


def _save(table: pd.DataFrame, path: Path) -> bool:
    """Write it if that kind of file can hold it at all."""
    try:
        if path.suffix == ".csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path)
    except (ValueError, TypeError, OverflowError, UnicodeEncodeError, KeyError):
        return False
    except Exception as error:
        if type(error).__module__.startswith("pyarrow"):
            return False
        raise
    return True


def _spoilt_file(samples: Samples, name: str, table: pd.DataFrame, rng: np.random.Generator) -> tuple[str, Path]:
    while True:
        path = samples.folder / f"{name}{rng.choice(['.csv', '.parquet'])}"
        what, spoilt = ("", table) if rng.random() < 0.4 else spoil_table(table, rng)
        if not _save(spoilt, path):
            continue
        if not what:
            what, content = spoil_bytes(path.read_bytes(), rng)
            path.write_bytes(content)
        return f"{path.suffix} {what}", path


def _bars(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    what, path = _spoilt_file(samples, "bars", samples.bars, rng)
    return what, lambda: (recognise(path), load_bars(path))


def _windows(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    what, path = _spoilt_file(samples, "windows", samples.windows, rng)
    return what, lambda: (recognise(path), load_windows(path))


def _reading(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    path = samples.folder / "demo" / "bars.parquet"
    beside = samples.folder / "demo" / "bars.parquet.moola.json"
    beside.write_text(_text(spoil_values(specs.ReadOptions().model_dump(mode="json"), rng)))
    return "values", lambda: (load_reading(path), load_bars(path))


def _spec(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    start = preset(str(rng.choice(list(PRESETS))))
    spec = start.finetune() if rng.random() < 0.6 else start.pretrain()
    values = spec.model_dump(mode="json")
    for _ in range(int(rng.integers(1, 4))):
        values = spoil_values(values, rng)
    text = _text(values)
    if rng.random() < 0.2:
        text = spoil_bytes(text.encode(), rng)[1].decode("utf-8", "replace")
    return text[:120], lambda: specs.parse(text)


def _checkpoint(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    source = samples.folder / str(rng.choice(["ours.safetensors", "theirs.pt", "ours.json"]))
    what, content = spoil_bytes(source.read_bytes(), rng)
    path = samples.folder / "spoilt" / source.name
    path.parent.mkdir(exist_ok=True)
    (path.parent / "ours.safetensors").write_bytes((samples.folder / "ours.safetensors").read_bytes())
    path.write_bytes(content)
    read = path if path.suffix != ".json" else path.with_suffix(".safetensors")
    return f"{source.name} {what}", lambda: load_pretrained(read).check_features(("a",) * 12)


def _record(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    store = Store(samples.folder / "store")
    path = next(store.runs_folder.iterdir()) / "run.json"
    if rng.random() < 0.5:
        what, content = spoil_bytes(samples.record, rng)
    else:
        what, content = "values", _text(spoil_values(json.loads(samples.record), rng)).encode()
    path.write_bytes(content)
    store.runs(
        include_archived=True
    )  # brings the index up to date, and finds what is lost: from here on nothing is written
    return what, lambda: (store.runs(include_archived=True), store.open(path.parent.name).record)


def _pack(samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    what, content = spoil_bytes((samples.folder / "runs.zip").read_bytes(), rng)
    path = samples.folder / "spoilt.zip"
    path.write_bytes(content)
    # The run is in the store already: a pack that opens all the same adds nothing.
    return what, lambda: unpack(path, Store(samples.folder / "store"), samples.folder / "data")


def _of_files(name: str, samples: Samples, rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    reading: tuple[str, Callable[[], Any]] = getattr(samples.files, name)(rng)
    return reading


def _text(values: Any) -> str:
    return json.dumps(values, default=str)
