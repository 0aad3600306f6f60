"""plan: an investigation in the order of the researcher's phases."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import investigate, options
from moola_core.cli.progress import execute

# The phases with what each changed come first, then what follows from them.
SHOWN = ("questions", "unasked", "rules", "conclusion", "use")


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "plan",
        help="an investigation in the order of your phases: each is asked, and what it decides the next ones start from",
        description="Asks the questions of an investigation in the order of the phases, whatever they are expected to change: baselines, features, "
        "the two tasks, losses, PCGrad, patience, architectures, pre-training with its schedules, objectives and bars. What a phase decides is taken "
        "over by the next ones, and at the end the last settings are compared with the first.",
    )
    command.add_argument("--windows", metavar="FILE", help="labelled windows")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from; needed to pre-train")
    command.add_argument("--budget", default="10h", metavar="TIME", help="such as 15m, 2h or 10h (default: 10h)")
    command.add_argument("--goal", default="", metavar="GOAL", help='what you need, such as "hit_at_3 > 0.6"')
    command.add_argument("--checkpoint", default="", metavar="RUN_OR_FILE", help="an existing pre-trained encoder")
    command.add_argument("--preset", default="recommended", help="settings to start from (default: recommended)")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        metavar="KEY=VALUE",
        help="a setting of all phases; pretrain.KEY=VALUE for the pre-training, gates.KEY=VALUE for a threshold of your own rules",
    )
    command.add_argument("--resume", metavar="PLAN", default="", help="resume an interrupted plan")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
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
