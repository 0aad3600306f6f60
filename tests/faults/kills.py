"""A store whose trainers, workers and submitters are killed at random moments, and what is left of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from moola_core.launch import workers
from moola_core.launch.devices import Lock, default_device
from moola_core.launch.local import LocalLauncher, ensure_worker
from moola_core.runs import codec
from moola_core.runs.liveness import alive
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE
from moola_core.runs.store import Run, Store

ROOT = Path(__file__).parents[2]
MARK = "MOOLA_FAULTS"
# What the app does when a visitor starts a run; it says which one once that is certain.
SUBMIT = """
import sys
from pathlib import Path
from moola_core import specs
from moola_core.launch.local import LocalLauncher
from moola_core.runs.store import Store
launcher = LocalLauncher(Store(sys.argv[1]))
spec = specs.parse(Path(sys.argv[2]).read_text())
print("ready", flush=True)
while True:
    print(launcher.submit(spec, name="killed"), flush=True)
    if sys.argv[3] == "once":
        break
"""


class Site:
    """A store under fire. `acknowledged`: the runs whose submitter was told that they are queued."""

    def __init__(self, folder: Path, spec: Any, seed: int) -> None:
        self.store = Store(folder / "artifacts")
        self.folder, self.spec = folder, folder / "spec.json"
        self.spec.write_text(spec.model_dump_json())
        self.rng = np.random.default_rng(seed)
        self.counts: Counter[str] = Counter()
        self.acknowledged: list[str] = []
        self.together = 0
        self.broken: list[str] = []
        self.mark = uuid.uuid4().hex
        os.environ[MARK] = self.mark

    def keep(self, path: Path, done: int) -> None:
        """What was done so far, so that another process can go on."""
        values = {"done": done, "mark": self.mark, "acknowledged": self.acknowledged, "counts": dict(self.counts)}
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(values | {"together": self.together, "broken": self.broken}))
        draft.replace(path)

    def go_on(self, path: Path) -> int:
        """Go on where `keep` was last called, with other random moments; how many kills are done."""
        if not path.is_file():
            return 0
        values = json.loads(path.read_text())
        self.mark = os.environ[MARK] = values["mark"]
        self.acknowledged, self.counts = values["acknowledged"], Counter(values["counts"])
        self.together, self.broken = values["together"], values["broken"]
        self.rng = np.random.default_rng((values["done"], int(self.rng.integers(1 << 30))))
        return int(values["done"])

    def submit(self) -> str:
        run_id = LocalLauncher(self.store).submit(codec_spec(self.spec), name="kept")
        self.acknowledged.append(run_id)
        return run_id

    def kill_submitter(self, most_s: float = 0.5) -> bool:
        """Kill a process that submits one run after another, at a random moment once it has begun to."""
        command = [sys.executable, "-c", SUBMIT, str(self.store.root), str(self.spec), "on"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(self.rng.uniform(0, most_s))
        process.kill()
        told, _ = process.communicate()
        lines = told.split("\n")[:-1]  # without its end, a line was cut off
        self.acknowledged += lines
        self.counts["submitter"] += 1
        return True

    def kill_worker(self, again: bool = True) -> bool:
        """Kill the device's worker, if there is one, and start another as the app does."""
        lock = Lock(self.store.root, default_device())
        if not lock.held():
            if again:
                ensure_worker(self.store.root)
            return False
        try:
            process = codec.load_object(lock.path.read_bytes())
        except ValueError:  # it has the lock and has not yet said who it is
            return False
        if not alive(process):
            return False
        psutil.Process(process["pid"]).kill()
        self.counts["worker"] += again
        if again:
            ensure_worker(self.store.root)
        return True

    def kill_trainer(self) -> bool:
        """Kill the process of the run that is under way, whether or not it has claimed it."""
        found = self.trainers()
        running = [r for r in self.store.runs() if r.state == "running" and alive(r.process)]
        self.together = max(self.together, len(running))
        if not found:
            return False
        victim = found[int(self.rng.integers(len(found)))]
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return False
        self.counts["trainer"] += 1
        return True

    def kill_child(self, most_s: float = 5.0) -> bool:
        """Kill one of the processes that share the fits of the run that is under way, while it starts or later."""

        def children() -> list[psutil.Process]:
            return [p for p in self.processes() if "multiprocessing.spawn" in _command(p)]

        if not wait_for(lambda: bool(children()), 60):
            return False
        time.sleep(self.rng.uniform(0, most_s))
        return self._kill(children(), "child")

    def kill_of_kind(self, kind: str, spec: Any) -> bool:
        """Kill the process of a study, a plan or an investigation at any moment; one is begun where none is under way."""
        mine = [r for r in self.store.runs() if r.kind == spec.kind and r.name == kind and r.active]
        if not mine:
            self.acknowledged.append(LocalLauncher(self.store).submit(spec, name=kind, priority=9))
            return False
        pids = [r.process["pid"] for r in mine if r.state == "running" and alive(r.process)]
        return self._kill([p for p in self.processes() if p.pid in pids], kind)

    def kill_exporter(self, most_s: float = 6.0) -> bool:
        """Kill whoever asks for a report, at any moment; the file is whole or absent."""
        done = [r.run_id for r in self.store.runs() if r.state == "done" and r.kind == "finetune"]
        if not done:
            return False
        out = self.folder / f"report-{self.counts['exporter']}.html"
        command = [sys.executable, "-m", "moola_core", "report", done[0], "--format", "html", "--out", str(out)]
        process = subprocess.Popen(
            [*command, "--store", str(self.store.root)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(self.rng.uniform(0, most_s))
        process.kill()
        process.wait()
        self.counts["exporter"] += 1
        if out.exists() and not out.read_text(encoding="utf-8").rstrip().endswith("</html>"):
            self.broken.append(str(out))
        return True

    def stop_and_continue(self, most_s: float = 4.0) -> bool:
        """Stop one of the processes by a signal for a while."""
        candidates = self.processes()
        if not candidates:
            return False
        victim = candidates[int(self.rng.integers(len(candidates)))]
        try:
            victim.suspend()
            time.sleep(self.rng.uniform(0, most_s))
            victim.resume()
        except psutil.NoSuchProcess:
            return False
        self.counts["stopped"] += 1
        return True

    def kill_container(self, most_s: float = 8.0) -> bool:
        """A worker in a container with PIDs and a host name of its own, on the same store, killed with all that it began."""
        self.kill_worker(again=False)
        command = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "--kill-child", "sh", "-c"]
        inside = [sys.executable, "-m", "moola_core", "worker", "--device", "cpu", "--idle", "30", "--store"]
        words = f"hostname {self.mark[:8]}; exec {' '.join([*inside, str(self.store.root)])}"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([*command, words], cwd=ROOT, **quiet)
        began = wait_for(lambda: workers.of(self.store.root, ["cpu"])[0].state == "elsewhere", 20)
        time.sleep(self.rng.uniform(0, most_s))
        process.kill()
        process.wait()
        self.counts["container"] += began
        return began

    def _kill(self, candidates: Sequence[psutil.Process], what: str) -> bool:
        if not candidates:
            return False
        try:
            candidates[int(self.rng.integers(len(candidates)))].kill()
        except psutil.NoSuchProcess:
            return False
        self.counts[what] += 1
        return True

    def trainers(self) -> list[psutil.Process]:
        return [p for p in self.processes() if "moola_core.launch.worker" in _command(p)]

    def processes(self) -> list[psutil.Process]:
        """All processes that this store's submitting has brought about."""
        return [p for p in psutil.process_iter() if p.pid != os.getpid() and _environment(p).get(MARK) == self.mark]

    def thin_out(self, keep: int) -> None:
        """Cancel waiting runs beyond `keep`: they were only there to be begun."""
        waiting = [entry.run_id for entry in Queue(self.store.root).entries() if not entry.worker]
        for run_id in waiting[keep:]:
            LocalLauncher(self.store).cancel(run_id)

    def settle(self, seconds: float) -> list[str]:
        """Resume what was lost until every run has ended well; those that have not in time. Then wait until no process is left."""
        launcher, until = LocalLauncher(self.store), time.monotonic() + seconds
        while True:
            records = self.store.runs()
            for record in records:
                if record.state in RESUMABLE and record.error != "Cancelled before it began.":
                    launcher.resume(record.run_id)
            open_ = [r.run_id for r in records if r.state != "done" and r.error != "Cancelled before it began."]
            if not open_ or time.monotonic() > until:
                break
            ensure_worker(self.store.root)
            time.sleep(0.5)
        return open_

    def orphans(self, seconds: float) -> list[str]:
        """Processes that are left when nothing is to be done and the workers have had time to leave."""
        wait_for(lambda: not self.processes(), seconds)
        return [f"{p.pid} {_command(p)[:120]}" for p in self.processes()]

    def lost(self) -> list[str]:
        """Runs that a submitter was promised and that are not in the store."""
        return sorted(set(self.acknowledged) - {r.run_id for r in self.store.runs(include_archived=True)})

    def torn(self) -> list[str]:
        """Files of any run that cannot be read to their end."""
        return [text for run in self.store.runs_folder.iterdir() for text in torn_files(Run(run))]


def torn_files(run: Run) -> list[str]:
    readers: dict[str, Callable[[Path], Any]] = {
        ".json": lambda path: codec.loads(path.read_bytes()),
        ".jsonl": lambda path: [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] and None,
        ".parquet": pq.read_table,
        ".safetensors": load_file,
    }
    found = []
    for path in run.folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(run.folder.parent).parts)
        if path.suffix in readers and path.is_file() and not hidden:
            try:
                readers[path.suffix](path)
            except Exception as error:  # noqa: BLE001 - whatever comes is what is counted
                found.append(f"{path}: {error}")
    return found


def codec_spec(path: Path) -> Any:
    from moola_core import specs

    return specs.parse(path.read_text())


def wait_for(ready: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def answers(run: Run) -> Any:
    return run.predictions.sort_values(["repeat", "window_id"], ignore_index=True)


def fire(site: Site, kills: Sequence[Callable[[], bool]], pause_s: float, keep: int = 2) -> None:
    """One kill after another, each after a random pause of at most `pause_s`; one that found nobody is tried again."""
    for kill in kills:
        done = False
        until = time.monotonic() + 600
        while not done and time.monotonic() < until:
            if len(Queue(site.store.root).entries()) < keep:
                site.submit()
            time.sleep(site.rng.uniform(0, pause_s))
            done = kill()
            if not done:
                ensure_worker(site.store.root)
        site.thin_out(keep)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ() if process.status() != psutil.STATUS_ZOMBIE else {}
    except psutil.Error:
        return {}
