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
from moola_core.launch.worker import compare, diagnose, doctor, finetune, plan, predict, pretrain, study
from moola_core.launch.worker.relay import Listen
from moola_core.runs.reaper import identity, reap
from moola_core.runs.store import Run, now
from moola_core.training.device import keep_freed_memory

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "numba", "scikit-learn", "scipy", "pydantic", "safetensors")
PROJECT = Path(__file__).resolve().parents[3]
JOBS: dict[str, Callable[[Run, Listen | None], None]] = {
    "finetune": finetune.work,
    "pretrain": pretrain.work,
    "diagnose": diagnose.work,
    "predict": predict.work,
    "compare": compare.work,
    "plan": lambda run, listen: plan.work(run, listen, carry_out),
    "study": lambda run, listen: study.work(run, listen, carry_out),
}


def run(run: Run, listen: Listen | None = None) -> None:
    """Do what the run's spec asks for and bring its record to an end state.

    listen: called with each event and the record's progress, for a progress bar. An error for the user becomes the record's
    sentence and is raised; any other one goes to log.txt with its traceback and is raised as FailedRun.
    """
    record = run.record
    if record.state != "queued":
        raise RunError(f"is {record.state}, not queued.", where=f"run {run.id}", mend="Launch it again, or resume it.")
    keep_freed_memory()
    started = time.monotonic()
    run.update(state="running", started=now(), process=identity(), **_host())
    try:
        JOBS[record.kind](run, listen)
        if doctor.looks_at(run):
            doctor.store(run)
    except BaseException as error:
        state = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        run.update(state=state, error=_sentence(error), ended=now(), seconds=time.monotonic() - started)
        if isinstance(error, MoolaError | KeyboardInterrupt):
            raise
        run.append_log(traceback.format_exc())
        raise FailedRun(_sentence(error), where=f"run {run.id}", mend=f"See {run.folder / 'log.txt'}.") from error
    run.update(state="done", ended=now(), seconds=time.monotonic() - started)


def carry_out(child: Run, listen: Listen | None = None) -> None:
    """Begin a run that is queued, or go on with one that was interrupted."""
    (run if child.record.state == "queued" else resume)(child, listen)


def resume(interrupted: Run, listen: Listen | None = None) -> None:
    """Go on with a run that was interrupted: what is finished stays, and the end is that of an uninterrupted run.

    Raises RunError for a run that is done or whose process still runs.
    """
    record = reap(interrupted, interrupted.record)
    if record.state in ("running", "done"):
        mend = "Wait until it ends." if record.active else "There is nothing left to do."
        raise RunError(f"is {record.state}.", where=f"run {interrupted.id}", mend=mend)
    interrupted.update(state="queued", error="", ended="", process={})
    run(interrupted, listen)


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
