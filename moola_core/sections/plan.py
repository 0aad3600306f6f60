"""A plan of studies: every decision with its reason, what each study found, and the researcher's gates."""

from __future__ import annotations

from functools import partial

from moola_core.charts import comparison as charts
from moola_core.diagnostics.results import Comparison, Gate, PlanReport
from moola_core.sections import advice, comparison_text
from moola_core.sections.blocks import Block, Chart, Link, Links, Row, Table, Text
from moola_core.sections.comparison import MAIN
from moola_core.sections.context import ABSENT, ReportContext, Result

NO_RESULT = "The plan left no decision."


def answer(context: ReportContext) -> list[Block]:
    """What the plan came to in a sentence a study, and the next step."""
    record, result = context.record, context.result("plan")
    texts: list[Block] = [Text(record.error, f"The plan is {record.state}.", warning=True)] if record.error else []
    texts += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    report: PlanReport | None = result.value if result else None
    for row in report.decisions if report else ():
        if row.branch.startswith("ran"):
            missing = f"{row.reason} " if row.branch == "ran in part" else ""
            texts.append(Text(f"{missing}{row.verdict}", f"{row.study}."))
        elif row.branch == "failed":
            texts.append(Text(row.reason, f"{row.study} failed.", warning=True))
    if record.note:
        texts.append(Text(record.note, "Note."))
    step = advice.after_plan(record, report)
    return [*texts, step.block]


def decisions(context: ReportContext) -> list[Block] | str:
    """Every step in its order: whether its study ran, why, and what the following ones take over."""
    result = context.result("plan")
    if not result or not result.value.decisions:
        return NO_RESULT
    rows: tuple[Row, ...] = tuple(
        (
            row.study,
            row.branch,
            row.reason,
            row.adopts or ABSENT,
            row.run_id or ABSENT,
            f"{row.who}, {row.when[:16].replace('T', ' ')}",
        )
        for row in result.value.decisions
    )
    links = (
        Link(f"See the study {row.study}", "compare", (("study", row.run_id),))
        for row in result.value.decisions
        if row.run_id
    )
    return [Table("", ("Study", "It", "Why", "Taken over", "Run", "Decided"), rows), Links(tuple(links))]


def studies(context: ReportContext) -> list[Block] | str:
    """The differences in macro F1 that each study found."""
    result = context.result("plan")
    if not result:
        return NO_RESULT
    blocks: list[Block] = []
    for k, row in enumerate(result.value.decisions):
        run = context.other(row.run_id) if row.run_id else None
        if run is None or not (run.folder / "results" / "comparison.json").is_file():
            continue
        own = Result(run, "comparison")
        comparison: Comparison = own.value
        pairs = comparison_text.in_order(comparison, MAIN)
        if pairs:
            drawn = partial(charts.forest, [verdict for _, verdict in pairs])
            blocks.append(Chart(f"forest_{k}", f'{row.study}: difference from "{comparison.against}"', drawn))
            table: tuple[Row, ...] = tuple(
                (
                    verdict.arm,
                    verdict.verdict,
                    *(own.number("verdicts", i, name, form="+.3f") for name in ("delta", "low", "high")),
                )
                for i, verdict in pairs
            )
            blocks.append(Table("", ("Arm", "Verdict", "Difference", "from", "to"), table))
    return blocks or "None of its studies is in this store, or none has a verdict."


def gates(context: ReportContext) -> list[Block] | str:
    """What the researcher's own rules say of the class alone, and where that agrees with the comparison of pre-training."""
    result = context.result("plan")
    if not result:
        return NO_RESULT
    report: PlanReport = result.value
    rows: tuple[Row, ...] = tuple(_gate(result, i, row) for i, row in enumerate(report.gates))
    columns = (
        "Threshold",
        "From the",
        "Macro F1",
        "from",
        "to",
        "P(above)",
        "It is",
        "The rule says",
        "Next to the evidence",
    )
    texts = [Text(report.contradiction)] if report.contradiction else []
    return [*texts, Table("", columns, rows)]


def _gate(result: Result, i: int, row: Gate) -> Row:
    """A rule with its score, and what it comes to; results of earlier versions hold no more than a value."""
    return (
        result.number("gates", i, "threshold", form=".2f"),
        row.source,
        result.number("gates", i, "value", form=".3f"),
        *(result.number("gates", i, "interval", end, form=".3f") for end in ("low", "high")),
        result.likelihood("gates", i, "probability"),
        row.state or ABSENT,
        row.says,
        row.evidence or ABSENT,
    )
