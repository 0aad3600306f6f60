"""Files that are whole or absent: write beside, flush to disk, rename."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        with suppress(OSError):  # where the folder cannot be made, neither can the draft be taken away
            draft.unlink(missing_ok=True)
        raise StoreError(
            f"cannot be written: {error.strerror or error}.", where=str(path), mend="Check the disk's space and rights."
        ) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time inside, of all processes and threads that ask for the same folder. It ends with its holder's process.

    Do not nest: the second would wait for the first. Raises StoreError when the folder is not there.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreError(
            f"cannot be opened: {error.strerror}.", where=str(folder), mend="Check that it is there, and its rights."
        ) from None
    try:
        with suppress(OSError):  # a file system without locks: there the rename alone keeps the file whole
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def flush(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Replace the file's text atomically."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
