"""The queue of a store: which run is next, first in first out within a priority. A SQLite file, rebuilt from the folders at will."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from moola_core.errors import StoreError
from moola_core.runs.files import locked
from moola_core.runs.index import Index
from moola_core.runs.record import Record

# seq never goes back, whatever the clock does; worker is empty while the run waits.
_TABLES = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE, priority INTEGER NOT NULL, "
    "needs TEXT NOT NULL, worker TEXT NOT NULL)",
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
_VERSION = 1
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_ADD = "INSERT OR IGNORE INTO entries (run_id, priority, needs, worker) VALUES (?, ?, ?, ?)"
BUSY_S, READ_S = 30, 1
HIGHEST = 1_000_000
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Entry:
    """A run in the queue: `worker` is the device whose worker has taken it, empty while it waits."""

    run_id: str
    priority: int
    needs: str
    worker: str


class Queue:
    """Each method is one transaction that no other process can come between. Raises StoreError when the file cannot be used."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / "queue.sqlite"

    def add(self, record: Record) -> None:
        """Put the run at the end of its priority, as its record's `queue` says. One that is there already stays where it is."""
        self._do(lambda connection: connection.execute(_ADD, _row(record)))

    def take(self, worker: str, needs: tuple[str, ...]) -> str | None:
        """The run that `worker` is to begin, marked as taken; None when nothing waits that it can do, and while paused.

        The worker holds one run at a time: what it holds already is answered again.
        """

        def work(connection: sqlite3.Connection) -> str | None:
            held = connection.execute("SELECT run_id FROM entries WHERE worker = ?", (worker,)).fetchone()
            if held:
                return str(held[0])
            if _paused(connection):
                return None
            marks = ", ".join("?" * len(needs))
            row = connection.execute(
                f"SELECT run_id FROM entries WHERE worker = '' AND needs IN ({marks}) ORDER BY priority DESC, seq LIMIT 1",
                needs,
            ).fetchone()
            if row:
                connection.execute("UPDATE entries SET worker = ? WHERE run_id = ?", (worker, row[0]))
            return str(row[0]) if row else None

        return self._do(work)

    def withdraw(self, run_id: str) -> bool:
        """Take a waiting run out; False when a worker was quicker, or it is not there."""
        deleted = "DELETE FROM entries WHERE run_id = ? AND worker = ''"
        return self._do(lambda connection: connection.execute(deleted, (run_id,)).rowcount > 0)

    def release(self, run_id: str) -> None:
        """Forget a run that has ended, wherever it stands."""
        self._do(lambda connection: connection.execute("DELETE FROM entries WHERE run_id = ?", (run_id,)))

    def put_back(self, run_id: str) -> None:
        """Let a run that was taken and never began wait again, in its old place."""
        self._do(lambda connection: connection.execute("UPDATE entries SET worker = '' WHERE run_id = ?", (run_id,)))

    def entries(self) -> list[Entry]:
        """All runs of the queue: those at work, then those that wait, in the order in which they will begin."""
        return self._do(_entries)

    def known(self) -> tuple[list[Entry], bool] | None:
        """The entries and whether the queue is paused; None where the file cannot be read. Writes nothing and waits for nobody."""
        try:
            if self.path.is_file():
                with closing(sqlite3.connect(self.path, timeout=READ_S)) as connection:
                    if _is_made(connection):
                        return _entries(connection), _paused(connection)
        except sqlite3.Error:
            return None
        return None

    def shown(self) -> tuple[list[Entry], bool]:
        """As `known`. On a full disk, or where nothing can be written, the folders say what runs and what waits."""
        known = self.known()
        if known is not None:
            return known
        entries = [Entry(*_row(record)) for record in self._waiting_or_running()]
        return sorted(entries, key=lambda entry: (entry.worker == "", -entry.priority)), False

    def prioritise(self, run_id: str, priority: int) -> bool:
        """Change the place of a waiting run: higher goes first. False when it does not wait."""
        changed = "UPDATE entries SET priority = ? WHERE run_id = ? AND worker = ''"
        return self._do(lambda connection: connection.execute(changed, (priority, run_id)).rowcount > 0)

    @property
    def paused(self) -> bool:
        return self._do(_paused)

    def pause(self, paused: bool = True) -> None:
        """Begin no further run; what is under way goes on. pause(False) goes on with the next."""
        put = "REPLACE INTO settings VALUES ('paused', ?)"
        self._do(lambda connection: connection.execute(put, ("yes" if paused else "",)))

    def catch_up(self) -> None:
        """Add the runs whose folders say that they wait and that are not here: their submitter was killed in between."""
        waiting = [record for record in Index(self.root).records() if record.waits and _here(record)]
        if waiting:
            rows = [_row(record) for record in reversed(waiting)]
            self._do(lambda connection: connection.executemany(_ADD, rows))

    def leave(self, needs: tuple[str, ...], go: Callable[[], None]) -> bool:
        """Call `go` if there is nothing to do, and let no run be added meanwhile; whether it was called.

        A submitter adds its run first and then looks for a worker. So either the run is seen here, or the worker is seen gone.
        """

        def work(connection: sqlite3.Connection) -> bool:
            waiting = connection.execute("SELECT needs FROM entries WHERE worker = ''").fetchall()
            if not _paused(connection) and any(row[0] in needs for row in waiting):
                return False
            go()
            return True

        return self._do(work)

    def _do(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """`work` in one transaction. A damaged file is thrown away: nothing in it is not also in the folders, but for a pause."""
        try:
            return self._transaction(work)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                raise self._unusable(error) from None
        try:
            for end in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            return self._transaction(work)
        except (sqlite3.DatabaseError, OSError) as error:
            raise self._unusable(error) from None

    def _unusable(self, error: sqlite3.Error | OSError) -> StoreError:
        return StoreError(
            f"the queue cannot be used: {getattr(error, 'strerror', None) or error}.",
            where=str(self.path),
            hint="Check the disk's space and rights.",
        )

    def _transaction(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if not self.path.is_file():
            self._make()
        with closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not _is_made(connection):
                self._fill(connection)
            answer = work(connection)
            connection.execute("COMMIT")  # without it, closing takes everything back
        return answer

    def _make(self) -> None:
        """An empty file in WAL mode, switched to it before anyone else can see it: two processes cannot do that at once."""
        draft = self.path.with_name(f".queue.{os.getpid()}.tmp")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with locked(self.root):
                if not self.path.is_file():
                    with closing(sqlite3.connect(draft)) as connection:
                        connection.execute("PRAGMA journal_mode=WAL")
                        connection.execute("PRAGMA user_version = 0")
                    draft.replace(self.path)
        except OSError as error:
            raise StoreError(
                f"the queue cannot be made: {error.strerror}.",
                where=str(self.path),
                hint="Check the disk's space and rights, or choose another store with --store DIR.",
            ) from None

    def _fill(self, connection: sqlite3.Connection) -> None:
        """Make the tables from what the folders say."""
        for name in ("entries", "settings"):
            connection.execute(f"DROP TABLE IF EXISTS {name}")
        for table in _TABLES:
            connection.execute(table)
        connection.executemany(_ADD, [_row(record) for record in self._waiting_or_running()])
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _waiting_or_running(self) -> list[Record]:
        """What the folders say of the queue, the oldest run first."""
        return [record for record in reversed(Index(self.root).records()) if record.active and _here(record)]


def _here(record: Record) -> bool:
    """Whether the run is this store's queue's to begin, not that of a process in the foreground or of a cluster."""
    return bool(record.queue) and not record.queue.get("cluster")


def _row(record: Record) -> tuple[str, int, str, str]:
    worker = record.process.get("worker", "") if record.state == "running" else ""
    priority = record.queue.get("priority", 0)
    whole = max(-HIGHEST, min(HIGHEST, priority)) if isinstance(priority, int) else 0
    return record.run_id, whole, str(record.queue.get("needs", "auto")), str(worker)


def _is_made(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION)


def _entries(connection: sqlite3.Connection) -> list[Entry]:
    asked = "SELECT run_id, priority, needs, worker FROM entries ORDER BY worker = '', priority DESC, seq"
    return [Entry(*row) for row in connection.execute(asked)]


def _paused(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT value FROM settings WHERE name = 'paused'").fetchone()
    return bool(row and row[0])
