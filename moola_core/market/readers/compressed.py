"""The bytes of files that may be compressed: what the first bytes say, not the name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow as pa

from moola_core.errors import DataError

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZ": "bz2"}
_ENDINGS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd"}
ZIP = b"PK\x03\x04"


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The content, decompressed; the first `most` bytes of it where that is given."""
    with path.open("rb") as file:
        start = file.read(4)
    if start == ZIP:
        with zipfile.ZipFile(path) as archive, archive.open(_member(archive, path)) as member:
            return member.read(most) if most > 0 else member.read()
    compression = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
    with pa.input_stream(str(path), compression=compression) as stream:
        return stream.read(most) if most > 0 else stream.read()


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    """The one file of the archive, or the one CSV: next to it there may be a report of gaps, or a text to read. Raises DataError."""
    names = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
    tables = [name for name in names if name.lower().endswith(".csv")]
    if len(names) == 1 or len(tables) == 1:
        return names[0] if len(names) == 1 else tables[0]
    raise DataError(
        f"an archive of {len(names)} files: {', '.join(names[:5])}.",
        where=str(path),
        hint="Unpack it, and keep one file of bars or labels in each archive.",
    )


def write_bytes(data: bytes, path: Path, inside: str) -> None:
    """Write the content, compressed as the file's name says; in an archive the file is called `inside`."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(inside, data)
        return
    with pa.output_stream(path, compression=_ENDINGS.get(path.suffix.lower())) as stream:
        stream.write(data)
