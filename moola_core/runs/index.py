"""A SQLite index of the records, so that listing a large store need not read every file. Rebuilt from the folders at will."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from moola_core.runs import codec
from moola_core.runs.record import RUN_ID, Record, from_dict

_TABLE = "CREATE TABLE IF NOT EXISTS records (run_id TEXT PRIMARY KEY, stamp TEXT NOT NULL, record TEXT NOT NULL)"
# Busy, or in a folder that may be read but not written: the folders are read without it.
_OUT_OF_REACH = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class Index:
    """The records under `root`/runs, each read again only when its file has changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "index.sqlite"

    def records(self) -> list[Record]:
        """Every record, newest first. A record that cannot be read appears as failed, with the reason."""
        found = self._stamps()
        if not found:
            return []
        texts = self._texts(found)
        return [from_dict(codec.loads(texts[run_id]) | {"run_id": run_id}) for run_id in sorted(texts, reverse=True)]

    def _stamps(self) -> dict[str, str]:
        """What tells that a record's file is still the same, by run id. Folders that are no runs are passed over."""
        folder = self.root / "runs"
        if not folder.is_dir():
            return {}
        with os.scandir(folder) as entries:  # a link could lead out of the store
            names = [e.name for e in entries if RUN_ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
        stamps = {name: _stamp(self._file(name)) for name in names}
        return {name: stamp for name, stamp in stamps.items() if stamp}

    def _file(self, run_id: str) -> Path:
        return self.root / "runs" / run_id / "run.json"

    def _texts(self, found: dict[str, str]) -> dict[str, str]:
        """Each record's JSON text. Nothing in the index is not also in the folders, so a damaged one is thrown away."""
        try:
            return self._synchronise(found, self.path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OUT_OF_REACH:
                return self._synchronise(found, ":memory:")
        for end in ("", "-wal", "-shm"):  # a stale log would be replayed into the new file
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        return self._synchronise(found, self.path)

    def _synchronise(self, found: dict[str, str], path: Path | str) -> dict[str, str]:
        with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_TABLE)
            rows = connection.execute("SELECT run_id, stamp, record FROM records").fetchall()
            kept = {run_id: text for run_id, stamp, text in rows if found.get(run_id) == stamp}
            fresh = {run_id: _read(self._file(run_id)) for run_id in found.keys() - kept.keys()}
            gone = {row[0] for row in rows} - found.keys()
            if fresh or gone:
                connection.executemany(
                    "REPLACE INTO records VALUES (?, ?, ?)",
                    [(run_id, found[run_id], text) for run_id, text in fresh.items()],
                )
                connection.executemany("DELETE FROM records WHERE run_id = ?", [(run_id,) for run_id in gone])
        return kept | fresh


def _stamp(path: Path) -> str:
    """Empty when there is no such file (any more)."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def _read(path: Path) -> str:
    try:
        text = codec.dumps(codec.load_object(path.read_bytes()))
        text.encode()  # half a character pair, which JSON can hold and SQLite cannot
        return text
    except (OSError, ValueError) as error:
        return codec.dumps({"kind": "finetune", "state": "failed", "error": f"run.json cannot be read: {error}."})
