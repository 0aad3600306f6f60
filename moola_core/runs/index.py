"""A SQLite index of the records, so that listing a large store need not read every file. Rebuilt from the folders at will."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from moola_core.errors import StoreError
from moola_core.runs import codec
from moola_core.runs.record import Record, from_dict

_TABLE = "CREATE TABLE IF NOT EXISTS records (run_id TEXT PRIMARY KEY, stamp TEXT NOT NULL, record TEXT NOT NULL)"


class Index:
    """The records under `root`/runs, each read again only when its file has changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "index.sqlite"

    def records(self) -> list[Record]:
        """Every record, newest first. A record that cannot be read appears as failed, with the reason."""
        found = {path.parent.name: (path, _stamp(path)) for path in self._files()}
        if not found:
            return []
        with closing(self._connect()) as connection, connection:
            known = {
                run_id: (stamp, text)
                for run_id, stamp, text in connection.execute("SELECT run_id, stamp, record FROM records")
            }
            stale = {
                run_id: (path, stamp) for run_id, (path, stamp) in found.items() if known.get(run_id, ("",))[0] != stamp
            }
            fresh = {run_id: (stamp, _read(path)) for run_id, (path, stamp) in stale.items()}
            if fresh or known.keys() - found.keys():
                connection.executemany(
                    "REPLACE INTO records VALUES (?, ?, ?)", [(run_id, *row) for run_id, row in fresh.items()]
                )
                connection.executemany(
                    "DELETE FROM records WHERE run_id = ?", [(run_id,) for run_id in known.keys() - found.keys()]
                )
        texts = {run_id: fresh[run_id][1] if run_id in fresh else known[run_id][1] for run_id in found}
        return [from_dict(codec.loads(texts[run_id]) | {"run_id": run_id}) for run_id in sorted(texts, reverse=True)]

    def _files(self) -> Iterator[Path]:
        folder = self.root / "runs"
        if folder.is_dir():
            yield from (
                path / "run.json"
                for path in folder.iterdir()
                if not path.name.startswith(".") and (path / "run.json").is_file()
            )

    def _connect(self) -> sqlite3.Connection:
        try:
            return self._open()
        except sqlite3.DatabaseError:  # a torn or foreign file: nothing in it is not also in the folders
            self.path.unlink(missing_ok=True)
        try:
            return self._open()
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"the index cannot be opened: {error}.", where=str(self.path), mend="Make the folder writable."
            ) from None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_TABLE)
        return connection


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def _read(path: Path) -> str:
    try:
        return codec.dumps(codec.loads(path.read_text()))
    except (OSError, ValueError) as error:
        return codec.dumps({"kind": "finetune", "state": "failed", "error": f"run.json cannot be read: {error}."})
