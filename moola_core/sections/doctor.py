"""What the doctor found: in order with evidence and advice, what could not be judged, and what not to read yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from moola_core.diagnostics.results import Diagnosis, Finding
from moola_core.diagnostics.results.doctor import FIGURES, IF_ONE, SEVERITIES
from moola_core.runs.places import moved
from moola_core.sections import comparison, diagnostics, features, performance, pretraining
from moola_core.sections.blocks import (
    Block,
    Card,
    Cell,
    Chart,
    Columns,
    Command,
    Figure,
    Figures,
    Launch,
    Link,
    Links,
    Row,
    Table,
    Text,
    Values,
    flat,
)
from moola_core.sections.context import ABSENT, ReportContext, Result, Stored
from moola_core.sections.formatting import REPORT_OF
from moola_core.specs import Diagnose, SpecModel, parse, settings_diff

MOST_ROWS, MOST_NAMES = 12, 10  # of evidence in the report; the page, the ZIP and the JSON hold it whole
MOST_LINKS = 3
# Which part of which page shows a diagnostic.
PLACES = {
    "evaluation": ("results", (("show", "Metrics"),)),
    "calibration": ("results", (("show", "Calibration"),)),
    "balance": ("results", (("show", "Balance"),)),
    "errors": ("results", (("show", "Errors"),)),
    "features": ("features", (("view", "features"),)),
    "shift": ("features", (("view", "shift"),)),
}
Make = Callable[[ReportContext], Sequence[Block] | str]
# What draws the evidence: of the check itself, or of the diagnostic that it names.
OF_CHECK: dict[str, Make] = {
    "constant_folds": performance.folds,
    "arms_differ": comparison.curves,
    "simple_arm": comparison.differences,
    "pointers_no_better": performance.pointers,
}
OF_DIAGNOSTIC: dict[str, Make] = {
    "evaluation": performance.metrics,
    "calibration": diagnostics.calibration,
    "balance": diagnostics.balance,
    "errors": diagnostics.errors,
    "learned": pretraining.learned,
    "features": features.features,
    "shift": features.shift,
}


def diagnosis(context: ReportContext) -> Result | str:
    """What the doctor stored; why there is nothing, or how to have it."""
    result = context.result("doctor")
    if result is None:
        state = context.record.state
        if state != "done":
            return f"The doctor looks at a run that is done; this one is {state}. {context.record.error}".strip()
        return f"The doctor has not looked at it. Ask on its page, or: moola report {context.run.id} --kind doctor."
    return result.why_not or result


def summary(context: ReportContext) -> list[Block] | str:
    """How much was found of each severity, and which figures not to read until it is fixed."""
    result = diagnosis(context)
    if isinstance(result, str):
        return [Text(result, warning=True)] if context.kind == "doctor" else result
    report: Diagnosis = result.value
    count = Counter(finding.severity for finding in report.findings)
    items = [Figure(name, str(count[name]), meaning) for name, meaning in SEVERITIES.items()]
    items += [
        Figure("passed", str(len(report.passed)), "checks without a finding"),
        Figure("not judged", str(len(report.not_judged)), "checks without the facts they need"),
    ]
    blocks: list[Block] = [Figures(tuple(items))]
    invalidated = sorted({name for finding in report.findings for name in finding.invalidates})
    if invalidated:
        blocks.append(Text(f"{', '.join(invalidated)}. The findings below say why.", "Do not read yet:", warning=True))
    if not report.findings:
        return [*blocks, Text(f"{len(report.passed)} checks passed.", "No findings.")]
    first = report.findings[0]
    strong = "Fix first." if first.severity != "info" else "Good to know."
    blocks.append(Text(f"{first.title}. {first.advice}", strong, claims=first.claims or ()))
    if context.kind != "doctor":  # there each finding has its own place
        rows: tuple[Row, ...] = tuple(
            (row.title, row.severity, _chance(result, i), row.summary) for i, row in enumerate(report.findings)
        )
        note = f"With evidence, advice and fixes: moola report {context.run.id} --kind doctor."
        blocks.append(Table("", ("Finding", "Severity", "Probability of the cause", "What was seen"), rows, note))
    return blocks


def findings(context: ReportContext) -> list[Block] | str:
    """Every finding, causes before symptoms: evidence, chart, advice, and the line that runs the fix."""
    result = diagnosis(context)
    if isinstance(result, str):
        return result
    report: Diagnosis = result.value
    if not report.findings:
        return "No findings."
    drawn: dict[str, str] = {}
    return [
        Card(finding.check, _finding(context, result, place, drawn)) for place, finding in enumerate(report.findings)
    ]


def remarks(context: ReportContext) -> list[Block] | str:
    """Notes on what healthy runs show as well: no findings, but good to know beside the figures that they are about."""
    result = diagnosis(context)
    if isinstance(result, str):
        return result
    report: Diagnosis = result.value
    if not report.remarks:
        return "There is nothing to remark."
    rows: tuple[Row, ...] = tuple((one.title, one.summary, one.advice) for one in report.remarks)
    claims = tuple(claim for one in report.remarks for claim in one.claims or ())
    return [
        Text("They are usual, so none of them is a finding.", claims=claims),
        Table("", ("Remark", "What was seen", "What to do"), rows),
    ]


def _finding(context: ReportContext, result: Result, place: int, drawn: dict[str, str]) -> tuple[Block, ...]:
    """What was seen and what to do, next to the evidence; then the run that fixes it. drawn: as in `_drawn`."""
    finding: Finding = result.value.findings[place]
    titles = {other.check: other.title for other in (*result.value.findings, *(result.value.remarks or ()))}
    title, claims = f"{place + 1}. {finding.title}", finding.claims or ()
    words = [
        Text(finding.summary, f"{finding.severity.capitalize()}:", finding.severity == "critical", title, claims),
    ]
    if finding.explained_by:
        words.append(Text(f"{', '.join(titles.get(name, name) for name in finding.explained_by)}.", "Look first at:"))
    if finding.invalidates:
        words.append(Text(f"{', '.join(finding.invalidates)}.", "Until it is fixed do not read:"))
    words.append(Text(finding.advice, "What to do.", claims=claims))
    if finding.probability is not None:
        words.append(Text(f"about {finding.probability:.0%}, {IF_ONE}.", "Probability that this names the cause:"))
    rows = tuple(_evidence(result, ("findings", place, "evidence"), finding.evidence))[:MOST_ROWS]
    evidence: list[Block] = [Table("", ("Evidence", "Value"), rows)] if rows else []
    evidence += [*_drawn(context, finding, drawn), *_links(context, finding)]
    rule = f"Check {finding.check}. docs/methods.md gives the rule, its thresholds and its source."
    return (
        Columns((tuple(words), tuple(evidence))),
        *_fix(context, result, finding),
        Values("How this was decided", finding.evidence, rule),
    )


def _chance(result: Result, place: int) -> Cell:
    known = result.value.findings[place].probability is not None
    return result.number("findings", place, "probability", form=".0%") if known else ABSENT


def _links(context: ReportContext, finding: Finding) -> list[Block]:
    """Ways to windows of the evidence, and to the diagnostic that shows it."""
    names = [str(name) for name in finding.evidence.get("windows") or []][:MOST_LINKS]
    links = [Link(name, "windows", (("window", name),)) for name in names]
    if finding.diagnostic in OF_DIAGNOSTIC and context.record.kind in ("finetune", "pretrain"):
        links.append(_place_of("Show chart", finding.diagnostic, context.run.id))
    return [Links(tuple(links))] if links else []


def _place_of(text: str, diagnostic: str, run_id: str) -> Link:
    page, values = PLACES.get(diagnostic, ("results", ()))
    return Link(text, page, (*values, ("run", run_id)))


def _drawn(context: ReportContext, finding: Finding, drawn: dict[str, str]) -> list[Block]:
    """The chart of the evidence, once: a later finding with the same one says where it is. drawn: by diagnostic, under which finding."""
    make = OF_CHECK.get(finding.check) or OF_DIAGNOSTIC.get(finding.diagnostic)
    if make is None:
        return []
    key = make.__name__
    if key in drawn:
        return [Text(f"under {drawn[key]}.", "Drawn")]
    made = make(context)
    chart = (
        next((block for block in flat(made) if isinstance(block, Chart)), None) if not isinstance(made, str) else None
    )
    if chart is None:
        return []
    drawn[key] = finding.title
    return [replace(chart, name=f"{finding.check}_{chart.name}", half=False)]


def _evidence(stored: Stored, path: tuple[str | int, ...], values: Any) -> Iterator[Row]:
    """A row a number of the evidence; lists of names in one row, lists of objects item by item."""
    pairs = list(values.items()) if isinstance(values, dict) else list(enumerate(values))
    for key, value in pairs:
        parents = path[3:] if len(path) > 3 else ()
        title = ", ".join(_word(step) for step in (*parents, key))
        if isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(item, dict | list) for item in value)
        ):
            yield from _evidence(stored, (*path, key), value)
        elif isinstance(value, list | tuple):
            yield title, _several(value)
        elif isinstance(value, bool | str):
            yield title, {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        elif value is not None:
            yield title, _number(stored, (*path, key), value)


def _word(step: str | int) -> str:
    return str(step + 1) if isinstance(step, int) else step.replace("_", " ")


def _several(values: Sequence[Any]) -> str:
    texts = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values[:MOST_NAMES]]
    more = f" and {len(values) - MOST_NAMES:,} more" if len(values) > MOST_NAMES else ""
    return ", ".join(texts) + more


def _number(stored: Stored, path: tuple[str | int, ...], value: float) -> Cell:
    form = ",d" if isinstance(value, int) else ",.0f" if abs(value) >= 10_000 else ".4g"
    return stored.number(*path, form=form)


def _fix(context: ReportContext, result: Result, finding: Finding) -> list[Block]:
    """The line that starts the run that fixes or settles it, and what that run changes."""
    if finding.spec is None:
        return []
    # Written when the run was examined: its files may have moved since.
    spec = parse(moved(finding.spec, context.run.places))
    own = context.spec
    if isinstance(own, Diagnose) and own.planned and not own.figures:  # it asks before a launch
        own = parse(own.planned)
    changed = settings_diff(own, spec) if spec.kind == own.kind else {}
    changes = ((name, _setting(now), _setting(then)) for name, (now, then) in changed.items())
    rows: tuple[Row, ...] = tuple(row for row in changes if row[1] != row[2])
    title = (
        f"Run it: {REPORT_OF[spec.kind]} on the same data"
        if spec.kind != "diagnose"
        else f"Run it: the diagnostic {spec.name}"
    )
    launch = Launch(
        spec,
        f"fix: {finding.title}",
        finding.summary,
        Command(title, f"moola doctor {result.run.id} --launch {finding.check}"),
        ("doctor",),
        context.run.id if spec.kind == "diagnose" else None,
        _place_of("", spec.name, context.run.id) if spec.kind == "diagnose" else None,
    )
    return [*([Table("", ("It changes", "Now", "Then"), rows)] if rows and len(rows) <= MOST_ROWS else []), launch]


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_setting(item) for item in value[:MOST_NAMES]) or ABSENT
    if isinstance(value, SpecModel):
        return str(getattr(value, "name", ABSENT))
    return ABSENT if value is None or value == "" else str(value)


def not_judged(context: ReportContext) -> list[Block] | str:
    """What could not be judged and why, and which checks passed."""
    result = diagnosis(context)
    if isinstance(result, str):
        return result
    report: Diagnosis = result.value
    rows: tuple[Row, ...] = tuple((checks, why) for why, checks in report.reasons().items())
    blocks: list[Block] = [Table("", ("Check", "Why not"), rows)] if rows else [Text("Every check had what it needs.")]
    passed = ", ".join(name.replace("_", " ") for name in report.passed)
    return [*blocks, *([Text(f"{passed}.", "Passed:")] if passed else [])]


def figures(context: ReportContext) -> list[Block] | str:
    """The reported figures as they were given."""
    given = getattr(context.spec, "figures", {})
    if not given:
        return "It is not about reported figures."
    stored = Stored(context.run, "spec.json", context.spec.model_dump(mode="json"))
    rows: list[Row] = []
    for name, value in given.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            cell: Cell = _number(stored, ("figures", name), value)
        else:
            cell = (
                ", ".join(f"{key} {part}" for key, part in value.items())
                if isinstance(value, dict)
                else _setting(value)
            )
        rows.append((name.replace("_", " "), FIGURES.get(name, ABSENT), cell))
    return [Table("", ("Figure", "What it is", "Value"), tuple(rows), "Figures not given are skipped.")]
