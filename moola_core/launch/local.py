"""Runs on this machine: each in a process and session of its own, so that it outlives the app."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moola_core.errors import StoreError
from moola_core.runs.store import Run, Store

PROJECT = Path(__file__).resolve().parents[2]


class LocalLauncher:
    """Starts `python -m moola_core.launch.worker FOLDER` for each run; what it prints goes to the run's log.txt."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def submit(
        self, spec: Any, name: str = "", note: str = "", tags: Sequence[str] = (), parent: str | None = None
    ) -> str:
        run = self.store.create(spec, name, note, tags, parent)
        start(run)
        return run.id


def start(run: Run) -> None:
    """Start the worker of a queued run and return at once. Raises StoreError when no process can be started."""
    command = [sys.executable, "-m", "moola_core.launch.worker", str(run.folder.resolve())]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT), environment.get("PYTHONPATH", "")]))
    try:
        with (run.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
    except OSError as error:
        run.update(state="failed", error=f"No process could be started: {error.strerror}.")
        raise StoreError(
            f"no process could be started: {error.strerror}.", where=str(run.folder), mend="Free memory and disk."
        ) from None
    # Wait for it somewhere, or the ended process would stay a zombie of this one.
    threading.Thread(target=process.wait, daemon=True).start()
