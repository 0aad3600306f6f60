"""What the run decides: verdicts, targets, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moola_core.diagnostics.results import Evaluation
from moola_core.sections import advice, headlines
from moola_core.sections.blocks import Block, Cell, Number, Table, Text
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.targets import Judgement, judge


def decisions(context: ReportContext) -> list[Block]:
    """A sentence or two for each thing that the stored results settle, the researcher's own note, and the next step."""
    record = context.record
    texts: list[Block] = []
    if record.error:
        texts.append(Text(record.error, f"The run is {record.state}.", warning=True))
    texts += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    learned, result = context.result("learned"), context.result("evaluation")
    if learned:
        texts.append(_text(headlines.of_pretraining(learned.value)))
        texts += [_text(headlines.of_probe(learned.value.probe))] if learned.value.probe else []
        step = advice.after_pretraining(record, learned.value)
    else:
        evaluation = result.value if result else None
        texts += list(_judged(context, evaluation)) if evaluation else []
        absent = advice.after_pretraining(record, None) if record.kind == "pretrain" else None
        step = absent or advice.next_step(record, evaluation, context.baseline)
    if record.pinned:
        texts.append(Text("Later runs are compared with it.", "This run is pinned as the baseline."))
    if record.note:
        texts.append(Text(record.note, "Note."))
    return [*texts, Text(f"{step.fact} {step.step}", "Next.")]


def _judged(context: ReportContext, evaluation: Evaluation) -> Iterator[Text]:
    rows = [row for row in judge(evaluation.metrics) if row.met is not None]
    missed = [row.target.title for row in rows if not row.met]
    rest = f"Missed: {', '.join(missed)}." if missed else ""
    yield Text(rest, f"{len(rows) - len(missed)} of {len(rows)} targets are met.")
    constant = sum(share.constant for share in evaluation.fold_shares)
    if constant:
        folds = len(evaluation.fold_shares)
        yield Text("Averages hide that.", f"{constant} of {folds} folds predicted only one class.", warning=True)
    if evaluation.metrics.get("accuracy"):
        yield from map(_text, (headlines.of_classes(evaluation), headlines.of_majority(evaluation)))
    if evaluation.metrics.get("center_mae_bars"):
        yield _text(headlines.of_pointers(evaluation))
    of: dict[str, Callable[[Any], headlines.Headline]] = {
        "calibration": headlines.of_calibration,
        "balance": headlines.of_balance,
        "transfer": lambda transfer: headlines.of_probe(transfer.probe),
    }
    for name, verdict in of.items():
        result = context.result(name)
        if result and not result.why_not:
            yield _text(verdict(result.value))


def _text(verdict: headlines.Headline) -> Text:
    return Text(verdict.rest.replace("`", ""), verdict.headline)


def targets(context: ReportContext) -> list[Block] | str:
    """Each target with what was reached, the gap in its own unit and in percent of the bound."""
    result = context.result("evaluation")
    if not result:
        return "The run left no evaluation."
    rows, met = [], []
    for row in judge(result.values["metrics"]):
        stored = result.number("metrics", *row.target.path, "mean")
        spread = result.number("metrics", *row.target.path, "std") if len(result.value.by_repeat) > 1 else ABSENT
        rows.append((row.target.title, row.target.wanted, stored, spread, *gap(row)))
        met.append(row.met)
    columns = ("Target", "Wanted", "Actual", "Spread", "Gap", "Gap, %", "Met")
    note = "Actual: mean over the repeats, each pooled out of fold; spread: their standard deviation."
    return [Table("", columns, tuple(rows), note, tuple(met))]


def gap(row: Judgement) -> tuple[Cell, Cell, str]:
    if row.gap is None or row.gap_percent is None:
        return ABSENT, ABSENT, ABSENT
    return (
        Number(row.gap, f"{row.gap:.3f}"),
        Number(row.gap_percent, f"{row.gap_percent:.0f}%"),
        "yes" if row.met else "no",
    )
