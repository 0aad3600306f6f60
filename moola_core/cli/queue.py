"""submit, worker, queue, cancel, resume."""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.errors import RunError, SpecError

CANCEL_S = 30.0


def add_to(commands: Any) -> None:
    submit = commands.add_parser("submit", help="queue a run of a spec and return at once")
    submit.add_argument("spec", metavar="SPEC.json")
    options.add_names(submit)
    _add_priority(submit)
    options.add_ray(submit)
    _finish(submit, run_submit)

    worker = commands.add_parser("worker", help="carry out the queue's runs on one device, in the foreground")
    worker.add_argument("--device", default="", help="cpu, cuda:0, cuda:1, … (default: the first card, else cpu)")
    worker.add_argument("--idle", type=float, metavar="SECONDS", help="end after so long without work; else it stays")
    options.add_mirror(worker)
    options.add_store(worker)
    worker.set_defaults(command=run_worker)

    queue = commands.add_parser("queue", help="what runs and what waits, in order; pause, go on, change a priority")
    change = queue.add_mutually_exclusive_group()
    change.add_argument("--pause", action="store_true", help="begin no further run; what is under way goes on")
    change.add_argument("--go", action="store_true", help="go on after a pause")
    change.add_argument("--first", metavar="RUN", help="let this waiting run be the next")
    _finish(queue, show_queue)

    cancel = commands.add_parser("cancel", help="end a run that waits or runs; it can be resumed")
    cancel.add_argument("run", metavar="RUN")
    _finish(cancel, run_cancel)

    job = commands.add_parser("job", help="what a Ray cluster says of a run that was sent to it, and its last lines")
    job.add_argument("run", metavar="RUN")
    job.add_argument("--lines", type=int, default=20, help="how many lines of its log (default: 20)")
    _finish(job, show_job)

    resume = commands.add_parser("resume", help="let an interrupted run go on where it stopped")
    resume.add_argument("run", metavar="RUN")
    resume.add_argument("--foreground", action="store_true", help="here, with a progress bar, instead of in the queue")
    for kind in ("windows", "bars"):
        resume.add_argument(f"--{kind}", metavar="FILE", help=f"where the {kind} lie now")
    _add_priority(resume)
    options.add_ray(resume)
    options.add_mirror(resume)
    _finish(resume, run_resume)


def _add_priority(command: argparse.ArgumentParser) -> None:
    command.add_argument("--priority", type=int, default=0, help="higher begins first (default: 0)")


def _finish(command: argparse.ArgumentParser, function: Any) -> None:
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=function)


def run_submit(chosen: argparse.Namespace) -> int:
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store
    from moola_core.specs import parse

    try:
        text = Path(chosen.spec).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}.", where=chosen.spec, hint="Give a JSON file.") from None
    spec = parse(text, chosen.spec)
    store, names = Store(chosen.store), (chosen.name, chosen.note, chosen.tag)
    if chosen.ray:
        from moola_core.launch.ray_jobs import RayLauncher

        run_id = RayLauncher(store, chosen.ray).submit(spec, *names)
    else:
        run_id = LocalLauncher(store).submit(spec, *names, priority=chosen.priority)
    options.show({"run_id": run_id, "state": "queued"}, chosen.json, f"Queued run {run_id}. `moola runs` shows it.")
    return 0


def run_worker(chosen: argparse.Namespace) -> int:
    from moola_core.launch import devices
    from moola_core.launch.device_worker import DeviceWorker
    from moola_core.runs.store import Store

    device = devices.check(chosen.device)
    worker = DeviceWorker(Store(chosen.store), device, chosen.idle, lambda text: print(text, flush=True))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    print(f"Worker of {device} in {chosen.store}. Ctrl-C ends it; a run that is under way goes on.", flush=True)
    worker.serve()
    return 0


def show_queue(chosen: argparse.Namespace) -> int:
    from moola_core.launch.local import ensure_worker
    from moola_core.runs.queue import Queue
    from moola_core.runs.store import Store

    store = Store(chosen.store)
    queue = Queue(store.root)
    if chosen.pause or chosen.go:
        queue.pause(chosen.pause)
    if chosen.first:
        store.open(chosen.first)
        highest = max((entry.priority for entry in queue.entries()), default=0)
        if not queue.prioritise(chosen.first, highest + 1):
            raise RunError("does not wait in the queue.", where=f"run {chosen.first}", hint="`moola queue` lists it.")
    entries, paused = queue.shown()
    if chosen.go and entries:
        ensure_worker(store.root)
    rows = [("run", "priority", "name", "where")]
    names = {record.run_id: record.name for record in store.runs(include_archived=True)}
    rows += [(e.run_id, str(e.priority), names.get(e.run_id, ""), e.worker or "waits") for e in entries]
    text = options.table(rows) if entries else "Nothing runs and nothing waits."
    note = "\nPaused: no further run begins. `moola queue --go` goes on." if paused else ""
    options.show({"paused": paused, "entries": entries}, chosen.json, text + note)
    return 0


def show_job(chosen: argparse.Namespace) -> int:
    from moola_core.launch.ray_jobs import RayLauncher
    from moola_core.runs.store import Store

    store = Store(chosen.store)
    address = store.open(chosen.run).record.queue.get("cluster", "")
    if not address:
        raise RunError(
            "was not sent to a cluster.", where=f"run {chosen.run}", hint="`moola queue` shows what runs here."
        )
    launcher = RayLauncher(store, address)
    told = {"run_id": chosen.run, "job": launcher.status(chosen.run), "log": launcher.log(chosen.run, chosen.lines)}
    options.show(told, chosen.json, f"{told['job']}\n{told['log']}".rstrip())
    return 0


def run_cancel(chosen: argparse.Namespace) -> int:
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store

    store = Store(chosen.store)
    LocalLauncher(store).cancel(chosen.run)
    run, until = store.open(chosen.run), time.monotonic() + CANCEL_S
    while run.record.active and time.monotonic() < until:
        time.sleep(0.1)
    state = run.record.state
    options.show({"run_id": run.id, "state": state}, chosen.json, f"Run {run.id} is {state}.")
    return 0 if state != "running" else 1


def _say_where(run: Any, given: dict[str, str | None]) -> None:
    """Keep where the run's files lie on this machine."""
    from moola_core.runs.bonds import files, move

    places: dict[str, str] = {}
    for kind, path in given.items():
        named = files(run, (kind,)) if path else []
        if path and not named:
            raise RunError(f"names no file of {kind}.", where=f"run {run.id}", hint=f"Leave --{kind} out.")
        places |= {name: str(Path(path).resolve()) for name in named if path}
    if places:
        move(run, places)


def run_resume(chosen: argparse.Namespace) -> int:
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store

    store = Store(chosen.store)
    run = store.open(chosen.run)
    _say_where(run, {"windows": chosen.windows, "bars": chosen.bars})
    if chosen.ray:
        from moola_core.launch.ray_jobs import RayLauncher

        RayLauncher(store, chosen.ray).resume(run.id)
    elif not chosen.foreground:
        LocalLauncher(store).resume(run.id, chosen.priority)
    if chosen.ray or not chosen.foreground:
        options.show({"run_id": run.id, "state": "queued"}, chosen.json, f"Run {run.id} is queued to go on.")
        return 0
    from moola_core.cli.progress import carry_out

    carry_out(run, resume=True)
    state = run.record.state
    options.show({"run_id": run.id, "state": state}, chosen.json, f"Run {run.id} is {state}.")
    return 0
