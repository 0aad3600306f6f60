"""doctor: what went wrong in a run, what reported figures show, or what this host offers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from moola_core.cli import host, options
from moola_core.errors import SpecError

MARKS = {"blocks": "!!", "harms": "! ", "note": "· "}


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
    host.add_flags(doctor)
    options.add_reading(doctor)
    options.add_store(doctor)
    options.add_json(doctor)
    doctor.set_defaults(command=run_doctor)


def run_doctor(chosen: argparse.Namespace) -> int:
    asked = [bool(chosen.about), bool(chosen.spec), chosen.example, chosen.host]
    if sum(asked) != 1:
        raise SpecError(
            "one thing at a time.", where="doctor", hint="Give a run, a JSON file, --spec, --example, or --host."
        )
    if chosen.host:
        return host.look(chosen)
    found = _diagnosis(chosen)
    if chosen.launch:
        return _launch(chosen, found)
    options.show(found, chosen.json, _text(found))
    return 0


def _diagnosis(chosen: argparse.Namespace) -> Any:
    """Looked at anew, so that the findings are those of the checks as they are now."""
    from moola_core.diagnostics.results import Diagnosis
    from moola_core.runs.codec import restore
    from moola_core.runs.record import RUN_ID
    from moola_core.runs.store import Store

    if chosen.about and RUN_ID.fullmatch(chosen.about):
        run = Store(chosen.store).open(chosen.about)
        if run.record.state != "done":
            raise SpecError(f"is {run.record.state}.", where=f"run {run.id}", hint="Ask about a run that is done.")
        if run.record.kind == "diagnose" and run.spec.name == "doctor":
            return restore(
                Diagnosis, run.result("doctor")
            )  # the doctor was asked before, for one about reported figures
        from moola_core.launch.worker import doctor

        return doctor.examined(run)
    if chosen.spec:
        from moola_core.launch.worker import doctor
        from moola_core.specs import parse

        return doctor.planned(parse(_read(chosen.spec), chosen.spec), Path(chosen.store))
    return _of_figures(chosen)


def _of_figures(chosen: argparse.Namespace) -> Any:
    from moola_core.diagnostics.results.doctor import EXAMPLE
    from moola_core.launch.worker import doctor

    about = "example" if chosen.example else chosen.about
    given, ahead = figures(
        argparse.Namespace(**(vars(chosen) | {"about": EXAMPLE if chosen.example else chosen.about}))
    )
    return doctor.of_figures(given, ahead, about)


def figures(chosen: argparse.Namespace) -> tuple[dict[str, Any], Any | None]:
    """The reported figures of the file `about`, and the spec that fixes start from where the windows that they are about are given."""
    from moola_core.diagnostics.doctor.reported import load
    from moola_core.presets import preset

    given = load(chosen.about)
    if not chosen.windows:
        return given, None
    ahead = preset("recommended").finetune()
    data = options.data(argparse.Namespace(**(vars(chosen) | {"bars": None})))
    return given, ahead.model_validate(ahead.model_dump() | {"data": ahead.data.model_dump() | data})


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}.", where=path, hint="Give a JSON file.") from None


def _launch(chosen: argparse.Namespace, found: Any) -> int:
    from moola_core.errors import nearest
    from moola_core.launch.local import LocalLauncher
    from moola_core.runs.store import Store
    from moola_core.specs import parse

    specs = {finding.check: finding.spec for finding in found.findings if finding.spec is not None}
    if chosen.launch not in specs:
        raise SpecError(
            f"no finding {chosen.launch!r} has a run to launch.", hint=nearest(chosen.launch, specs or ["none"])
        )
    run_id = LocalLauncher(Store(chosen.store)).submit(parse(specs[chosen.launch]), f"fix {chosen.launch}")
    options.show({"run_id": run_id, "state": "queued"}, chosen.json, f"Started run {run_id}.")
    return 0


def _text(found: Any) -> str:
    lines = [
        f"{len(found.findings)} findings, {len(found.passed)} checks passed, {len(found.not_judged)} could not judge."
    ]
    for finding in found.findings:
        lines += [
            "",
            f"{MARKS[finding.severity]} {finding.title} ({finding.check}, {finding.severity})",
            f"   {finding.summary}",
        ]
        if finding.explained_by:
            lines.append(f"   Explained, at least in part, by: {', '.join(finding.explained_by)}.")
        if finding.spoils:
            lines.append(f"   Until it is fixed do not read: {', '.join(finding.spoils)}.")
        lines.append(f"   {finding.advice}")
        if finding.spec is not None:
            lines.append(f"   To run it: the same command with --launch {finding.check}")
    if found.not_judged:
        lines += ["", "Not judged:", *(f"   {row.check}: {row.why}" for row in found.not_judged)]
    return "\n".join(lines)
