"""What was read of large files of bars, kept on disk: the second time a file is opened its arrays are taken from there.

A file is known by its content and by how it is read. Nothing here is needed: a cache that cannot be read or written is passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather

from moola_core.specs import ReadOptions

LEAST_BYTES = 4 << 20  # smaller files are read as quickly
MOST_BYTES = 2 << 30  # of all that is kept; what was not used for longest goes first
FACTS = b"moola"
Kept = tuple[dict[str, np.ndarray], dict[str, Any]]


def folder() -> Path:
    """Where it lies: MOOLA_CACHE, else `moola` in the user's cache folder."""
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("MOOLA_CACHE") or Path(users) / "moola")


def key(path: str | Path, reading: ReadOptions) -> str:
    """What the content of a file is known by, under a reading and by the code that reads; empty for a file that is not worth keeping."""
    path = Path(path)
    if not path.is_file() or path.stat().st_size < LEAST_BYTES:
        return ""
    code = max(file.stat().st_mtime_ns for file in Path(__file__).parent.rglob("*.py"))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(f"{path.name}\n{reading.model_dump_json()}\n{code}".encode())
    return digest.hexdigest()


def get(known_by: str) -> Kept | None:
    """The arrays and facts that were kept under a key; None where there are none."""
    path = folder() / f"{known_by}.arrow"
    if not known_by or not path.is_file():
        return None
    try:
        table = pyarrow.feather.read_table(path, memory_map=True)
        facts = json.loads(table.schema.metadata[FACTS])
        os.utime(path)  # used now
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None
    return {name: _array(table[name]) for name in table.column_names}, facts


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        whole = column.combine_chunks()
        return np.array(whole.dictionary.to_pylist(), object)[whole.indices.to_numpy()]
    return np.array(column.to_numpy())  # a copy: what is mapped into memory cannot be written to


def put(known_by: str, columns: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Keep arrays [n] and facts under a key. Texts are kept once each. Does nothing where it cannot write."""
    if not known_by:
        return
    path = folder() / f"{known_by}.arrow"
    temporary = path.with_suffix(f".{os.getpid()}.part")
    arrays = {
        name: pa.array(values).dictionary_encode() if values.dtype == object else pa.array(values)
        for name, values in columns.items()
    }
    table = pa.table(arrays).replace_schema_metadata({FACTS: json.dumps(facts)})
    with suppress(OSError, pa.ArrowException):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            pyarrow.feather.write_feather(table, temporary, compression="uncompressed")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _shrink(path.parent)


def _shrink(place: Path) -> None:
    """Remove what was not used for longest, until the rest is small enough."""
    files = sorted(place.glob("*.arrow"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
