"""Files that are whole or absent: write a draft, flush to disk, rename."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from moola_core.errors import StoreError

LOCK_S, MOST_LOCK_S, LOOK_S = 20.0, 600.0, 0.01
SCRATCH = "moola-scratch-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft path next to `path`; what was written to it replaces `path` at the end, or nothing does."""
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
            f"cannot be written: {error.strerror or error}.", where=str(path), hint="Check the disk's space and rights."
        ) from None


def make_folder(folder: Path) -> None:
    """Make the folder and those that it lies in. Raises StoreError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror or error}.",
            where=str(folder),
            hint="Check the disk's space and rights.",
        ) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time inside, of all processes and threads that ask for the same folder. It ends with its holder's process.

    Do not nest: the second would wait for the first. Raises StoreError when the folder is not there, and when another process holds
    it and nothing has been written there for longer than any write takes: it hangs, or was stopped. On a slow disk it is waited for.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreError(
            f"cannot be opened: {error.strerror}.", where=str(folder), hint="Check that it is there, and its rights."
        ) from None
    try:
        with suppress(OSError):  # a file system without locks: there the rename alone keeps the file whole
            _wait_for_lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, folder: Path) -> None:
    began = changed = time.monotonic()
    stamp = os.fstat(descriptor).st_mtime_ns
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            at, latest = time.monotonic(), os.fstat(descriptor).st_mtime_ns
            if latest != stamp:  # a file was made or replaced: whoever writes there goes on
                stamp, changed = latest, at
            if at > changed + LOCK_S or at > began + MOST_LOCK_S:
                raise StoreError(
                    f"another process has been writing there for more than {LOCK_S:g} s.",
                    where=str(folder),
                    hint="It may have been stopped: let it go on or end it (`fuser` names it), and try again.",
                ) from None
            time.sleep(LOOK_S)
        else:
            return


def remove(folder: Path) -> None:
    """Take the folder away, for everyone who looks for it at one moment. Raises StoreError when it cannot be."""
    trash = folder.with_name(f".{folder.name}.deleted")
    try:
        try:
            folder.replace(trash)
        except OSError as error:
            if error.errno not in _NO_TRASH:
                raise
            trash = folder
        shutil.rmtree(trash)
    except OSError as error:
        raise StoreError(
            f"cannot be deleted: {error.strerror or error}.", where=str(folder), hint="Check the rights of the folder."
        ) from None


# On some full disks there is no room for another name, and what was put aside before may be in the way: files are then taken one by one.
_NO_TRASH = (errno.ENOSPC, errno.EDQUOT, errno.ENOTEMPTY, errno.EEXIST)


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, gone at the end; those that killed processes left are taken away first. Raises StoreError where none can be made."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{SCRATCH}*"):
        number = left.name.removeprefix(SCRATCH).partition("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StoreError(
            f"no temporary folder can be made: {error.strerror or error}.",
            where=str(place),
            hint="Free some space there, or name another one in TMPDIR.",
        ) from None
    with folder as path:
        yield Path(path)


def read(path: Path) -> bytes:
    """The bytes of a file. Raises OSError for anything else, without waiting for one who writes to a pipe."""
    refuse_other_than_file(path)
    return path.read_bytes()


def refuse_other_than_file(path: Path) -> None:
    """Raise OSError for a folder, a pipe or a device: opening one may wait for ever. Nothing at all is no matter."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "It is not a file", str(path))


def reason(error: OSError | ValueError) -> str:
    """Why a file could not be read, for the end of a sentence: without the number and the path that Python puts around it."""
    return getattr(error, "strerror", None) or str(error)


def flush(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Replace the file's text atomically."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
