"""study, compare, rerun, import-predictions."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.errors import RunError, SpecError

LABELLED_BARS = """what pre-training may see of the bars of labelled windows:
  --set pretrain.sampling.labelled=exclude   (default) no window that shares bars with any labelled one;
                                             one pre-training for each seed, at most pretraining_seeds (3)
  --set pretrain.sampling.labelled=per_fold  in each fold of each repeat all but the bars of the windows that it
                                             tests or stops on; folds x repeats pre-trainings
  --set pretrain.sampling.labelled=see       all bars, without the labels; as many pre-trainings as exclude
A study that would have fewer than 100 windows to pre-train on is refused before it starts, with how many
windows each of the three leaves of your bars and how many pre-trainings it takes."""


def add_to(commands: Any) -> None:
    study = commands.add_parser(
        "study",
        help="arms on the same folds: their runs, simple models for comparison, and the verdict",
        description="Runs the arms of a study on the same folds and seeds, and says which help and which hurt.",
        epilog=LABELLED_BARS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    study.add_argument("name", metavar="NAME", help="a named study, or FILE.json with one of your own")
    study.add_argument("--windows", metavar="FILE", help="labelled windows")
    study.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from; needed to pre-train")
    study.add_argument("--checkpoint", default="", metavar="RUN_OR_FILE", help="an existing pre-trained encoder")
    study.add_argument(
        "--preset", default="recommended", help="settings that all arms start from (default: recommended)"
    )
    options.add_settings(study, "a setting of all arms; pretrain.KEY=VALUE for the pre-training")
    study.add_argument("--resume", metavar="STUDY", default="", help="resume an interrupted study")
    options.add_ray(study)
    options.add_reading(study)
    options.add_store(study)
    options.add_json(study)
    study.set_defaults(command=run_study)
    _add_comparisons(commands)


def _add_comparisons(commands: Any) -> None:
    """Commands that compare finished runs, or predictions that were made elsewhere."""
    compare = commands.add_parser(
        "compare", help="compare finished runs with the first of them; a verdict where they share folds"
    )
    compare.add_argument("runs", nargs="+", metavar="RUN")
    options.add_store(compare)
    options.add_json(compare)
    compare.set_defaults(command=run_compare)

    rerun = commands.add_parser("rerun", help="the same spec again, and the largest difference in probability")
    rerun.add_argument("run", metavar="RUN")
    rerun.add_argument("--windows", metavar="FILE", help="where the file of windows is now")
    options.add_store(rerun)
    options.add_json(rerun)
    rerun.set_defaults(command=run_again)

    imported = commands.add_parser("import-predictions", help="a run made of anyone's out-of-fold predictions")
    imported.add_argument(
        "file",
        metavar="FILE",
        help="Parquet, CSV, JSON lines, Excel or .npz: window_id, fold, p_<class> or predicted; repeat, start_pred, end_pred",
    )
    options.add_answers(imported)
    imported.add_argument("--windows", metavar="FILE", required=True, help="the labelled windows")
    imported.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from")
    imported.add_argument("--name", type=options.words, default="")
    options.add_reading(imported)
    options.add_store(imported)
    options.add_json(imported)
    imported.set_defaults(command=run_import)


def run_import(args: argparse.Namespace) -> int:
    from moola_core.cli.train import summary
    from moola_core.launch.worker.imported import PredictionReading, import_predictions
    from moola_core.runs.store import Store
    from moola_core.specs import Finetune, build

    answers = PredictionReading(
        options.pairs(args.map, "--map"),
        options.pairs(args.class_map, "--class"),
        args.logits,
        args.folds,
        args.pointers,
        args.in_order,
    )
    spec = build(Finetune, {"estimator": "imported", "data": options.data(args)})
    run = import_predictions(Store(args.store), args.file, spec, args.name, answers)
    result = summary(run)
    score = (result["metrics"].get("f1_macro") or {}).get("mean")
    score_text = "no macro F1 could be computed" if score is None else f"macro F1 {score:.3f}"
    text = f"Run {run.id} of {len(run.predictions)} predictions: {score_text}."
    options.print_result(result, args.json, " ".join([text, *run.record.warnings]))
    return 0


def run_study(args: argparse.Namespace) -> int:
    from moola_core.runs.store import Store

    store = Store(args.store)
    if args.resume:
        options.refuse_changes(args, "--resume", "a resumed study keeps the settings that it started with.")
    if args.ray:
        return _send(args, store)
    run = store.open(args.resume) if args.resume else store.create(_possible(args, store), name=args.name)
    execute(run, resume=bool(args.resume))
    return _show(args, run)


def _possible(args: argparse.Namespace, store: Any) -> Any:
    """The study that is asked for, if its arms can be trained: otherwise no run is made."""
    spec = _spec(args)
    from moola_core.launch.worker import ahead  # loads torch: only once the settings are known to be right

    ahead.refuse(spec, store.root)
    return spec


def _send(args: argparse.Namespace, store: Any) -> int:
    """Let a cluster carry it out, its runs side by side, and return at once."""
    from moola_core.launch.ray_jobs import RayLauncher

    launcher = RayLauncher(store, args.ray)
    run_id = args.resume or launcher.submit(_possible(args, store), args.name)
    if args.resume:
        launcher.resume(run_id)
    result = {"run_id": run_id, "state": "queued"}
    options.print_result(
        result, args.json, f"Study {run_id} is submitted. `moola job {run_id}` and the app's Compare page show it."
    )
    return 0


def _spec(args: argparse.Namespace) -> Any:
    from moola_core import studies
    from moola_core.runs.checkpoints import with_settings
    from moola_core.specs import Study, parse

    path = Path(args.name)
    if path.suffix == ".json":
        options.refuse_changes(args, args.name, "a study in a file contains all of its settings.")
        if not path.is_file():
            raise SpecError("no such file.", where=args.name, hint="Give a JSON file with a study.")
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"cannot be read: {error}.", where=args.name, hint="Give a JSON file.") from None
        spec = parse(text, args.name)
        if not isinstance(spec, Study):
            raise SpecError(f"its kind is {spec.kind}, not study.", where=args.name, hint='Give {"kind": "study", …}.')
        return spec
    if not args.windows:
        raise SpecError("a named study needs labelled windows.", where="study", hint="Give --windows FILE.")
    for file in filter(None, (args.windows, args.bars)):
        if not Path(file).is_file():
            raise SpecError("no such file.", where=file, hint="Check the path.")
    changes = with_settings(args.checkpoint, args.store, options.pairs(args.changes, "--set"))
    return studies.study(args.name, args.preset, options.data(args), changes, args.checkpoint)


def run_compare(args: argparse.Namespace) -> int:
    from moola_core.runs.comparable import comparable
    from moola_core.runs.store import Store
    from moola_core.specs import Compare, build

    store = Store(args.store)
    comparable(store, args.runs)
    from moola_core.launch import worker  # loads torch: only once the runs are known to be comparable

    run = store.create(build(Compare, {"runs": tuple(args.runs)}), parent=args.runs[0])
    worker.run(run)
    return _show(args, run)


def run_again(args: argparse.Namespace) -> int:
    from moola_core.runs.predictions import SPAN, PredictionTable
    from moola_core.runs.store import Store
    from moola_core.specs import change

    store = Store(args.store)
    old = store.open(args.run)
    if old.record.kind != "finetune" or old.record.state != "done":
        raise RunError(
            f"is a {old.record.kind} run that is {old.record.state}.",
            where=f"run {old.id}",
            hint="Name a finished fine-tuning run.",
        )
    moved = {"data.windows": str(Path(args.windows).resolve())} if args.windows else {}
    run = store.create(change(old.spec, moved), name=f"again: {old.record.name or old.id}", parent=old.id)
    execute(run, resume=False)
    keys = ["repeat", "window_id"]
    table = PredictionTable(old.predictions)
    both = table.frame.merge(run.predictions, on=keys, suffixes=("", "_again"))
    names = [*table.columns, *(name for name in SPAN if name in table.frame)]
    gaps = {name: float((both[name] - both[f"{name}_again"]).abs().max()) for name in names}
    largest = max((value for name, value in gaps.items() if name in table.columns), default=0.0)
    result = {"run_id": run.id, "of": old.id, "answers": len(both), "largest_difference": largest, "differences": gaps}
    text = (
        f"{len(both)} predictions of run {run.id} against those of {old.id}: "
        f"largest difference in probability {largest:.2g}."
    )
    options.print_result(result, args.json, text)
    return 0


def _show(args: argparse.Namespace, run: Any) -> int:
    from moola_core.reports.formats import document
    from moola_core.sections import registry, text
    from moola_core.sections.context import ReportContext

    comparison, answer = run.result("comparison"), registry.make("answer", ReportContext(run))
    assert not isinstance(answer, str), "there is always a question or a next step"
    values = {"study_id": run.id, **comparison, "seconds": run.record.seconds, "warnings": run.record.warnings}
    values["answer"] = document.blocks(answer)
    options.print_result(values, args.json, f"{_arms(comparison)}\n\n{text.render(answer)}")
    return 0


def _arms(comparison: dict[str, Any]) -> str:
    """What each arm reaches."""
    from moola_core.metrics import METRICS

    names = [name for name, metric in METRICS.items() if metric.compared and not metric.by_class]
    rows = [
        (
            arm["name"],
            *(f"{arm['metrics'][name]:.3f}" if arm["metrics"].get(name) is not None else "–" for name in names),
        )
        for arm in comparison["arms"]
    ]
    return options.table([("arm", *names), *rows])
