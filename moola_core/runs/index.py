"""A SQLite index of the records, so that listing a large store need not read every file. Rebuilt from the folders at will."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Any

from moola_core.errors import StoreError
from moola_core.runs import codec
from moola_core.runs.files import read, reason
from moola_core.runs.record import RUN_ID, UNREADABLE, Record, from_dict, unreadable

_TABLE = "CREATE TABLE IF NOT EXISTS records (run_id TEXT PRIMARY KEY, stamp TEXT NOT NULL, record TEXT NOT NULL)"
# The file is not, or no longer, what was written to it. An error without a code is a text that cannot be decoded.
_DAMAGED = (0, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_MISSING = "missing"
BUSY_S = 1.0
FEW = 200  # records that are asked for one by one; SQLite takes some hundreds of names in a question
Values = dict[str, Any]


class Index:
    """The records under `root`/runs, each read again only when its file has changed.

    The index is a cache. Whatever keeps it from being used (a full disk, a folder that cannot be written, a damaged or a
    locked file), the records are read from the folders.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "index.sqlite"

    def records(self) -> list[Record]:
        """Every record, newest first; one that cannot be read says why. Raises StoreError when the folder cannot be listed."""
        stamps = self._stamps()
        mine, before = _seen.get(str(self.root.absolute()), ((), {}))
        # An index that somebody else has changed may be damaged, and is looked at as a whole.
        kept = before if mine == self._own_stamps() else {}
        seen = {run_id: known for run_id, known in kept.items() if known[0] == stamps.get(run_id)}
        if stamps.keys() != kept.keys() or len(seen) < len(stamps):
            unseen = stamps.keys() - seen.keys()
            values = self._values(stamps, unseen)
            seen |= {run_id: (stamps[run_id], _record(run_id, values[run_id])) for run_id in unseen}
            _seen[str(self.root.absolute())] = (self._own_stamps(), seen)
        return [seen[run_id][1] for run_id in sorted(seen, reverse=True)]

    def _stamps(self) -> dict[str, str]:
        """What tells that a record's file is still the same, by run id. Folders that are no runs are passed over."""
        folder = self.root / "runs"
        try:
            if not folder.is_dir():
                return {}
            with os.scandir(folder) as entries:  # a link could lead out of the store
                names = [e.name for e in entries if RUN_ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
        except OSError as error:
            raise StoreError(
                f"cannot be read: {error.strerror}.", where=str(folder), hint="Check that it is there, and its rights."
            ) from None
        stamps = {name: _stamp(f"{folder}/{name}/run.json") for name in names}
        return {name: stamp for name, stamp in stamps.items() if stamp}

    def _own_stamps(self) -> tuple[tuple[int, int], ...]:
        """What tells that the index itself is as this process left it; empty where there is none."""
        paths = [path for end in ("", "-wal") if (path := self.path.with_name(self.path.name + end)).is_file()]
        return tuple((status.st_mtime_ns, status.st_size) for status in map(Path.stat, paths))

    def _file(self, run_id: str) -> Path:
        return self.root / "runs" / run_id / "run.json"

    def _values(self, stamps: dict[str, str], wanted: AbstractSet[str]) -> dict[str, Values]:
        """What the files of the wanted records hold. Nothing in the index is not also in the folders, so a damaged one is thrown away."""
        for _ in range(2):
            try:
                return self._synchronise(stamps, wanted)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    break
            try:
                for end in ("", "-wal", "-shm"):  # a stale log would be replayed into the new file
                    self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            except OSError:
                break
        return {run_id: _read(self._file(run_id)) for run_id in wanted}

    def _synchronise(self, stamps: dict[str, str], wanted: AbstractSet[str]) -> dict[str, Values]:
        with closing(sqlite3.connect(self.path, timeout=BUSY_S)) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_TABLE)
            known = dict(connection.execute("SELECT run_id, stamp FROM records").fetchall())
            rows = (
                connection.execute("SELECT run_id, stamp, record FROM records")
                if len(wanted) > FEW
                else _rows(connection, wanted)
            )
            held = {run_id: _held(text) for run_id, stamp, text in rows if run_id in wanted and stamps[run_id] == stamp}
            kept = {run_id: values for run_id, values in held.items() if values is not None}
            fresh = {run_id: _read(self._file(run_id)) for run_id in wanted - kept.keys()}
            gone = known.keys() - stamps.keys()
            if fresh or gone:
                connection.executemany(
                    "REPLACE INTO records VALUES (?, ?, ?)",
                    [(run_id, stamps[run_id], codec.dumps(values)) for run_id, values in fresh.items()],
                )
                connection.executemany("DELETE FROM records WHERE run_id = ?", [(run_id,) for run_id in gone])
        return kept | fresh


def _record(run_id: str, values: Values) -> Record:
    if values.keys() == {UNREADABLE}:
        return unreadable(run_id, str(values[UNREADABLE]))
    return from_dict(values | {"run_id": run_id})


def _rows(connection: sqlite3.Connection, wanted: AbstractSet[str]) -> list[tuple[str, str, str]]:
    ids = sorted(wanted)
    marks = ", ".join("?" * len(ids))
    query = f"SELECT run_id, stamp, record FROM records WHERE run_id IN ({marks})"
    return list(connection.execute(query, ids))


def _stamp(path: str) -> str:
    """Empty when there is nothing to list (any more): the folder is gone, or it is empty. A text: there are thousands of them."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the time of a Path
    except OSError:
        return _MISSING if _holds_files(Path(path).parent) else ""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


# What this process has read of each store: the stamps of its index, and by run id the stamp of the file and the record.
_seen: dict[str, tuple[tuple[tuple[int, int], ...], dict[str, tuple[str, Record]]]] = {}


def _holds_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False
    except OSError:  # it is there, and may not be looked into
        return True


def _held(text: object) -> Values | None:
    """What the index holds of a record; None for what was never written so."""
    try:
        return codec.load_object(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _read(path: Path) -> Values:
    try:
        values = codec.load_object(read(path))
        codec.dumps(values).encode()  # half a character pair, which JSON can hold and SQLite cannot
        return values
    except (OSError, ValueError) as error:
        return {UNREADABLE: f"run.json cannot be read: {reason(error)}."}
