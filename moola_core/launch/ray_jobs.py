"""Runs on a Ray cluster: the same worker command as on this machine, sent through Ray Jobs.

The store, the data files and the Python environment must lie on paths that all machines of the cluster share.
"""

from __future__ import annotations

import secrets
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moola_core.errors import MoolaError, RunError
from moola_core.launch import earlier
from moola_core.launch.background import PROJECT
from moola_core.launch.resuming import claim
from moola_core.runs import cancelling
from moola_core.runs.liveness import give_up
from moola_core.runs.store import Run, Store, utcnow_iso

ENDED = ("STOPPED", "SUCCEEDED", "FAILED")
POLL_S = 1.0
CANCEL_S = 30.0
LINES = 50


class RayLauncher:
    """Sends runs of a store to the cluster whose dashboard answers at `address`, such as http://127.0.0.1:8265.

    Raises RunError where Ray is not installed or no cluster answers.
    """

    def __init__(self, store: Store, address: str) -> None:
        self.store, self.address = store, address
        self.client = _client(address)

    def submit(
        self, spec: Any, name: str = "", note: str = "", tags: Sequence[str] = (), parent: str | None = None
    ) -> str:
        """Send a run of `spec` and return its id. A spec with training.device=cuda asks the cluster for one GPU."""
        earlier.refuse(spec)
        place = {"cluster": self.address, "folder": str(Path.cwd())}
        run = self.store.create(spec, name, note, tags, parent, place)
        self._send(run)
        return run.id

    def resume(self, run_id: str) -> None:
        """Let an interrupted run go on, on the cluster. Raises RunError for one that is done or goes on already."""
        run = self.store.open(run_id)
        folder = str(run.record.queue.get("folder", "")) or str(Path.cwd())
        claim(run, process={}, queue={"cluster": self.address, "folder": folder})
        self._send(run)

    def status(self, run_id: str) -> str:
        """What Ray says of the run's job: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED. A run that ended with no result is marked lost."""
        run = self.store.open(run_id)
        state = self._state(run)
        if state in ENDED and run.record.active:
            if cancelling.asked(run):
                run.claim(("queued", "running"), state="cancelled", error="Cancelled.", ended=utcnow_iso())
            give_up(run, "Its Ray job ended without a result.")
        return state

    def log(self, run_id: str, lines: int = LINES) -> str:
        """The last lines that the run's job wrote; the worker's own are in the run's log.txt."""
        run = self.store.open(run_id)
        try:
            return "\n".join(self.client.get_job_logs(_job(run)).splitlines()[-lines:])
        except RuntimeError as error:
            raise _unknown(run, error) from None

    def cancel(self, run_id: str) -> None:
        """End the run, a study's own runs first. Ray gives each three seconds. Returns when all have ended."""
        run = self.store.open(run_id)
        if not run.record.active:
            raise RunError(f"is {run.record.state}.", where=f"run {run_id}", hint="There is nothing to cancel.")
        cancelling.ask(run)  # first, or a study would send the next of its runs
        for child in run.record.facts.children.values():
            part = self.store.open(child).record
            if part.active and part.queue.get("cluster"):
                self.cancel(child)
        self.client.stop_job(_job(run))
        until = time.monotonic() + CANCEL_S
        while self.status(run_id) not in ENDED and time.monotonic() < until:
            time.sleep(POLL_S)

    def execute(self, runs: Sequence[Run]) -> None:
        """Send those of the runs that are not done, all at once, and return when every one has ended, however that was."""
        for run in runs:
            if run.record.state == "queued" and not run.record.queue.get("job"):
                run.update(process={}, queue={"cluster": self.address, "folder": str(Path.cwd())})
                self._send(run)
            elif not run.record.active and run.record.state != "done":
                self.resume(run.id)
        waiting = list(runs)
        while waiting:
            waiting = [run for run in waiting if run.record.active and self.status(run.id) not in ENDED]
            time.sleep(POLL_S if waiting else 0)

    def _send(self, run: Run) -> None:
        training = getattr(getattr(run.spec, "base", run.spec), "training", None)
        # A study's own process computes next to nothing: its runs ask for what they need.
        heavy = run.record.kind not in ("study", "search")
        gpus = 1.0 if heavy and getattr(training, "device", "auto") == "cuda" else 0.0
        place = run.record.queue
        job = f"{run.id}-{secrets.token_hex(2)}"
        run.update(queue={**place, "job": job})
        command = [sys.executable, "-m", "moola_core.launch.worker", str(run.folder.resolve())]
        try:
            self.client.submit_job(
                entrypoint=f"cd {shlex.quote(place['folder'])} && exec {shlex.join(command)}",
                submission_id=job,
                metadata={"run_id": run.id},
                runtime_env={"env_vars": {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}},
                entrypoint_num_cpus=1.0 if heavy else 0.0,
                entrypoint_num_gpus=gpus,
            )
        except Exception as error:
            sentence = (
                f"The cluster did not accept it: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            )
            run.claim(("queued",), state="failed", error=sentence, ended=utcnow_iso())
            raise RunError(sentence, where=self.address, hint="Look at the cluster with `ray status`.") from error

    def _state(self, run: Run) -> str:
        try:
            return str(self.client.get_job_status(_job(run)).value)
        except RuntimeError as error:
            if "does not exist" in str(error):
                return "STOPPED"  # a cluster that was started anew knows no old jobs
            raise _unknown(run, error) from None


def side_by_side(run: Run) -> RayLauncher | None:
    """The cluster that carries out a study's runs at the same time; None where the study itself was not sent to one."""
    address = str(run.record.queue.get("cluster", ""))
    return RayLauncher(Store(run.store_root), address) if address else None


def _client(address: str) -> Any:
    try:
        from ray.job_submission import JobSubmissionClient
    except ImportError:
        raise RunError("Ray is not installed.", where="launch", hint='pip install "moola[ray]"') from None
    try:
        return JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RunError(
            f"no Ray cluster answers: {str(error).splitlines()[0]}",
            where=address,
            hint="Give its dashboard's address, such as http://127.0.0.1:8265; `ray start --head` starts one.",
        ) from None


def _job(run: Run) -> str:
    job = str(run.record.queue.get("job", ""))
    if not job:
        raise RunError("was not sent to a cluster.", where=f"run {run.id}", hint="`moola queue` shows what runs here.")
    return job


def _unknown(run: Run, error: Exception) -> MoolaError:
    return RunError(
        f"the cluster does not respond: {str(error).splitlines()[0]}", where=f"run {run.id}", hint="Is it still up?"
    )
