"""A store whose files are spoilt in every way that a disk, a foreign program or a hostile sender may have done it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.malformed import spoil_bytes, spoil_values

HOWS = ("bytes", "values", "table", "gone", "folder", "pipe", "link", "circle")
SHARES = (0.25, 0.35, 0.15, 0.05, 0.06, 0.05, 0.04, 0.05)


def mutate(root: Path, rng: np.random.Generator, most: int = 3) -> str:
    """Spoil a few files of the store at `root`, drawn at random; says which and how."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.endswith((".lock", ".log")))
    drawn = rng.choice(len(files), size=min(len(files), int(rng.integers(1, most + 1))), replace=False)
    return "; ".join(f"{files[i].relative_to(root)} {_spoil(files[i], rng)}" for i in drawn)


def _spoil(path: Path, rng: np.random.Generator) -> str:
    how = str(rng.choice(HOWS, p=SHARES))
    if how == "values" and path.suffix in (".json", ".jsonl"):
        return _spoil_json(path, rng)
    if how == "table" and path.suffix == ".parquet":
        return _spoil_parquet(path, rng)
    if how in ("bytes", "values", "table"):
        how, content = spoil_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
        return f"bytes: {how}"
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to("/dev/zero")
    elif how == "circle":
        path.symlink_to(path.name)
    return how


def _spoil_json(path: Path, rng: np.random.Generator) -> str:
    lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    if not lines:
        return "empty"
    at = int(rng.integers(len(lines)))
    try:
        spoilt = spoil_values(json.loads(lines[at]), rng)
    except ValueError:
        return "no JSON"
    lines[at] = json.dumps(spoilt, default=str)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"values: {lines[at][:200]}" if len(lines[at]) < 200 else "values"


def _spoil_parquet(path: Path, rng: np.random.Generator) -> str:
    """A sound Parquet file that is another table: a column gone, renamed or of another type, or no rows."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return "no table"
    how = str(rng.choice(["drop", "rename", "texts", "none", "nulls"]))
    name = str(rng.choice(table.column_names)) if table.column_names else ""
    if how == "none":
        table = table.slice(0, 0)
    elif name:
        at = table.column_names.index(name)
        rest = table.drop_columns([name])
        new = {
            "texts": pa.array(["x\x1b[31m"] * len(table)),
            "nulls": pa.nulls(len(table), table.schema.field(at).type),
        }
        table = rest if how == "drop" else table.rename_columns({name: "=other"}) if how == "rename" else table
        table = table.set_column(at, name, new[how]) if how in new else table
    pq.write_table(table, path)
    return f"table: {how} {name}"


def copy_store(root: Path, to: Path) -> Path:
    """The store anew, to be spoilt."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(root, to, symlinks=True)
    return to
