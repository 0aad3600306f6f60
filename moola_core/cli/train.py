"""pretrain, finetune, join."""

from __future__ import annotations

import argparse
from typing import Any

from moola_core.cli import options
from moola_core.cli.progress import execute
from moola_core.presets import PRESETS
from moola_core.specs.choices import TRAINED
from moola_core.specs.pretrain import SAW


def add_to(commands: Any) -> None:
    finetune = commands.add_parser("finetune", help="a cross-validated run on labelled windows, in the foreground")
    finetune.add_argument("--windows", required=True, metavar="FILE")
    finetune.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from")
    finetune.add_argument(
        "--checkpoint",
        metavar="RUN_OR_FILE",
        default="",
        help="the encoder to start from: a pre-training run, a file, or a fine-tuning run of which each fit takes the same fit",
    )
    finetune.add_argument("--model", metavar="NAME", default="", help=f"the model: {', '.join(TRAINED)}")
    _add_spec(finetune)
    finetune.set_defaults(command=run_finetune)

    pretrain = commands.add_parser("pretrain", help="pre-train the encoder on unlabelled bars, in the foreground")
    pretrain.add_argument("--bars", required=True, metavar="FILE")
    pretrain.add_argument(
        "--windows", metavar="FILE", help="labelled windows: kept out of pre-training, and used to probe the encoder"
    )
    _add_spec(pretrain)
    pretrain.set_defaults(command=run_pretrain)

    join = commands.add_parser(
        "join", help="two finished runs on the same folds as one model: the classes of one, the expansions of the other"
    )
    join.add_argument("class_run", metavar="CLASS_RUN", help="the run whose classes are used")
    join.add_argument("pointer_run", metavar="POINTER_RUN", help="the run whose expansions are used")
    options.add_names(join)
    options.add_store(join)
    options.add_json(join)
    join.set_defaults(command=run_join)


def _add_spec(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--preset", default="recommended", help=f"{', '.join(PRESETS)}, or one of your own (`moola preset`)"
    )
    options.add_settings(command, "a setting, such as training.epochs=20 or epochs=20")
    options.add_names(command)
    options.add_reading(command)
    options.add_mirror(command)
    options.add_store(command)
    options.add_json(command)


def run_finetune(args: argparse.Namespace) -> int:
    from moola_core.launch.training_specs import finetune_spec
    from moola_core.presets import network_preset

    changes = options.pairs(args.changes, "--set") | ({"estimator": args.model} if args.model else {})
    spec = finetune_spec(args.preset, options.data(args), changes, args.checkpoint, args.store)
    _print_note(network_preset(args.preset)[1] if spec.preset != args.preset else "")
    run = _carry_out(args, spec)
    result = summary(run)
    return _report(args, result, "\n".join(filter(None, [_text(result), *_judged(run), result["saw"]])))


def run_join(args: argparse.Namespace) -> int:
    from moola_core.runs.joined import join_spec
    from moola_core.runs.store import Store

    run = _carry_out(args, join_spec(Store(args.store), args.class_run, args.pointer_run))
    result = summary(run)
    return _report(args, result, "\n".join([_text(result), *_judged(run)]))


def run_pretrain(args: argparse.Namespace) -> int:
    from moola_core.launch.training_specs import pretrain_spec
    from moola_core.presets import network_preset

    _print_note(network_preset(args.preset)[1])
    spec = pretrain_spec(args.preset, options.data(args), options.pairs(args.changes, "--set"))
    run = _carry_out(args, spec)
    result = pretrain_summary(run)
    return _report(args, result, "\n".join([*_judged(run), _pretrain_text(result)]))


def _print_note(note: str) -> None:
    if note:
        options.note(f"note: {note}")


def _judged(run: Any) -> list[str]:
    """The conclusions of the result in words, as on the pages and in reports."""
    from moola_core.diagnostics.results import RESULTS
    from moola_core.errors import RunError
    from moola_core.runs.codec import restore
    from moola_core.sections import headlines
    from moola_core.sections.performance import of_scores

    name = "learned" if run.record.kind == "pretrain" else "evaluation"
    try:
        result = restore(RESULTS[name], run.result(name))
    except RunError:
        return []
    if name == "learned":
        verdicts = [headlines.of_pretraining(result), *([headlines.of_probe(result.probe)] if result.probe else [])]
    else:
        verdicts = list(of_scores(result))
        if "center_mae_bars" in result.metrics:
            verdicts += [headlines.of_pointers(result), *_of_spans(run)]
    return [verdict.text for verdict in verdicts]


def _of_spans(run: Any) -> list[Any]:
    """How a model of spans reads the labels, and whether the probabilities that it states come true; empty for other models."""
    from moola_core.diagnostics.results import Pointing
    from moola_core.errors import RunError
    from moola_core.runs.codec import restore
    from moola_core.sections import headlines

    noise = headlines.of_label_noise(run.record.facts.label_noise, run.spec.spans.scatter_bars is not None)
    verdicts = [noise] if noise.headline else []
    try:
        stored = run.result("pointing")
    except RunError:
        return verdicts
    if stored.get("confidence"):
        verdicts.append(headlines.of_confidence(restore(Pointing, stored)))
    return verdicts


def _carry_out(args: argparse.Namespace, spec: Any) -> Any:
    from moola_core.runs.store import Store

    run = Store(args.store).create(spec, args.name, args.note, args.tag)
    execute(run)
    return run


def _report(args: argparse.Namespace, result: dict[str, Any], text: str) -> int:
    options.print_result(result, args.json, text)
    for warning in result["warnings"]:
        options.note(f"note: {warning}")
    return 0


