"""A store whose trainers, workers and submitters are killed at random moments, and what is left of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
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
from moola_core.runs.liveness import HEARTBEAT, alive
from moola_core.runs.queue import Queue
from moola_core.runs.record import RESUMABLE
from moola_core.runs.store import Run, Store

ROOT = Path(__file__).parents[2]
MARK = "MOOLA_FAULTS"
PATIENCE_S, LEAVES_S = 600.0, 3.0
CANCELLED = "Cancelled before it began."
KEPT = ("acknowledged", "doubled", "broken", "hung", "latest", "lives")
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
GO_ON = """
import sys
from pathlib import Path
from moola_core.launch.worker import execute
from moola_core.runs.store import Run
execute(Run(Path(sys.argv[1])))
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
        self.doubled: list[str] = []
        self.broken: list[str] = []
        self.hung: list[str] = []
        self.latest: dict[str, str] = {}
        self.lives: dict[str, float] = {}
        self.mark = uuid.uuid4().hex
        os.environ[MARK] = self.mark

    def keep(self, path: Path, done: Mapping[str, int]) -> None:
        """What was done so far, so that another process can go on."""
        values = {"done": dict(done), "mark": self.mark, "counts": dict(self.counts)}
        values |= {name: getattr(self, name) for name in KEPT}
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(values))
        draft.replace(path)

    def go_on(self, path: Path) -> dict[str, int]:
        """Go on where `keep` was last called, with other random moments; how many kills are done."""
        if not path.is_file():
            return {}
        values = json.loads(path.read_text())
        self.mark = os.environ[MARK] = values["mark"]
        self.counts = Counter(values["counts"])
        for name in KEPT:
            setattr(self, name, values[name])
        self.rng = np.random.default_rng((sum(values["done"].values()), int(self.rng.integers(1 << 30))))
        return dict(values["done"])

    def feed(self, keep: int) -> None:
        """See that so many runs wait or run in the queue: interrupted ones go on, and where there are none, new ones are submitted."""
        missing = keep - len(Queue(self.store.root).entries())
        if missing <= 0:
            return
        lost = [r for r in self.store.runs("finetune") if r.state in RESUMABLE and r.queue and r.error != CANCELLED]
        for record in lost[:missing]:
            LocalLauncher(self.store).resume(record.run_id)
        for _ in range(missing - len(lost)):
            self.submit()

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

    def kill_worker(self) -> bool:
        """Kill the device's worker, if there is one, and start another as the app does."""
        lock = Lock(self.store.root, default_device())
        if not lock.held():
            ensure_worker(self.store.root)
            return False
        try:
            process = codec.load_object(lock.path.read_bytes())
        except ValueError:  # it has the lock and has not yet said who it is
            return False
        if not alive(process):
            return False
        psutil.Process(process["pid"]).kill()
        self.counts["worker"] += 1
        ensure_worker(self.store.root)
        return True

    def kill_trainer(self) -> bool:
        """Kill the process of the run that is under way, whether or not it has claimed it."""
        found = self.trainers()
        self._look_for_two()
        if not found:
            return False
        victim = found[int(self.rng.integers(len(found)))]
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            return False
        self.counts["trainer"] += 1
        return True

    def _look_for_two(self) -> None:
        """Two runs of the queue at once on one device, or two processes that train one run, are one too many.

        A worker that takes over may begin a process for a run that one of before is about to claim; the later one leaves within seconds.
        """
        running = [r for r in self.store.runs() if r.state == "running" and r.queue and alive(r.process)]
        if len(running) > 1:
            self.doubled.append(f"at once: {[r.run_id for r in running]}")
        first = _twice(self.processes())
        if first:
            time.sleep(LEAVES_S)
            self.doubled += [
                f"{folder}: {pids}" for folder, pids in _twice(self.processes()).items() if first.get(folder) == pids
            ]

    def kill_child(self, spec: Any, most_s: float = 4.0) -> bool:
        """Kill one of the processes that share the fits of a run, while it starts or later: the run then ends with a reason within 30 s."""
        process, run_id = self.go_on_with("child", spec)

        def children() -> list[psutil.Process]:
            return [p for p in self.processes() if "multiprocessing.spawn" in _command(p) and p.ppid() == process.pid]

        wait_for(lambda: bool(children()) or process.poll() is not None, 60)
        time.sleep(self.rng.uniform(0, most_s))
        killed = self._kill(_existing(children), "child")
        if killed and not wait_for(lambda: process.poll() is not None, 30):
            self.hung.append(f"{run_id} goes on 30 s after a process that shared its fits was killed")
            process.kill()
        process.wait()
        return killed

    def kill_of_kind(self, kind: str, spec: Any, life_s: float = 12.0) -> bool:
        """Kill a study, a plan or an investigation, begun or gone on with by its user, at any moment of its life; its fits end with it."""
        process, _ = self.go_on_with(kind, spec)
        started = time.monotonic()
        try:
            process.wait(self.rng.uniform(0, 1.2 * self.lives.get(kind, life_s)))
            self.lives[kind] = max(time.monotonic() - started, 4.0)
            return False
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.counts[kind] += 1
        return True

    def go_on_with(self, kind: str, spec: Any) -> tuple[subprocess.Popen, str]:
        """The process of the last run of this kind, gone on with where it was interrupted; of a new one where that has ended well."""
        run_id = self.latest.get(kind)
        if run_id is None or self.store.open(run_id).record.state == "done":
            self.latest[kind] = run_id = self.store.create(spec, name="kept").id
            self.acknowledged.append(run_id)
        command = [sys.executable, "-c", GO_ON, str(self.store.open(run_id).folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, cwd=ROOT, start_new_session=True, **quiet), run_id

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
        candidates = [p for p in self.processes() if _command(p).startswith(sys.executable)]
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

    def set_clock(self) -> bool:
        """Every sign of life is a day older or newer than it was, as after the clock was set forward or back."""
        by = float(self.rng.choice([-86_400, 86_400]))
        for path in [*self.store.root.glob("runs/*/heartbeat"), *self.store.root.glob("workers/*.lock")]:
            with suppress(FileNotFoundError):
                os.utime(path, (path.stat().st_mtime + by,) * 2)
        self.counts["clock"] += 1
        return True

    def kill_container(self, most_s: float = 8.0) -> bool:
        """A worker in a container with PIDs and a host name of its own, on the same store, killed with all that it began."""
        for process in self.processes():  # those too that are only starting, and would be the device's worker before it
            if "moola_core worker" in _command(process):
                self._kill([process], "")
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
        if what:
            self.counts[what] += 1
        return True

    def trainers(self) -> list[psutil.Process]:
        return [p for p in self.processes() if "-m moola_core.launch.worker" in _command(p)]

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
        for (
            run_id
        ) in self.latest.values():  # one that was killed before it claimed its run: that is still this process's own
            run = self.store.open(run_id)
            if run.record.state == "queued" and not run.record.queue:
                subprocess.run([sys.executable, "-c", GO_ON, str(run.folder)], cwd=ROOT, timeout=seconds, check=False)
        while True:
            records = self.store.runs()
            interrupted = {r.run_id for r in records if r.state in RESUMABLE and r.error != CANCELLED}
            for record in records:  # a part goes on with its whole
                if record.run_id in interrupted and record.parent not in interrupted:
                    launcher.resume(record.run_id)
            open_ = [r.run_id for r in records if r.state != "done" and r.error != CANCELLED]
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
    """One kill after another, each after a random pause of at most `pause_s`; one that found nobody is tried again. keep: runs in the queue."""
    for kill in kills:
        done = False
        until = time.monotonic() + PATIENCE_S
        while not done and time.monotonic() < until:
            if keep:
                site.feed(keep)
            time.sleep(site.rng.uniform(0, pause_s))
            done = kill()
            if not done and keep:
                ensure_worker(site.store.root)
        if not done:
            site.hung.append(f"nobody was there to be killed for {PATIENCE_S:g} s")
        if keep:
            site.thin_out(keep)


def _twice(processes: Sequence[psutil.Process]) -> dict[str, list[int]]:
    """The processes that hold the lease of one run, where there are several."""
    holders: dict[str, list[int]] = {}
    for process in processes:
        with suppress(psutil.Error):
            for file in process.open_files():
                if Path(file.path).name == HEARTBEAT:
                    holders.setdefault(str(Path(file.path).parent), []).append(process.pid)
    return {folder: pids for folder, pids in holders.items() if len(pids) > 1}


def _existing(processes: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    try:
        return [p for p in processes() if p.is_running() and p.cmdline()]
    except psutil.NoSuchProcess:
        return []


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
