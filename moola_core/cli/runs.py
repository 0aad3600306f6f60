"""runs."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import options


def add_to(commands: Any) -> None:
    runs = commands.add_parser("runs", help="list the runs of the store, newest first")
    runs.add_argument("--all", action="store_true", help="archived ones too")
    options.add_store(runs)
    options.add_json(runs)
    runs.set_defaults(command=list_runs)


def list_runs(chosen: argparse.Namespace) -> int:
    from moola_core.runs.store import Store

    records = Store(chosen.store).runs(include_archived=chosen.all)
    rows = [("run", "kind", "state", "preset", "name", "seconds")]
    rows += [
        (r.run_id, r.kind, r.state, r.preset, r.name, "" if r.seconds is None else f"{r.seconds:.0f}") for r in records
    ]
    text = (
        options.table(rows)
        if records
        else f"No runs in {chosen.store}. Start one with `moola finetune --windows FILE`."
    )
    options.show(records, chosen.json, text)
    return 0