def summary(run: Any) -> dict[str, Any]:
    """What `--json` prints of a finished run: state, metrics, targets, and where the predictions are.

    Metrics and targets are empty when the evaluation failed; the warnings then say why.
    """
    from moola_core.errors import RunError

    try:
        evaluation = run.result("evaluation")
    except RunError:
        evaluation = {"metrics": {}, "majority": None, "fold_shares": [], "by_repeat": []}
    record = run.record
    return {
        "run_id": run.id,
        "state": record.state,
        "metrics": evaluation["metrics"],
        "sampled": evaluation.get("sampled") or {},
        "repeats": len(evaluation["by_repeat"]),
        "targets": _targets(run, evaluation),
        "majority": evaluation["majority"],
        "constant_folds": sum(share["constant"] for share in evaluation["fold_shares"]),
        "predictions": str(run.folder / "predictions.parquet"),
        "warnings": record.warnings,
        "seconds": record.seconds,
        "trainable_parameters": record.facts.trainable_parameters,
        "saw": SAW.get(record.facts.saw, ""),
    }


def _targets(run: Any, evaluation: dict[str, Any]) -> dict[str, Any]:
    """Each target: `met` says whether the estimate meets it, `judged` whether it surely does (yes, no, cannot be told, not measured)."""
    from moola_core.diagnostics.results import CalibrationReport, Evaluation
    from moola_core.errors import RunError
    from moola_core.runs.codec import restore
    from moola_core.sections.scores import of_target, target_interval
    from moola_core.targets import judge

    if not evaluation["metrics"]:
        return {}
    try:
        stored = run.result("calibration")
    except RunError:
        stored = {"why_not": "it was not computed."}
    calibration = None if "why_not" in stored else restore(CalibrationReport, stored)
    restored = restore(Evaluation, evaluation)
    return {
        row.target.name: {
            "target": row.target.text,
            "actual": row.actual,
            "met": row.met,
            "judged": of_target(row, target_interval(restored, row.target, calibration)).headline,
        }
        for row in judge(evaluation["metrics"])
    }


def pretrain_summary(run: Any) -> dict[str, Any]:
    """What `--json` prints of a finished pre-training run."""
    record, result = run.record, run.result("learned")
    return {
        "run_id": record.run_id,
        "state": record.state,
        "objective": result["objective"],
        "masked_mae": result["masked_mae"],
        "trivial": result["trivial"],
        "noise_floor": result["noise_floor"],
        "measures": result["measures"],
        "probe": result["probe"],
        "windows": result["counts"],
        "best_epoch": result["best_epoch"],
        "saw": SAW.get(result.get("saw", ""), ""),
        "checkpoint": str(run.folder / "checkpoints" / "best.safetensors"),
        "warnings": record.warnings,
        "seconds": record.seconds,
    }


def _pretrain_text(result: dict[str, Any]) -> str:
    counts = result["windows"]
    lines = [f"Run {result['run_id']}: {result['state']} in {result['seconds']:.0f} s."]
    lines.append(
        f"{counts['train']} windows to train on, {counts['valid']} to validate, best epoch {result['best_epoch']}."
    )
    if result["masked_mae"] is not None:
        trivial = result["trivial"]
        lines.append(
            f"Error at masked bars {result['masked_mae']:.4f}; feature mean {trivial['feature_mean']:.4f}, "
            f"last value {trivial['carry_forward']:.4f}, noise floor {result['noise_floor']:.4f}."
        )
    lines += [f"{m['name']}: {m['value']:.4f}, without learning {m['trivial']:.4f}." for m in result["measures"]]
    if result["probe"]:
        scores = [
            f"{s['representation']} {_with_interval(s['mean'], s.get('interval'))}" for s in result["probe"]["scores"]
        ]
        lines.append(f"AUROC of a linear probe: {', '.join(scores)}.")
    lines += [result["saw"]] if result["saw"] and result["saw"] not in result["warnings"] else []
    return "\n".join([*lines, f"Fine-tune from it: --checkpoint {result['run_id']}"])


def _text(result: dict[str, Any]) -> str:
    from moola_core.metrics import shown_in

    metrics = result["metrics"]
    rows = [
        (
            name,
            _with_interval(metrics[name]["mean"], (result["sampled"].get(name) or {}).get("interval")),
            f"{metrics[name]['std']:.3f}" if result["repeats"] > 1 else "–",
            _goal(result["targets"], name),
        )
        for name in (metric.name for metric in shown_in("terminal"))
        if _has(metrics, name)
    ]
    lines = [
        f"Run {result['run_id']} is {result['state']}.",
        "",
        options.table([("metric", "95% interval", "± over repeats", ""), *rows]),
        "",
        f"Predictions: {result['predictions']}",
    ]
    if result["constant_folds"]:
        lines.insert(
            1,
            f"{result['constant_folds']} folds predicted one class for every window: "
            "look at them before you read any average.",
        )
    return "\n".join(lines)


def _with_interval(value: float, interval: dict[str, float] | None) -> str:
    return f"{value:.3f}" + (f" ({interval['low']:.3f} to {interval['high']:.3f})" if interval else "")


def _has(metrics: dict[str, Any], name: str) -> bool:
    return (metrics.get(name) or {}).get("mean") is not None


def _goal(targets: dict[str, Any], name: str) -> str:
    # The recall of the weakest class reaches its target when every class does.
    rows = [row for key, row in targets.items() if key == name or (name == "recall_min" and key.startswith("recall "))]
    if not rows:
        return ""
    words = [row["judged"] for row in rows]
    verdict = next((word for word in ("no", "not measured", "cannot be told") if word in words), "yes")
    return f"target {rows[0]['target']}: {verdict}"
