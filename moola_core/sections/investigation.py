"""An investigation: its conclusion, each sentence with the run that it rests on, what was asked and why, and the models that were measured."""

from __future__ import annotations

from moola_core.diagnostics.results import InvestigationReport, Statement
from moola_core.metrics import METRICS
from moola_core.sections import plan
from moola_core.sections.blocks import Block, Cell, Command, Link, Row, Supported, Table, Text
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.sections.formatting import duration
from moola_core.sections.timeline import PLACES

NO_RESULT = "The investigation has not answered a question yet."
HEADS = {
    "model": "Model.",
    "target": "Target.",
    "pretraining": "Pre-training.",
    "cause": "What was wrong.",
    "network": "Network.",
    "settings": "Settings.",
    "next": "Next.",
}


def conclusion(context: ReportContext) -> list[Block] | str:
    """The answer in sentences, each with its run."""
    record, result = context.record, context.result("investigation")
    texts: list[Block] = [Text(record.error, f"It is {record.state}.", warning=True)] if record.error else []
    texts += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    if result is None:
        return texts or NO_RESULT
    report: InvestigationReport = result.value
    for statement in report.conclusion:
        texts.append(_stated(context, statement))
    if report.ended:
        spent = (
            f"{duration(report.spent_s)} of {duration(report.budget_s)} were spent on {len(report.steps)} questions."
        )
        texts.append(Text(f"{report.ended} {spent}", "Why it ended."))
    if record.note:
        texts.append(Text(record.note, "Note."))
    return texts


def use(context: ReportContext) -> list[Block] | str:
    """How to predict with the recommended model."""
    result = context.result("investigation")
    best = result.value.best if result else None
    if best is None:
        return "No model was measured."
    return [
        Command(
            "Predict with the recommended model",
            f"moola predict {context.run.id} --windows FILE --out predicted.parquet",
        )
    ]


def steps(context: ReportContext) -> list[Block] | str:
    """Every question in its order, with its answer and the run that this rests on."""
    result = context.result("investigation")
    if result is None or not result.value.steps:
        return NO_RESULT
    rows: list[Block] = []
    for step in result.value.steps:
        text = Text(step.outcome, f"{step.title} (round {step.round})" if step.round > 1 else step.title)
        link = _link(context, step.run_id, f"Run {step.run_id[-4:]}") if step.run_id else None
        rows.append(Supported(text, step.run_id, link) if step.run_id else text)
    return rows


def reasons(context: ReportContext) -> list[Block] | str:
    """Why each question was asked when it was, and what it took."""
    result = context.result("investigation")
    if result is None or not result.value.steps:
        return NO_RESULT
    rows: tuple[Row, ...] = tuple((step.title, step.why, duration(step.seconds)) for step in result.value.steps)
    return [Table("", ("Question", "Why it was asked then", "Took"), rows)]


def unasked(context: ReportContext) -> list[Block] | str:
    """What was not asked, and why."""
    result = context.result("investigation")
    if result is None or not result.value.unasked:
        return "Every question was asked."
    return [Table("", ("Question", "Why not"), tuple((row.title, row.why) for row in result.value.unasked))]


def models(context: ReportContext) -> list[Block] | str:
    """All models that were measured, the best first."""
    result = context.result("investigation")
    report: InvestigationReport | None = result.value if result else None
    if result is None or report is None or not report.candidates:
        return "No model was measured."
    metrics = list(dict.fromkeys(name for one in report.candidates for name in one.scores))
    titles = [METRICS[name].title for name in metrics]
    rows: list[Row] = []
    for i, one in enumerate(report.candidates):
        scores: list[Cell] = [result.number("candidates", i, "scores", name) for name in metrics]
        name = f"{one.name} (recommended)" if report.best and one.run_id == report.best.run_id else one.name
        rows.append((name, *scores, one.excluded or ABSENT, one.run_id))
    note = "Each is the mean over its repeats, out of fold. The best of several looks better than it is; the conclusion corrects for that."
    return [Table("", ("Model", *titles, "Left out", "Run"), tuple(rows), note)]


def gates(context: ReportContext) -> list[Block] | str:
    """What the researcher's own rules say of the score, next to the evidence."""
    result = context.result("investigation")
    if result is not None and not any(row.interval for row in result.value.gates):
        unmeasured = (
            "The network of the class alone was not measured with its error, so your own rules have no score to read."
        )
        return [Text(f"{unmeasured} {result.value.contradiction}".strip())]
    return plan.gates(context, "investigation")


def windows_next(context: ReportContext) -> list[Block] | str:
    """Windows that the recommended model is least sure of."""
    result = context.result("investigation")
    if result is None or not result.value.windows_next:
        return "No windows were looked for, or none were found."
    rows = tuple((str(i + 1), time) for i, time in enumerate(result.value.windows_next))
    return [
        Table(
            "", ("Place", "Begins at (UTC)"), rows, "The recommended model is least sure of these. They do not overlap."
        )
    ]


def _stated(context: ReportContext, statement: Statement) -> Block:
    text = Text(statement.text, HEADS.get(statement.kind, ""), claims=statement.claims)
    if not statement.run_id:
        return text
    return Supported(text, statement.run_id, _link(context, statement.run_id, f"Run {statement.run_id[-4:]}"))


def _link(context: ReportContext, run_id: str, text: str) -> Link | None:
    """The way to a run; None where it was deleted since, or no page shows its kind."""
    run = context.other(run_id)
    if run is None or run.record.kind not in PLACES:
        return None
    page, key = PLACES[run.record.kind]
    return Link(text, page, ((key, run_id),))
