"""doctor: what went wrong in a run, what reported figures show, or what this host offers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moola_core.cli import host, options
from moola_core.diagnostics.results.doctor import IF_ONE
from moola_core.errors import SpecError

MARKS = {"critical": "!!", "error": "! ", "warning": "? ", "info": "· "}


def add_to(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor", help="what went wrong in a run or in reported figures, and what fixes it; or what this host offers"
    )
    doctor.add_argument(
        "about", nargs="?", metavar="RUN|FILE.json", help="a finished run, or a JSON file of reported figures"
    )
    doctor.add_argument("--windows", metavar="FILE", help="the labelled windows that reported figures are about")
    doctor.add_argument("--spec", metavar="SPEC.json", help="a spec, judged on it and its data before it is launched")
    doctor.add_argument(
        "--example", action="store_true", help="the figures of the run that failed, which ship with moola"
    )
    doctor.add_argument("--launch", metavar="CHECK", help="start the run that fixes this finding in the background")
    doctor.add_argument(
        "--budget",
        metavar="TIME",
        help="find the cause by experiments that take at most so long, such as 90s, 5m or 1h (of a run; default: none)",
    )
    host.add_flags(doctor)
    options.add_reading(doctor)
    options.add_store(doctor)
    options.add_json(doctor)
    doctor.set_defaults(command=run_doctor)


def run_doctor(args: argparse.Namespace) -> int:
    asked = [bool(args.about), bool(args.spec), args.example, args.host]
    if sum(asked) != 1:
        raise SpecError(
            "one thing at a time.", where="doctor", hint="Give a run, a JSON file, --spec, --example, or --host."
        )
    if args.host:
        return host.look(args)
    diagnosis = _with_experiments(args) if args.budget else _diagnosis(args)
    if args.launch:
        return _launch(args, diagnosis)
    options.print_result(diagnosis, args.json, _text(diagnosis))
    return 0


def _with_experiments(args: argparse.Namespace) -> Any:
    """What the doctor finds after experiments, which are kept as runs."""
    from moola_core.examination import examine
    from moola_core.runs.record import RUN_ID
    from moola_core.runs.store import Store

    if not (args.about and RUN_ID.fullmatch(args.about)):
        raise SpecError("is for a run.", where="--budget", hint="Give the id of a cross-validated run that is done.")
    return examine(Store(args.store).open(args.about), budget=args.budget)


def _diagnosis(args: argparse.Namespace) -> Any:
    """Computed again, so that the findings are those of the current checks."""
    from moola_core.diagnostics.results import Diagnosis
    from moola_core.runs.codec import restore
    from moola_core.runs.record import RUN_ID
    from moola_core.runs.store import Store

    if args.about and RUN_ID.fullmatch(args.about):
        run = Store(args.store).open(args.about)
        if run.record.state != "done":
            raise SpecError(f"is {run.record.state}.", where=f"run {run.id}", hint="Ask about a run that is done.")
        if run.record.kind == "diagnose" and run.spec.name == "doctor":
            return restore(
                Diagnosis, run.result("doctor")
            )  # the doctor was asked before, for one about reported figures
        from moola_core.launch.worker import doctor

        return doctor.examined(run)
    if args.spec:
        from moola_core.launch.worker import doctor
        from moola_core.specs import parse

        return doctor.planned(parse(_read(args.spec), args.spec), Path(args.store))
    return _of_figures(args)


def _of_figures(args: argparse.Namespace) -> Any:
    from moola_core.diagnostics.results.doctor import EXAMPLE
    from moola_core.launch.worker import doctor

    about = "example" if args.example else args.about
    given, ahead = figures(argparse.Namespace(**(vars(args) | {"about": EXAMPLE if args.example else args.about})))
    return doctor.of_figures(given, ahead, about)


def figures(args: argparse.Namespace) -> tuple[dict[str, Any], Any | None]:
    """The reported figures of the file `about`, and the spec that fixes start from where the windows that they are about are given."""
    from moola_core.diagnostics.doctor.reported import load
    from moola_core.presets import network_preset

    given = load(args.about)
    if not args.windows:
        return given, None
    ahead = network_preset("recommended")[0].finetune()  # reported figures are a network's
    data = options.data(argparse.Namespace(**(vars(args) | {"bars": None})))
    return given, ahead.model_validate(ahead.model_dump() | {"data": ahead.data.model_dump() | data})


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}.", where=path, hint="Give a JSON file.") from None


def _launch(args: argparse.Namespace, diagnosis: Any) -> int:
    from moola_core.errors import nearest
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.places import moved
    from moola_core.runs.record import RUN_ID
    from moola_core.runs.store import Store
    from moola_core.specs import parse

    every = (*diagnosis.findings, *(diagnosis.remarks or ()))
    specs = {finding.check: finding.spec for finding in every if finding.spec is not None}
    if args.launch not in specs:
        raise SpecError(
            f"no finding {args.launch!r} has a run to launch.", hint=nearest(args.launch, specs or ["none"])
        )
    store = Store(args.store)
    places = store.open(args.about).places if RUN_ID.fullmatch(args.about or "") else {}
    run_id = LocalLauncher(store).submit(parse(moved(specs[args.launch], places)), f"fix {args.launch}")
    options.print_result({"run_id": run_id, "state": "queued"}, args.json, f"Started run {run_id}.")
    return 0


def _text(diagnosis: Any) -> str:
    from moola_core.sections.formatting import counted

    own, passed = counted(len(diagnosis.findings), "finding"), counted(len(diagnosis.passed), "check")
    lines = [f"{own}, {passed} passed, {len(diagnosis.not_judged)} not judged."]
    for finding in diagnosis.findings:
        lines += [
            "",
            f"{MARKS[finding.severity]} {finding.title} ({finding.check}, {finding.severity})",
            f"   {finding.summary}",
        ]
        if finding.explained_by:
            lines.append(f"   Explained, at least in part, by: {', '.join(finding.explained_by)}.")
        if finding.invalidates:
            lines.append(f"   Until it is fixed do not read: {', '.join(finding.invalidates)}.")
        lines.append(f"   {finding.advice}")
        if finding.probability is not None:
            lines.append(f"   Probability that this names the cause: about {finding.probability:.0%}, {IF_ONE}.")
        if finding.spec is not None:
            lines.append(f"   To run it: the same command with --launch {finding.check}")
    if diagnosis.remarks:
        lines += ["", "Remarks on what healthy runs show as well:"]
        lines += [f"   {one.title} ({one.check}): {one.summary}" for one in diagnosis.remarks]
    if diagnosis.experiments is not None:
        own = diagnosis.experiments
        lines += ["", f"Experiments ({len(own.tried)} in {own.seconds:.0f} s of fitting): {own.conclusion}"]
        lines += [f"   No time for: {', '.join(own.untried)}. Give a larger --budget."] if own.untried else []
    if diagnosis.not_judged:
        lines += ["", "Not judged:", *(f"   {checks}: {why}" for why, checks in diagnosis.reasons().items())]
    return "\n".join(lines)
