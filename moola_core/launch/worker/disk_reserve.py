"""Room on the disk for a run's last words: on a full disk it still says why it failed."""

from __future__ import annotations

import os
from contextlib import suppress

from moola_core.runs.store import Run

BYTES = 1 << 16
NAME = ".room"


class DiskReserve:
    """Holds some disk space while the run goes on; `make` gives it back when it is needed."""

    def __init__(self, run: Run) -> None:
        self.path = run.folder / NAME

    def __enter__(self) -> DiskReserve:
        with suppress(OSError), self.path.open("wb") as file:
            file.write(os.urandom(BYTES))  # what is all zeros takes no room on some file systems
            file.flush()
            os.fsync(file.fileno())
        return self

    def make(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def __exit__(self, *_: object) -> None:
        self.make()
