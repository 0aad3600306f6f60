"""plan: an investigation in the order of the researcher's phases."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import investigate
from moola_core.cli.progress import execute

# The phases with what each changed come first, then what follows from them.
SHOWN = ("questions", "unasked", "rules", "conclusion", "use")


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "plan",
        help="an investigation in the order of your phases: each is asked, and what it decides the next ones start from",
        description="Asks the questions of an investigation in the order of the phases, whatever they are expected to change: baselines, features, "
        "the two tasks, the pointers added from the weights of the class alone, losses, PCGrad, patience, architectures, pre-training with its schedules, objectives and bars. What a phase decides is taken "
        "over by the next ones, and at the end the last settings are compared with the first.",
    )
    investigate.add_asked(command, "10h")
    command.set_defaults(command=run_plan)


def run_plan(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store

    store = Store(args.store)
    if args.resume:
        run = investigate.resumable(args, store)
    else:
        run = store.create(investigate.possible(args, store, order="phases"), name="plan")
    execute(run, resume=bool(args.resume))
    investigate.print_conclusion(args, run, SHOWN, {"plan_id": run.id})
    return 0
