"""The worker: joins data, features and training to a run's folder, and brings its record to an end state."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from moola_core.errors import FailedRun, MoolaError, RunError
from moola_core.host.threads import one_thread
from moola_core.launch import earlier, report_files
from moola_core.launch.local import claim
from moola_core.launch.worker import (
    compare,
    diagnose,
    doctor,
    finetune,
    investigate,
    joined,
    peak_memory,
    predict,
    pretrain,
    search,
    study,
)
from moola_core.launch.worker.disk_reserve import DiskReserve
from moola_core.launch.worker.ending import Terminated, sentence_of, state_and_sentence
from moola_core.launch.worker.heartbeat import heartbeat, lease
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.runs import mirror, references
from moola_core.runs.liveness import identity, settled
from moola_core.runs.store import Run, utcnow_iso
from moola_core.specs.choices import JOINED
from moola_core.training.device import keep_freed_memory
from moola_core.training.processes import share

PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "numba", "scikit-learn", "scipy", "pydantic", "safetensors")
PROJECT = Path(__file__).resolve().parents[3]
JOBS: dict[str, Callable[[Run, ProgressCallback | None], None]] = {
    "finetune": lambda run, listen: _cross_validated(run)(run, listen),
    "pretrain": pretrain.work,
    "diagnose": lambda run, listen: diagnose.work(run, listen, execute),
    "predict": predict.work,
    "compare": compare.work,
    "investigation": lambda run, listen: investigate.work(run, listen, execute),
    earlier.PLAN: lambda run, listen: earlier.refuse(run.spec),
    "study": lambda run, listen: study.work(run, listen, execute),
    "search": lambda run, listen: search.work(run, listen, execute),
    "report": lambda run, listen: _reported(run),
}


MORE_THREADS = ("pretrain", "study", "search", "investigation")


def _reported(run: Run) -> None:
    report_files.make(run)


def _threads(kind: str) -> AbstractContextManager[None]:
    """One for every library; torch has more in pre-training, whose steps are large, and so in what carries out other runs."""
    return one_thread("blas" if kind in MORE_THREADS else None)


def _cross_validated(run: Run) -> Callable[[Run, ProgressCallback | None], None]:
    return joined.work if run.spec.estimator == JOINED else finetune.work


def run(run: Run, listen: ProgressCallback | None = None) -> None:
    """Do what the run's spec asks for and bring its record to an end state.

    listen: called with each event and the record's progress, for a progress bar. An error for the user becomes the record's
    sentence and is raised; any other one goes to log.txt with its traceback and is raised as FailedRun. Interrupted (Ctrl-C, or
    a TERM that somebody asked for) it is cancelled; by any other TERM it is lost.
    """
    with lease(run) as held:
        _carry_out(run, _process() | held, listen)


def _carry_out(run: Run, process: dict[str, Any], listen: ProgressCallback | None) -> None:
    record = run.claim(("queued",), state="running", started=utcnow_iso(), process=process, **_host())
    if record is None:
        raise RunError(
            f"is {run.record.state}, not queued.", where=f"run {run.id}", hint="Launch it again, or resume it."
        )
    keep_freed_memory()
    started = time.monotonic()
    with _threads(record.kind), DiskReserve(run) as reserve, heartbeat(run, process), _ending_on_term():
        try:
            references.refuse_circle(run)
            run.sweep()
            mirror.step(run)
            with peak_memory.kept(run):
                JOBS[run.spec.kind](run, listen)
            if doctor.looks_at(run):
                doctor.store(run)
            done = {"state": "done", "ended": utcnow_iso(), "seconds": time.monotonic() - started}
            if run.claim(("running",), process, **done) is None:
                raise Terminated
            mirror.step(run)
        except BaseException as error:
            reserve.make()
            state, sentence = state_and_sentence(run, error)
            # Not if it is done: then it was only its copying that was interrupted.
            end = {"state": state, "error": sentence, "ended": utcnow_iso(), "seconds": time.monotonic() - started}
            run.claim(("running",), process, **end)
            mirror.step(run)
            if isinstance(error, MoolaError | KeyboardInterrupt):
                raise
            run.append_log(traceback.format_exc())
            raise FailedRun(sentence_of(error), where=f"run {run.id}", hint=f"See {run.folder / 'log.txt'}.") from error


@contextmanager
def _ending_on_term() -> Iterator[None]:
    """Inside, the first TERM raises Terminated; later ones do not disturb what is written then."""

    def tell(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, tell)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def execute(child: Run, listen: ProgressCallback | None = None) -> None:
    """Begin a run that is queued, or go on with one that was interrupted."""
    (run if child.record.state == "queued" else resume)(child, listen)


def resume(interrupted: Run, listen: ProgressCallback | None = None) -> None:
    """Go on with a run that was interrupted: what is finished stays, and the end is that of an uninterrupted run.

    Raises RunError for a run that is done or whose process still runs.
    """
    settled(interrupted)
    claim(interrupted, process=identity(), queue={})
    run(interrupted, listen)


def _process() -> dict[str, Any]:
    """This process; worker: of which device, within: the pid of the process whose work it shares, processes: how many it may use for that."""
    process, above = identity(), parent_process()
    if os.environ.get("MOOLA_WORKER"):
        process["worker"] = os.environ["MOOLA_WORKER"]
    return process | ({"within": above.pid, "processes": share()} if above is not None else {})


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
            subprocess.run(
                command, cwd=PROJECT, capture_output=True, text=True, timeout=10, encoding="utf-8"
            ).stdout.strip()
            for command in asked
        ]
    except (OSError, subprocess.TimeoutExpired):
        return "", False
    return answers[0], bool(answers[1])
