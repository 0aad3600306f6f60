"""The worker: joins data, features and training to a run's folder, and brings its record to an end state."""

from __future__ import annotations

import platform
import subprocess
import time
import traceback
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from moola_core.errors import FailedRun, MoolaError, RunError
from moola_core.launch.worker import diagnose, doctor, finetune, predict, pretrain
from moola_core.launch.worker.relay import Listen
from moola_core.runs.reaper import identity
from moola_core.runs.store import Run, now
from moola_core.training.device import keep_freed_memory

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "numba", "scikit-learn", "scipy", "pydantic", "safetensors")
PROJECT = Path(__file__).resolve().parents[3]
JOBS: dict[str, Callable[[Run, Listen | None], None]] = {
    "finetune": finetune.work,
    "pretrain": pretrain.work,
    "diagnose": diagnose.work,
    "predict": predict.work,
}


def run(run: Run, listen: Listen | None = None) -> None:
    """Do what the run's spec asks for and bring its record to an end state.

    listen: called with each event and the record's progress, for a progress bar. An error for the user becomes the record's
    sentence and is raised; any other one goes to log.txt with its traceback and is raised as FailedRun.
    """
    record = run.record
    if record.state != "queued":
        raise RunError(f"is {record.state}, not queued.", where=f"run {run.id}", mend="Launch it again.")
    keep_freed_memory()
    started = time.monotonic()
    run.update(state="running", started=now(), process=identity(), **_host())
    try:
        JOBS[record.kind](run, listen)
        if record.kind in doctor.KINDS:
            doctor.store(run)
    except BaseException as error:
        state = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        run.update(state=state, error=_sentence(error), ended=now(), seconds=time.monotonic() - started)
        if isinstance(error, MoolaError | KeyboardInterrupt):
            raise
        run.append_log(traceback.format_exc())
        raise FailedRun(_sentence(error), where=f"run {run.id}", mend=f"See {run.folder / 'log.txt'}.") from error
    run.update(state="done", ended=now(), seconds=time.monotonic() - started)


def _sentence(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "Cancelled."
    if isinstance(error, MoolaError):
        return str(error)
    if isinstance(error, MemoryError):
        return "Out of memory. Ask for a smaller model or batch, or for training.processes=1."
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}. Its log has the details."


def _host() -> dict[str, Any]:
    versions = {name: metadata.version(name) for name in PACKAGES} | {"python": platform.python_version()}
    commit, dirty = _commit()
    return {"host": platform.node(), "versions": versions, "commit": commit, "dirty": dirty}


def _commit() -> tuple[str, bool]:
    """The project's commit and whether files differ from it; empty outside a checkout."""
    if not (PROJECT / ".git").exists():
        return "", False
    asked = [["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain"]]
    try:
        answers = [
            subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=10).stdout.strip()
            for command in asked
        ]
    except (OSError, subprocess.TimeoutExpired):
        return "", False
    return answers[0], bool(answers[1])
