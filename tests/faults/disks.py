"""A folder on a disk that is full, or that may only be read: every call of the system that would write there fails as it would."""

from __future__ import annotations

import builtins
import errno
import io
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# What SQLite says: of a full disk once it writes, of one that may only be read when it opens its log.
SQLITE = {
    errno.ENOSPC: ("database or disk is full", sqlite3.SQLITE_FULL),
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


def spoil(monkeypatch: pytest.MonkeyPatch, folder: Path, number: int) -> None:
    """From here on the folder is on such a disk. number: errno.ENOSPC, where deleting works, or errno.EROFS, where nothing does."""
    root = str(folder.resolve())

    def inside(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and str(Path(path).absolute()).startswith(root)

    def fail(path: Any) -> None:
        raise OSError(number, os.strerror(number), str(path))

    def guard(name: str) -> None:
        real = getattr(os, name)

        def call(path: Any, *more: Any, **options: Any) -> Any:
            return fail(path) if options.get("dir_fd") is None and inside(path) else real(path, *more, **options)

        monkeypatch.setattr(os, name, call)

    for name in MAKES if number == errno.ENOSPC else (*MAKES, *CHANGES):
        guard(name)
    open_file, open_descriptor, connect = io.open, os.open, sqlite3.connect

    def opened(path: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        return fail(path) if set(mode) & set("wax+") and inside(path) else open_file(path, mode, *more, **options)

    def opened_descriptor(path: Any, flags: int, *more: Any, **options: Any) -> int:
        return fail(path) if flags & WRITING and inside(path) else open_descriptor(path, flags, *more, **options)

    for module in (io, builtins):
        monkeypatch.setattr(module, "open", opened)
    monkeypatch.setattr(os, "open", opened_descriptor)
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **more: Connection(number) if inside(path) else connect(path, **more)
    )


def fill(place: Path, leave: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    (place / "ballast").write_bytes(b"x" * (free - leave))
