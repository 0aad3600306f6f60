"""Files that are whole or absent: write beside, flush to disk, rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moola_core.errors import StoreError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft path beside `path`; what was written to it replaces `path` at the end, or nothing does."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        flush(draft)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreError(
            f"cannot be written: {error.strerror or error}.", where=str(path), mend="Check the disk's space and rights."
        ) from None


def flush(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Replace the file's text atomically."""
    with replacing(path) as draft:
        draft.write_text(text)
