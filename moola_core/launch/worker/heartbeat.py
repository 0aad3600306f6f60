"""A sign of life while a run is under way, for hosts that cannot ask its process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from moola_core.runs.liveness import HEARTBEAT
from moola_core.runs.store import Run

EVERY_S = 5.0


@contextmanager
def heartbeat(run: Run) -> Iterator[None]:
    """Inside, the run's heartbeat file is touched every few seconds by a thread of its own."""
    over = threading.Event()

    def beat() -> None:
        while not over.is_set():
            with suppress(OSError):  # a full disk is reported by what matters more
                (run.folder / HEARTBEAT).touch()
            over.wait(EVERY_S)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(EVERY_S)
