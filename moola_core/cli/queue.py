"""submit, worker, queue, cancel, resume."""

from __future__ import annotations

import argparse
import signal
import time
from pathlib import Path
from typing import Any

from moola_core import outgoing
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
    worker.add_argument(
        "--device",
        default="",
        help="cpu, cuda:0, cuda:1, …, or short for short runs alone (default: the first card, else cpu)",
    )
    worker.add_argument("--idle", type=float, metavar="SECONDS", help="end after so long without work; else it stays")
    options.add_mirror(worker)
    options.add_store(worker)
    worker.set_defaults(command=run_worker)

    queue = commands.add_parser("queue", help="running and waiting runs, in order; pause, resume, change a priority")
    change = queue.add_mutually_exclusive_group()
    change.add_argument("--pause", action="store_true", help="start no further run; running ones continue")
    change.add_argument("--resume", action="store_true", help="start runs again after a pause")
    change.add_argument("--run-next", metavar="RUN", help="let this waiting run be the next")
    # What these two were called in earlier versions.
    change.add_argument("--go", dest="resume", action="store_true", help=argparse.SUPPRESS)
    change.add_argument("--first", dest="run_next", help=argparse.SUPPRESS)
    _finish(queue, show_queue)

    cancel = commands.add_parser("cancel", help="cancel a waiting or running run; it can be resumed")
    cancel.add_argument("run", metavar="RUN")
    _finish(cancel, run_cancel)

    job = commands.add_parser(
        "job", help="status of a run that was sent to a Ray cluster, and the last lines of its log"
    )
    job.add_argument("run", metavar="RUN")
    job.add_argument("--lines", type=int, default=20, help="how many lines of its log (default: 20)")
    _finish(job, show_job)

    resume = commands.add_parser("resume", help="resume an interrupted run where it stopped")
    resume.add_argument("run", metavar="RUN")
    resume.add_argument("--foreground", action="store_true", help="here, with a progress bar, instead of in the queue")
    for kind in ("windows", "bars"):
        resume.add_argument(f"--{kind}", metavar="FILE", help=f"where the file of {kind} is now")
    _add_priority(resume)
    options.add_ray(resume)
    options.add_mirror(resume)
    _finish(resume, run_resume)


def _add_priority(command: argparse.ArgumentParser) -> None:
    command.add_argument("--priority", type=int, default=0, help="higher starts first (default: 0)")


def _finish(command: argparse.ArgumentParser, function: Any) -> None:
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=function)


def run_submit(args: argparse.Namespace) -> int:
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store
    from moola_core.specs import parse

    try:
        text = Path(args.spec).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}.", where=args.spec, hint="Give a JSON file.") from None
    spec = parse(text, args.spec)
    store, names = Store(args.store), (args.name, args.note, args.tag)
    if args.ray:
        from moola_core.launch.ray_jobs import RayLauncher

        run_id = RayLauncher(store, args.ray).submit(spec, *names)
    else:
        run_id = LocalLauncher(store).submit(spec, *names, priority=args.priority)
    options.print_result(
        {"run_id": run_id, "state": "queued"}, args.json, f"Queued run {run_id}. `moola runs` shows it."
    )
    return 0


