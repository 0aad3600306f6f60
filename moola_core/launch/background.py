"""Processes of this project that outlive the one that starts them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from moola_core.errors import StoreError

PROJECT = Path(__file__).resolve().parents[2]


def with_project(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which Python finds this project, wherever it is started."""
    known = filter(None, [str(PROJECT), environment.get("PYTHONPATH", "")])
    return {**environment, "PYTHONPATH": os.pathsep.join(known)}


def start_moola(arguments: list[str], log: Path, store: Path) -> None:
    """A command of moola for the store, in a session of its own; what it prints is added to `log`. Raises StoreError where none can be started."""
    command = [sys.executable, "-m", "moola_core", *arguments, "--store", str(store.resolve())]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=with_project(os.environ),
            )
    except OSError as error:
        raise StoreError(
            f"no process could be started: {error.strerror}.", where=str(store), hint="Free memory and disk."
        ) from None
    # Wait for it somewhere, or the ended process would stay a zombie of this one.
    threading.Thread(target=process.wait, daemon=True).start()
