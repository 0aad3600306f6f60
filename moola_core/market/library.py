"""What lies in the data folder: files recognised by their headers alone, and windows paired with their bars."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from moola_core.errors import MoolaError
from moola_core.market import readers, tables
from moola_core.market.folder import is_preset
from moola_core.market.settings import fingerprint, load_reading
from moola_core.specs import ReadOptions

Kind = Literal["bars", "windows", "labels", "unknown"]


@dataclass(frozen=True)
class DataFile:
    """A file, what it seems to hold, and why it was taken for that. rows: None where only reading it would show."""

    path: Path
    kind: Kind
    rows: int | None
    size_bytes: int
    modified_ns: int
    why: str


@dataclass(frozen=True)
class Dataset:
    """Labelled windows, with their bars where they are known; or bars alone."""

    name: str
    windows: Path | None
    bars: Path | None


def find_files(folder: str | Path) -> list[DataFile]:
    """Every table under `folder`, at any depth, sorted by path. Hidden files, saved settings and presets are passed over; a link that
    leads out of the folder is not followed."""
    folder = Path(folder)
    readable = (path for path in sorted(folder.rglob("*")) if path.is_file() and readers.suffix_of(path))
    shown = (path for path in readable if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    root = folder.resolve()
    paths = [path for path in shown if not (path.name.endswith(".moola.json") or is_preset(path, folder))]
    return [recognise(path) if path.resolve().is_relative_to(root) else _elsewhere(path) for path in paths]


def _elsewhere(path: Path) -> DataFile:
    stat = path.lstat()
    return DataFile(
        path,
        "unknown",
        None,
        stat.st_size,
        stat.st_mtime_ns,
        "a link that leads out of the data folder: copy the file, or set MOOLA_DATA to its folder",
    )


def recognise(path: str | Path, reading: ReadOptions | None = None) -> DataFile:
    """What the file at `path` seems to hold, from its header, under the reading that is given or saved next to it."""
    path = Path(path)
    stat = path.stat()
    try:
        reading = reading or load_reading(path)
        columns, rows = readers.read_header(path, reading)
        kind, why = _kind(columns, reading)
    except MoolaError as error:
        kind, why, rows = "unknown", error.what.rstrip("."), None
    return DataFile(path, kind, rows, stat.st_size, stat.st_mtime_ns, why)


def holds_bars(path: str | Path, reading: ReadOptions) -> bool:
    """Whether the file has a column for each of the four prices."""
    names = tables.rename(pd.DataFrame(columns=readers.read_header(path, reading).columns), reading)
    return set(tables.PRICES) <= set(names.columns)


def columns_of(path: str | Path) -> list[str]:
    """The file's own column names, which may be mapped to ours; none where its format fixes them, or they cannot be read."""
    try:
        return readers.read_header(path).columns if readers.reader_of(path).maps_columns else []
    except MoolaError:
        return []


def datasets(folder: str | Path) -> list[Dataset]:
    """Windows files, each with its bars (`bars_for`), then bars that belong to no windows."""
    folder = Path(folder)
    files = find_files(folder)
    pairs, used = [], set()
    for file in files:
        if file.kind in ("windows", "labels"):
            own = bars_for(file, files)
            used.add(own)
            pairs.append(Dataset(_name(file.path, folder), file.path, own))
    bars = [file for file in files if file.kind == "bars" and file.path not in used]
    return pairs + [Dataset(_name(file.path, folder), None, file.path) for file in bars]


def bars_for(file: DataFile, files: list[DataFile]) -> Path | None:
    """The bars of a file of windows: those remembered for it, else the largest of its folder, else the only ones that lie elsewhere
    without windows of their own."""
    bars = [other for other in files if other.kind == "bars"]
    try:
        remembered = load_reading(file.path).paired_bars
    except MoolaError:  # damaged settings; who reads the file is told
        remembered = None
    if remembered:
        known = [other.path for other in bars if fingerprint(other.path) == remembered]
        if known:
            return known[0]
    near = [other for other in bars if other.path.parent == file.path.parent]
    if near:
        return max(near, key=lambda other: other.size_bytes).path
    taken = {other.path.parent for other in files if other.kind in ("windows", "labels")}
    alone = [other for other in bars if other.path.parent not in taken]
    return alone[0].path if len(alone) == 1 else None


def _name(path: Path, folder: Path) -> str:
    relative = path.relative_to(folder)
    return str(relative.parent) if relative.stem.split(".")[0] == "windows" and relative.parent.name else str(relative)


def _kind(columns: list[str], reading: ReadOptions) -> tuple[Kind, str]:
    names = pd.DataFrame(columns=columns)
    as_labels = set(tables.rename(names, reading, tables.LABEL_NAMES).columns)
    as_bars = set(tables.rename(tables.of_one_level(names), reading).columns)
    if {"label", "features"} <= as_labels:
        return "windows", "has labels and the windows' prices"
    if set(tables.PRICES) <= as_bars:
        return "bars", "has open, high, low and close"
    if "label" in as_labels and as_labels & {"start_time", "end_time", "time", "start_bar", "end_bar", "start_s"}:
        return "labels", "has labels and times; needs bars to cut windows from"
    return "unknown", f"its columns are {', '.join(map(str, columns[:8])) or 'none'}"
