"""diagnose."""

from __future__ import annotations

import argparse
import sys
from typing import Any, get_args

from moola_core.cli import options
from moola_core.cli.train import Bar
from moola_core.errors import SpecError, nearest
from moola_core.sections import headlines
from moola_core.specs.diagnose import Diagnose, Diagnostic
from moola_core.targets import NOTABLE_R

NAMES = tuple(name for name in get_args(Diagnostic) if name != "doctor")  # that one has a command of its own


def add_to(commands: Any) -> None:
    command = commands.add_parser("diagnose", help="one diagnostic: of a run, or of windows alone (features, shift)")
    command.add_argument("name", metavar="NAME", help=", ".join(NAMES))
    command.add_argument("--windows", metavar="FILE", help="labelled windows (features, shift)")
    command.add_argument("--bars", metavar="FILE", help="the bars that the windows were cut from (features, shift)")
    command.add_argument("--run", metavar="RUN", default="", help="the finished run that it is about")
    command.add_argument("--set", action="append", default=[], dest="changes", metavar="KEY=VALUE", help="a setting")
    options.add_reading(command)
    options.add_store(command)
    options.add_json(command)
    command.set_defaults(command=run_diagnose)


def run_diagnose(chosen: argparse.Namespace) -> int:
    from moola_core.runs.store import Store
    from moola_core.specs import build, change

    if chosen.name not in NAMES:
        raise SpecError(f"unknown diagnostic {chosen.name!r}.", mend=nearest(chosen.name, NAMES))
    spec = build(Diagnose, {"name": chosen.name, "run": chosen.run, "data": options.data(chosen)})
    spec = change(spec, options.pairs(chosen.changes, "--set"))
    if spec.name != chosen.name:
        raise SpecError(
            "the diagnostic is not a setting.", where=f"name={spec.name}", mend=f"Ask `moola diagnose {spec.name}`."
        )
    from moola_core.launch import worker

    run = Store(chosen.store).create(spec, parent=chosen.run or None)
    bar = Bar(quiet=not sys.stderr.isatty())
    try:
        worker.run(run, bar)
    finally:
        bar.close()
    found = run.result(chosen.name)
    options.show({"run_id": run.id, **found}, chosen.json, TEXTS[chosen.name](found))
    return 0


def _features(found: dict[str, Any]) -> str:
    lines = [f"{found['windows']} windows in {found['groups']} groups; {found['permutations']} permutations."]
    lines.append(f"{'feature':<16} {'aggregate':<17} {'class':<15} {'r':>7} {'AUC':>6} {'p':>7} {'q':>7}")
    for row in sorted(found["table"], key=lambda row: (row["p"], -abs(row["r"])))[:15]:
        flag = " *" if abs(row["r"]) > NOTABLE_R else ""
        lines.append(
            f"{row['feature']:<16} {row['aggregate']:<17} {row['positive']:<15} {row['r']:7.3f} {row['auc']:6.3f} "
            f"{row['p']:7.4f} {row['q']:7.4f}{flag}"
        )
    lines.append("* |r| above 0.15: the researcher's rule. Read q beside it: below 0.05 it holds against all rows.")
    for row in _restored("features", found).expectations:
        verdict = headlines.of_expectation(row)
        lines.append(f"{row.text}: {verdict.headline} ({verdict.rest.rstrip('.')}).")
    lines += [f"{row['feature']}: {row['remark']}" for row in found["columns"] if row["remark"]]
    return "\n".join(lines)


def _restored(name: str, found: dict[str, Any]) -> Any:
    """The result as its dataclass."""
    from moola_core.diagnostics.results import RESULTS
    from moola_core.runs.codec import restore

    return restore(RESULTS[name], found)


