"""How a file is to be read: asked once, saved next to it as `<name>.moola.json`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from moola_core.errors import DataError, StoreError
from moola_core.specs import ReadOptions, build

EDGE_BYTES = 1 << 16


def sidecar_path(path: str | Path) -> Path:
    """Where the reading of the file at `path` is saved."""
    path = Path(path)
    return path.with_name(f"{path.name}.moola.json")


def fingerprint(path: str | Path) -> str:
    """A short hash of a file's size, start and end, by which it is known again under another name."""
    path = Path(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.sha256(f"{size}".encode() + file.read(EDGE_BYTES))
        file.seek(max(0, size - EDGE_BYTES))
        digest.update(file.read(EDGE_BYTES))
    return digest.hexdigest()[:16]


def load_reading(path: str | Path) -> ReadOptions:
    """The reading saved next to the file, or the defaults."""
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        return ReadOptions()
    try:
        values = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"the saved settings cannot be read: {error}.", where=str(sidecar), hint="Delete the file."
        ) from None
    return build(ReadOptions, values, str(sidecar))


def save_reading(path: str | Path, reading: ReadOptions) -> Path:
    """Save the reading next to the file and return where."""
    sidecar = sidecar_path(path)
    try:
        sidecar.write_text(reading.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the settings cannot be saved: {error.strerror}.", where=str(sidecar), hint="Make the folder writable."
        ) from None
    return sidecar