def run_worker(args: argparse.Namespace) -> int:
    from moola_core.launch import devices
    from moola_core.launch.device_worker import DeviceWorker
    from moola_core.runs.store import Store

    device = devices.check(args.device)
    worker = DeviceWorker(
        Store(args.store), device, args.idle, lambda text: print(outgoing.for_terminal(text), flush=True)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    print(f"Worker of {device} in {args.store}. Ctrl-C stops it; a running run continues.", flush=True)
    worker.serve()
    return 0


def show_queue(args: argparse.Namespace) -> int:
    from moola_core.launch import workers
    from moola_core.launch.devices import default_device
    from moola_core.launch.local import ensure_worker
    from moola_core.runs.queue import Queue
    from moola_core.runs.store import Store

    store = Store(args.store)
    queue = Queue(store.root)
    if args.pause or args.resume:
        queue.pause(args.pause)
    if args.run_next:
        store.open(args.run_next)
        highest = max((entry.priority for entry in queue.entries()), default=0)
        if not queue.prioritise(args.run_next, highest + 1):
            raise RunError("does not wait in the queue.", where=f"run {args.run_next}", hint="`moola queue` lists it.")
    entries, paused = queue.shown()
    if args.resume and entries:
        ensure_worker(store.root)
    rows = [("run", "priority", "name", "where")]
    names = {record.run_id: record.name for record in store.runs(include_archived=True)}
    why = {e.run_id: _waits(store, e.run_id) for e in entries if not e.worker and e.run_id in names}
    rows += [
        (e.run_id, str(e.priority), names.get(e.run_id, ""), e.worker or why.get(e.run_id) or "waits") for e in entries
    ]
    text = options.table(rows) if entries else "No run is running or waiting."
    there = workers.of(store.root, [entry.worker or default_device() for entry in entries])
    text += "".join(f"\n{one.sentence}" for one in there)
    note = "\nPaused: no further run starts until `moola queue --resume`." if paused else ""
    options.print_result({"paused": paused, "entries": entries, "workers": there}, args.json, text + note)
    return 0


def _waits(store: Any, run_id: str) -> str:
    """What a waiting run waits for, as a sentence; empty where a worker has just taken it."""
    from moola_core.launch.waiting import waiting
    from moola_core.sections.waiting_text import sentence

    reason = waiting(store.open(run_id))
    return sentence(reason) if reason else ""


def show_job(args: argparse.Namespace) -> int:
    from moola_core.launch.ray_jobs import RayLauncher
    from moola_core.runs.store import Store

    store = Store(args.store)
    address = store.open(args.run).record.queue.get("cluster", "")
    if not address:
        raise RunError(
            "was not sent to a cluster.", where=f"run {args.run}", hint="`moola queue` shows what runs here."
        )
    launcher = RayLauncher(store, address)
    result = {"run_id": args.run, "job": launcher.status(args.run), "log": launcher.log(args.run, args.lines)}
    options.print_result(result, args.json, f"{result['job']}\n{result['log']}".rstrip())
    return 0


def run_cancel(args: argparse.Namespace) -> int:
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store

    store = Store(args.store)
    LocalLauncher(store).cancel(args.run)
    run, until = store.open(args.run), time.monotonic() + CANCEL_S
    # Its last words come before the end of its processes.
    while (run.record.active or _works(run)) and time.monotonic() < until:
        time.sleep(0.1)
    state = "running" if _works(run) else run.record.state
    options.print_result({"run_id": run.id, "state": state}, args.json, f"Run {run.id} is {state}.")
    return 0 if state != "running" else 1


def _works(run: Any) -> bool:
    """Whether a process of the run is still there, other than one that waits here for it."""
    from moola_core.launch import groups

    process = run.record.process
    return bool(process.get("worker")) and bool(groups.members(process))


def _say_where(run: Any, given: dict[str, str | None]) -> None:
    """Keep where the run's files lie on this machine."""
    from moola_core.runs.references import files, move

    places: dict[str, str] = {}
    for kind, path in given.items():
        named = files(run, (kind,)) if path else []
        if path and not named:
            raise RunError(f"names no file of {kind}.", where=f"run {run.id}", hint=f"Leave --{kind} out.")
        places |= {name: str(Path(path).resolve()) for name in named if path}
    if places:
        move(run, places)


def run_resume(args: argparse.Namespace) -> int:
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store

    store = Store(args.store)
    run = store.open(args.run)
    _say_where(run, {"windows": args.windows, "bars": args.bars})
    if args.ray:
        from moola_core.launch.ray_jobs import RayLauncher

        RayLauncher(store, args.ray).resume(run.id)
    elif not args.foreground:
        LocalLauncher(store).resume(run.id, args.priority)
    if args.ray or not args.foreground:
        options.print_result({"run_id": run.id, "state": "queued"}, args.json, f"Run {run.id} is queued to resume.")
        return 0
    from moola_core.cli.progress import execute

    execute(run, resume=True)
    state = run.record.state
    options.print_result({"run_id": run.id, "state": state}, args.json, f"Run {run.id} is {state}.")
    return 0