def _calibration(found: dict[str, Any]) -> str:
    report = _restored("calibration", found)
    lines = [verdict.text for verdict in (headlines.of_calibration(report), headlines.of_recalibration(report))]
    for one in found["repeats"]:
        error = one["errors"][0]
        lines.append(
            f"Repeat {one['repeat'] + 1}: ECE {error['value']:.3f} [{error['low']:.3f}, {error['high']:.3f}], honest models reach "
            f"{error['null_median']:.3f} (95%: {error['null_95']:.3f}), p = {one['p_value']:.3f}, z = {one['spiegelhalter_z']:.2f}."
        )
    return "\n".join(lines)


def _balance(found: dict[str, Any]) -> str:
    ratio, norms = found["sigma_ratio"], found["gradient_ratio"]
    told = [f"σ pointer / σ class {ratio:.2f}"] if ratio is not None else []
    told += [f"the losses imply {found['sigma_expected']:.2f}"] if found["sigma_expected"] is not None else []
    told += [f"pointer gradients {norms:.2f} times the class's"] if norms is not None else []
    told += [f"{found['shared_parameters']:,} shared parameters"]
    return "; ".join(told) + f". {headlines.of_balance(_restored('balance', found)).text}"


def _errors(found: dict[str, Any]) -> str:
    lines = [f"{'by':<11} {'value':<12} {'n':>4} {'accuracy':>9} {'center off':>11}"]
    for row in found["slices"]:
        accuracy, center = (
            "–" if row[name] is None else f"{row[name]:.3f}" for name in ("accuracy", "center_mae_bars")
        )
        lines.append(f"{row['by']:<11} {row['value']:<12} {row['n']:4} {accuracy:>9} {center:>11}")
    doubted = [f"{row['window_id']} ({row['label']}, the models say {row['answer']})" for row in found["second_look"]]
    return "\n".join([*lines, "Worth a second look: " + (", ".join(doubted) or found["second_look_note"])])


def _shift(found: dict[str, Any]) -> str:
    lines = [", ".join(f"{count} {name}" for name, count in found["counts"].items()) + " windows."]
    domain = found["domain"]
    if domain:
        lines.append(headlines.of_domain(_restored("shift", found).domain).text)
    for title, rows in (("the other bars", found["bars"]), ("the grades left out", found["left_out"])):
        if rows:
            worst = sorted(rows, key=lambda row: -row["ks"])[:4]
            lines.append(
                f"Furthest from {title}: "
                + ", ".join(f"{r['feature']} (KS {r['ks']:.2f}, PSI {r['psi']:.2f})" for r in worst)
            )
    return "\n".join(lines)


def _transfer(found: dict[str, Any]) -> str:
    scores = [f"{s['representation']} {s['mean']:.3f} ± {s['std']:.3f}" for s in found["probe"]["scores"]]
    lines = [headlines.of_probe(_restored("transfer", found).probe).text]
    lines.append(f"AUROC of a linear probe: {', '.join(scores)}.")
    lines.append("LogME: " + ", ".join(f"{name} {value:.3f}" for name, value in found["logme"].items()) + ".")
    lines += [
        f"Layer {row['layer']}: CKA with the pre-trained {row['cka']:.3f} [{row['low']:.3f}, {row['high']:.3f}] "
        f"(random weights {row['random']:.3f}), weights moved by {row['moved']:.1%}."
        for row in found["layers"]
    ]
    return "\n".join(lines)


def _attribution(found: dict[str, Any]) -> str:
    lines = [
        f"{len(found['window_id'])} answers of {found['repeats']} repeats explained; additivity error {found['additivity_error']:.1e}."
    ]
    for output in found["outputs"]:
        rows = sorted((row for row in found["ranking"] if row["output"] == output), key=lambda row: row["rank"])
        lines.append(f"{output}: " + ", ".join(f"{row['group']} {row['mean']:.3f}" for row in rows))
    return "\n".join(lines)


TEXTS = {
    "attribution": _attribution,
    "features": _features,
    "shift": _shift,
    "calibration": _calibration,
    "balance": _balance,
    "errors": _errors,
    "transfer": _transfer,
}
