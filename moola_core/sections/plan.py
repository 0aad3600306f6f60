"""A plan of an earlier version: every decision with its reason and what each study found; and the researcher's gates of any run that has them."""

from __future__ import annotations

from functools import partial

from moola_core.charts import comparison as charts
from moola_core.diagnostics.results import Comparison, Gate, InvestigationReport, PlanReport
from moola_core.diagnostics.results.interval import Claim
from moola_core.sections import advice, comparison_text
from moola_core.sections.blocks import Block, Chart, Link, Links, Row, Table, Text
from moola_core.sections.comparison import MAIN
from moola_core.sections.context import ABSENT, ReportContext, Result
from moola_core.sections.formatting import interval

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


def gates(context: ReportContext, name: str = "plan") -> list[Block] | str:
    """What the researcher's own rules say of the class alone, and where that agrees with the comparison of pre-training.

    name: the result that holds them.
    """
    result = context.result(name)
    if not result:
        return NO_RESULT
    report: PlanReport | InvestigationReport = result.value
    blocks: list[Block] = [Text(report.contradiction)] if report.contradiction else []
    if report.gates:
        blocks.append(Text(_score(report.gates[0])))
    rows: tuple[Row, ...] = tuple(
        (
            result.number("gates", i, "threshold", form=".2f"),
            row.source,
            result.likelihood("gates", i, "probability"),
            row.state or ABSENT,
            row.says,
        )
        for i, row in enumerate(report.gates)
    )
    blocks.append(Table("", ("Threshold", "From the", "P(above)", "The score is", "The rule says"), rows))
    for row in report.gates:
        if row.evidence and (row.agreement != "open" or row.rule == "negative_transfer"):
            claim = Claim("macro F1 of the class alone", row.interval, row.threshold)
            blocks.append(
                Text(row.evidence, f"{row.threshold:.2f}, next to the comparison of pre-training.", claims=(claim,))
            )
    return blocks


def _score(row: Gate) -> str:
    """What the rules are read from; of earlier versions it was the network of both tasks."""
    if row.interval is not None:
        return f"Macro F1 of the class alone: {interval(row.interval, '.3f')}."
    if row.value is not None:
        return f"Macro F1 of the baseline, which was trained on both tasks: {row.value:.3f}. Its interval was not measured."
    return "The class alone was not measured."
