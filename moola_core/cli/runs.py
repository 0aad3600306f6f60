"""runs."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import options
from moola_core.errors import SpecError

MEND = "These runs cannot be read. Restore the named file from a copy, or delete the run on the Runs page of the app."


def add_to(commands: Any) -> None:
    runs = commands.add_parser(
        "runs", help="list the runs of the store, newest first; of running ones how long they still take"
    )
    runs.add_argument("run", nargs="?", metavar="RUN", help="this run alone, with its last epoch")
    runs.add_argument("--all", action="store_true", help="archived ones too")
    runs.add_argument(
        "--follow",
        action="store_true",
        help="print the run's epochs as they come, until it ends; with --json a line of JSON each. Ctrl-C leaves it running",
    )
    options.add_store(runs)
    options.add_json(runs)
    runs.set_defaults(command=run_runs)


def run_runs(args: argparse.Namespace) -> int:
    if args.run:
        from moola_core.cli.following import follow, print_run

        return follow(args) if args.follow else print_run(args)
    if args.follow:
        raise SpecError("no run is named.", where="--follow", hint="Give its id: moola runs RUN --follow.")
    return list_runs(args)


def list_runs(args: argparse.Namespace) -> int:
    from moola_core.launch.estimate.remaining import remaining
    from moola_core.launch.standing import standing
    from moola_core.runs.store import Store

    store = Store(args.store)
    records = store.runs(include_archived=args.all)
    left = {r.run_id: remaining(store.open(r.run_id)) for r in records if r.state == "running" and not r.unreadable}
    rows = [("run", "kind", "state", "preset", "name", "seconds", "left")]
    rows += [
        (
            r.run_id,
            r.kind,
            _state(r),
            r.preset,
            r.name,
            "" if r.seconds is None else f"{r.seconds:.0f}",
            _left(left.get(r.run_id)),
        )
        for r in records
    ]
    reasons = [f"{r.run_id}: {r.unreadable}" for r in records if r.unreadable]
    doubts = [f"{r.run_id}: {why}" for r in records if not r.unreadable and (why := standing(store.open(r.run_id), r))]
    text = (
        "\n".join([options.table(rows), *([MEND, *reasons] if reasons else []), *doubts])
        if records
        else f"No runs in {args.store}. Start one with `moola finetune --windows FILE`."
    )
    options.print_result([vars(r) | {"remaining": left.get(r.run_id)} for r in records], args.json, text)
    return 0


def _left(left: Any) -> str:
    """How long it still takes, as `1 min 10 s (45 s to 2 min 00 s)`; empty where that is not known."""
    from moola_core.sections.formatting import duration, time_range

    return "" if left is None else f"{duration(left.seconds)} ({time_range(left.low, left.high)})"


def _state(record: Any) -> str:
    return f"{record.state}, unreadable" if record.unreadable else str(record.state)
