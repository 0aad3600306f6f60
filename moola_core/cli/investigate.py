"""investigate: from data to a conclusion."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from moola_core.arguments import duration_s
from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import RunError, SpecError


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "investigate",
        help="from data to a conclusion: experiments chosen one after another within a budget of time",
        description="Asks at each step the question whose answer is most likely to change the conclusion for its time, and ends with what to use, "
        "how sure that is, whether pre-training helps, what was wrong, and what to do next.",
    )
    add_asked(command, "15m")
    options.add_names(command)
    command.set_defaults(command=run_investigation)


def add_asked(command: argparse.ArgumentParser, budget: str) -> None:
    """What an investigation can be asked for, in either order of its questions; budget: how long it takes unless it is told."""
    command.add_argument("--windows", metavar="FILE", help="labelled windows")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from; needed to pre-train")
    command.add_argument("--budget", default=budget, metavar="TIME", help=f"such as 90s, 15m or 2h (default: {budget})")
    command.add_argument("--goal", default="", metavar="GOAL", help='what you need, such as "hit_at_3 > 0.6"')
    command.add_argument(
        "--preset", default="recommended", help="settings that yours start from (default: recommended)"
    )
    options.add_settings(
        command, "your settings; pretrain.KEY=VALUE of pre-training, gates.KEY=VALUE a threshold of your own rules"
    )
    command.add_argument("--checkpoint", default="", metavar="RUN_OR_FILE", help="an existing pre-trained encoder")
    command.add_argument("--resume", metavar="RUN", default="", help="resume an interrupted one")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)


def run_investigation(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store

    store = Store(args.store)
    if args.resume:
        run = resumable(args, store)
    else:
        run = store.create(possible(args, store), name=args.name or "investigation", note=args.note, tags=args.tag)
    execute(run, resume=bool(args.resume))
    print_conclusion(args, run)
    return 0


def resumable(args: argparse.Namespace, store: Any) -> Any:
    """The interrupted run that is to go on. Raises RunError for one that is no investigation, and SpecError for a plan of an earlier version."""
    from moola_core.launch import earlier

    options.refuse_changes(args, "--resume", "a resumed investigation keeps the settings that it started with.")
    run = store.open(args.resume)
    earlier.refuse(run.spec)
    if run.record.kind != "investigation":
        raise RunError(
            f"is a {run.record.kind} run, not an investigation.",
            where=f"run {run.id}",
            hint=f"Resume it with `moola resume {run.id}`.",
        )
    return run


def possible(args: argparse.Namespace, store: Any, **more: Any) -> Any:
    """The investigation that is asked for, if its data allows one: otherwise no run is made. more: what the command itself sets."""
    from moola_core.specs import Investigation, build, change

    if not args.windows:
        raise SpecError("labelled windows are needed.", where="--windows", hint="Give --windows FILE.")
    values = {name: getattr(args, name) for name in ("preset", "checkpoint")}
    values |= {"data": options.data(args), "budget_s": duration_s(args.budget, "--budget"), "goal": args.goal}
    asked = options.pairs(args.changes, "--set")
    own = {name: value for name, value in asked.items() if name.startswith("gates.")}
    changes = {name: value for name, value in asked.items() if name not in own}
    spec = change(build(Investigation, values | {"changes": changes} | more, "investigate"), own)
    from moola_core.launch.worker import investigate  # loads torch: only once the settings are known to be right

    investigate.opened(spec, store.root)
    return spec


def print_conclusion(
    args: argparse.Namespace,
    run: Any,
    sections: Sequence[str] = ("conclusion", "use", "unasked"),
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print the conclusion: these sections, or with --json its values and `more`."""
    from moola_core.sections import registry, text
    from moola_core.sections.context import ReportContext

    report, context = run.result("investigation"), ReportContext(run)
    best = report["best"]
    values = {
        **(more or {}),
        "run_id": run.id,
        "conclusion": [statement["text"] for statement in report["conclusion"]],
        "best": {name: best[name] for name in ("model", "run_id", "metric", "measured", "expected", "low", "high")}
        if best
        else None,
        "steps": [
            {name: step[name] for name in ("question", "why", "answer", "outcome", "run_id", "seconds")}
            for step in report["steps"]
        ],
        "next": [statement["text"] for statement in report["conclusion"] if statement["kind"] == "next"],
        "ended": report["ended"],
        "spent_s": report["spent_s"],
    }
    shown = [text.render(registry.make(name, context)) for name in sections]
    options.print_result(values, args.json, "\n\n".join(shown))
