"""search."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from moola_core.arguments import duration_s
from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import SpecError
from moola_core.presets import PRESETS
from moola_core.specs.choices import TRAINED

SPACE = """SPACE.json names the settings to try, each with a range or with choices:
  {"model.dropout": {"low": 0.1, "high": 0.6},
   "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": true},
   "model.layers": {"choices": [1, 2]}}
Without it the settings that are worth trying for the model are searched. The first trial has the settings as they are."""
OF_SEARCH = ("trials", "sampler", "metric", "seed")


def add_to(commands: Any) -> None:
    search = commands.add_parser(
        "search",
        help="try other settings on the same folds; what the best of them is expected to reach",
        description="Makes trials of other settings, and says what the best of them is expected to reach on new windows.",
        epilog=SPACE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    search.add_argument("space", nargs="?", metavar="SPACE.json", help="the settings to try")
    search.add_argument("--windows", metavar="FILE", help="labelled windows")
    search.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from")
    search.add_argument("--checkpoint", default="", metavar="RUN_OR_FILE", help="the pre-trained encoder to start from")
    search.add_argument("--model", metavar="NAME", default="", help=f"the model: {', '.join(TRAINED)}")
    search.add_argument("--preset", default="recommended", help=", ".join(PRESETS))
    options.add_settings(search, "a setting of all trials")
    search.add_argument("--budget", metavar="TIME", help="after which no trial begins, such as 30m (default: none)")
    search.add_argument("--trials", type=int, metavar="N", help="at most so many trials (default: 20)")
    search.add_argument("--sampler", choices=("tpe", "random"), help="how settings are proposed (default: tpe)")
    search.add_argument("--metric", metavar="NAME", help="by which trials are compared (default: f1_macro)")
    search.add_argument("--seed", type=int, metavar="N", help="random seed of the proposals (default: 17)")
    search.add_argument("--resume", metavar="SEARCH", default="", help="resume an interrupted search")
    options.add_names(search)
    options.add_reading(search)
    options.add_mirror(search)
    options.add_store(search)
    options.add_json(search)
    search.set_defaults(command=run_search)


def run_search(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store

    store = Store(args.store)
    if args.resume:
        _refuse_others(args)
        run = store.open(args.resume)
        if run.record.kind != "search":
            raise SpecError(
                f"it is a {run.record.kind} run.", where=f"run {run.id}", hint="Name a search: `moola runs` lists them."
            )
    else:
        run = store.create(_spec(args), args.name or "search", args.note, args.tag)
    execute(run, resume=bool(args.resume))
    return _show(args, run)


def _refuse_others(args: argparse.Namespace) -> None:
    """Raise SpecError for what a search that goes on would pass over in silence."""
    why = "a resumed search keeps the settings that it started with."
    options.refuse_changes(args, "--resume", why)
    given = [f"--{name}" for name in ("windows", "bars", "model", "budget", *OF_SEARCH) if getattr(args, name)]
    given += [args.space] if args.space else []
    if given:
        raise SpecError(why, where="--resume", hint=f"Leave out {' '.join(given)}.")


def _spec(args: argparse.Namespace) -> Any:
    from moola_core.launch.training_specs import finetune_spec
    from moola_core.searches import search_spec

    if not args.windows:
        raise SpecError("a search needs labelled windows.", where="search", hint="Give --windows FILE.")
    how = {name: getattr(args, name) for name in OF_SEARCH}
    how["budget_s"] = duration_s(args.budget, "--budget") if args.budget else None
    space = _space(args.space) if args.space else None
    changes = options.pairs(args.changes, "--set") | ({"estimator": args.model} if args.model else {})
    base = finetune_spec(args.preset, options.data(args), changes, args.checkpoint, args.store)
    return search_spec(base, space, **how)


def _space(name: str) -> Any:
    path = Path(name)
    if not path.is_file():
        raise SpecError("no such file.", where=name, hint="Give a JSON file that names the settings to try.")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        hint = 'Give a JSON object, such as {"model.dropout": {"low": 0.1, "high": 0.6}}.'
        raise SpecError(f"it cannot be read: {error}.", where=name, hint=hint) from None


def _show(args: argparse.Namespace, run: Any) -> int:
    from moola_core.sections import registry, text
    from moola_core.sections.context import ReportContext

    result, context = run.result("search"), ReportContext(run)
    values = {"run_id": run.id, "state": run.record.state, **result}
    values |= {"seconds": run.record.seconds, "warnings": run.record.warnings}
    parts = [text.render(registry.make(name, context)) for name in ("searched", "trials")]
    options.print_result(values, args.json, "\n\n".join(parts))
    return 0
