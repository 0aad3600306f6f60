"""decide."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moola_core.cli import options
from moola_core.errors import SpecError

if TYPE_CHECKING:
    from moola_core.runs.decisions import Decision


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "decide",
        help="keep a decision about labelled windows with its reason, or list those that there are",
        description="Keeps what was decided about a data set, why, and on which runs it rests. Nothing is ever deleted: a later "
        "decision supersedes an earlier one, or amends it.",
    )
    command.add_argument("text", nargs="?", type=options.words, default="", metavar="TEXT", help="what was decided")
    command.add_argument("--because", type=options.words, default="", metavar="WHY", help="the reason")
    command.add_argument("--windows", metavar="FILE", help="the labelled windows that it is about")
    command.add_argument(
        "--bars", metavar="FILE", help="the bars that the windows are cut from, where they hold no prices"
    )
    command.add_argument(
        "--run", action="append", default=[], dest="runs", metavar="RUN", help="a run that it rests on; may be repeated"
    )
    command.add_argument(
        "--supersedes", default="", metavar="ID", help="the earlier decision that it takes the place of"
    )
    command.add_argument("--amends", default="", metavar="ID", help="the earlier decision that it adds to")
    command.add_argument(
        "--who", type=options.words, default="", metavar="NAME", help="who decided (default: the user)"
    )
    command.add_argument("--list", action="store_true", dest="listed", help="list the decisions, newest first")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_decide)


def run_decide(args: argparse.Namespace) -> int:
    from moola_core import history
    from moola_core.runs.decisions import Decision
    from moola_core.runs.store import Store
    from moola_core.specs import Data, build

    data = build(Data, options.data(args)) if args.windows else None
    if args.listed:
        return _list(args, data)
    if not args.text:
        raise SpecError(
            "a decision needs a text.", where="decide", hint='Give it: moola decide "TEXT" --because "WHY".'
        )
    decision = Decision(
        args.text,
        args.because,
        runs=tuple(args.runs),
        who=args.who or history.user(),
        supersedes=args.supersedes,
        amends=args.amends,
    )
    made = history.keep(Store(args.store), decision, data)
    options.print_result(made, args.json, f"Kept as decision {made.id}.")
    return 0


def _list(args: argparse.Namespace, data: Any) -> int:
    from moola_core import history
    from moola_core.runs import decisions
    from moola_core.runs.store import Store

    if args.text or args.because or args.runs or args.supersedes or args.amends:
        raise SpecError(
            "--list only lists.", where="decide", hint="Leave out the text and its options, or leave out --list."
        )
    store = Store(args.store)
    every = decisions.listed(store)
    shown = every if data is None else history.about(store, data)
    by = decisions.superseded(every)
    values = [vars(one) | {"superseded_by": by.get(one.id, "")} for one in shown]
    options.print_result({"decisions": values}, args.json, _text(shown, by) or _none(args))
    return 0


def _none(args: argparse.Namespace) -> str:
    about = " about these windows" if args.windows else ""
    return (
        f'There are no decisions{about} in {args.store}. Add one: moola decide "TEXT" --because "WHY" --windows FILE.'
    )


def _text(shown: Sequence[Decision], by: Mapping[str, str]) -> str:
    return "\n\n".join("\n".join(_lines(one, by)) for one in shown)


def _lines(one: Decision, by: Mapping[str, str]) -> list[str]:
    """A decision as it is read in a terminal."""
    if one.unreadable:
        return [f"{one.id}  cannot be read: {one.unreadable}. Restore the file from a copy."]
    who = f"  {one.who}" if one.who else ""
    lines = [f"{one.id}  {one.time[:16].replace('T', ' ')} UTC{who}"]
    lines += [f"  Superseded by {by[one.id]}."] if one.id in by else []
    lines.append(f"  {one.text}")
    lines += [f"  Because: {one.reason}"] if one.reason else []
    lines += [f"  Supersedes {one.supersedes}."] if one.supersedes else []
    lines += [f"  Amends {one.amends}."] if one.amends else []
    return [*lines, f"  Runs: {', '.join(one.runs)}"] if one.runs else lines
