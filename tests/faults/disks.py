"""A folder on a disk that is full, whose quota is used up, that may only be read, or that is slow: every call of the system that would write there fails, or takes its time."""

from __future__ import annotations

import builtins
import errno
import io
import itertools
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import safetensors.numpy

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# What SQLite says: of a full disk once it writes, of a used-up quota too (which it takes for a failed write), of a disk that may only be
# read when it opens its log.
SQLITE = {
    errno.ENOSPC: ("database or disk is full", sqlite3.SQLITE_FULL),
    errno.EDQUOT: ("disk I/O error", sqlite3.SQLITE_IOERR_WRITE),
    errno.EROFS: ("attempt to write a readonly database", sqlite3.SQLITE_READONLY),
}
MAKES = ("mkdir", "symlink", "link")
CHANGES = ("unlink", "rmdir", "rename", "replace", "utime")


class Connection:
    """A connection of SQLite's whose every statement fails."""

    def __init__(self, number: int) -> None:
        message, self._code = SQLITE[number]
        self._error = sqlite3.OperationalError(message)
        self._error.sqlite_errorcode = self._code

    def _fail(self, *_: Any) -> Any:
        raise self._error

    execute = executemany = _fail

    def close(self) -> None: ...

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None: ...


class SlowConnection(sqlite3.Connection):
    """A connection of SQLite's whose every statement takes its time."""

    delay_s = 0.0

    def execute(self, *given: Any) -> Any:
        time.sleep(self.delay_s)
        return super().execute(*given)


def slow(monkeypatch: pytest.MonkeyPatch, folder: Path, delay_s: float) -> Callable[[], int]:
    """From here on each write in the folder takes so many seconds; gives how many there were."""

    def connect(path: Any, **more: Any) -> sqlite3.Connection:
        made: SlowConnection = real(path, **more, factory=SlowConnection)
        made.delay_s = delay_s
        return made

    count = spoil(monkeypatch, folder, errno.ENOSPC, after=1 << 30, delay_s=delay_s)
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", connect)
    return count


def spoil(
    monkeypatch: pytest.MonkeyPatch, folder: Path, number: int, after: int = 0, delay_s: float = 0.0
) -> Callable[[], int]:
    """From here on, or after so many writes, the folder is on such a disk; gives how many writes were tried.

    number: errno.ENOSPC or errno.EDQUOT, where deleting works, or errno.EROFS, where nothing does. delay_s: how long each write takes.
    """
    root, tried = str(folder.resolve()), itertools.count()
    count = 0

    def inside(path: Any) -> bool:
        nonlocal count
        if not (isinstance(path, str | os.PathLike) and str(Path(path).absolute()).startswith(root)):
            return False
        count = next(tried) + 1
        time.sleep(delay_s)
        return count > after

    def fail(path: Any) -> None:
        raise OSError(number, os.strerror(number), str(path))

    def guard(name: str) -> None:
        real = getattr(os, name)

        def call(path: Any, *more: Any, **options: Any) -> Any:
            return fail(path) if options.get("dir_fd") is None and inside(path) else real(path, *more, **options)

        monkeypatch.setattr(os, name, call)

    def guard_library(library: Any, name: str) -> None:
        """Of a library that opens files itself: what is to be written first, then the path."""
        real = getattr(library, name)

        def write(what: Any, path: Any, *more: Any, **options: Any) -> Any:
            return fail(path) if inside(path) else real(what, path, *more, **options)

        monkeypatch.setattr(library, name, write)

    for name in (*MAKES, *CHANGES) if number == errno.EROFS else MAKES:
        guard(name)
    open_file, open_descriptor, connect = io.open, os.open, sqlite3.connect

    def opened(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        return fail(path) if set(str(mode)) & set("wax+") and inside(path) else open_file(path, mode, *more, **options)

    def opened_descriptor(path: Any, flags: int, *more: Any, **options: Any) -> int:
        return fail(path) if flags & WRITING and inside(path) else open_descriptor(path, flags, *more, **options)

    for library, name in ((pyarrow.parquet, "write_table"), (safetensors.numpy, "save_file")):
        guard_library(library, name)
    for module in (io, builtins):
        monkeypatch.setattr(module, "open", opened)
    monkeypatch.setattr(os, "open", opened_descriptor)
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **more: Connection(number) if inside(path) else connect(path, **more)
    )
    return lambda: count


def fill(place: Path, leave: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    (place / "ballast").write_bytes(b"x" * (free - leave))
