"""history."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from moola_core.cli import options

SHOWN = 30


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "history", help="everything that was run on labelled windows and decided about them, newest first"
    )
    command.add_argument("--windows", metavar="FILE", required=True, help="the labelled windows")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows are cut from")
    command.add_argument("--all", action="store_true", help=f"all events, not the newest {SHOWN} alone")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_history)


def run_history(args: argparse.Namespace) -> int:
    from moola_core import history
    from moola_core.runs.store import Store
    from moola_core.runs.timeline import entries
    from moola_core.sections import timeline
    from moola_core.specs import Data, build

    data, store = build(Data, options.data(args)), Store(args.store)
    contents = history.contents_of(data)
    files = [str(file) for file in (data.windows, data.bars) if file]
    every = entries(store, partial(timeline.about, contents, files), contents, (data.windows,))
    shown = every if args.all else every[:SHOWN]
    events = [
        {
            "id": entry.id,
            "kind": entry.kind,
            "time": entry.time,
            "title": timeline.title_of(entry),
            "outcome": timeline.outcome(store, entry),
            "parts": [record.run_id for record in entry.parts],
            "superseded_by": entry.replaced_by.id if entry.replaced_by else "",
        }
        for entry in shown
    ]
    left = len(every) - len(shown)
    lines = [_line(event) for event in events]
    lines += [f"{left} earlier events; --all lists them."] if left else []
    nothing = f"Nothing was run on these windows or decided about them in {args.store}."
    options.print_result({"events": events, "left_out": left}, args.json, "\n".join(lines) or nothing)
    return 0


def _line(event: dict[str, Any]) -> str:
    """An event as it is read in a terminal."""
    parts = f" ({len(event['parts'])} runs)" if event["parts"] else ""
    gone = f" [superseded by {event['superseded_by']}]" if event["superseded_by"] else ""
    return f"{event['id']}  {event['title']}{parts}{gone}\n  {event['outcome']}"
