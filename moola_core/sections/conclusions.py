"""What the run decides: verdicts, targets, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moola_core.diagnostics.results import CalibrationReport, Evaluation
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED
from moola_core.sections import advice, headlines, scores
from moola_core.sections.blocks import Block, Cell, Number, Table, Text
from moola_core.sections.context import ABSENT, ReportContext
from moola_core.sections.performance import of_scores
from moola_core.targets import Judgement


def decisions(context: ReportContext) -> list[Block]:
    """A sentence or two for each thing that the stored results settle, the researcher's own note, and the next step."""
    record = context.record
    texts: list[Block] = []
    if record.error:
        texts.append(Text(record.error, f"The run is {record.state}.", warning=True))
    texts += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    learned, result = context.result("learned"), context.result("evaluation")
    if learned:
        texts.append(headlines.of_pretraining(learned.value).block)
        texts += [headlines.of_probe(learned.value.probe).block] if learned.value.probe else []
        step = advice.after_pretraining(record, learned.value)
    else:
        evaluation = result.value if result else None
        texts += list(_judged(context, evaluation)) if evaluation else []
        absent = advice.after_pretraining(record, None) if record.kind == "pretrain" else None
        step = absent or advice.next_step(record, evaluation, context.baseline, _calibration(context))
    if record.pinned:
        texts.append(Text("Later runs are compared with it.", "This run is pinned as the baseline."))
    if record.note:
        texts.append(Text(record.note, "Note."))
    return [*texts, step.block]


def _judged(context: ReportContext, evaluation: Evaluation) -> Iterator[Text]:
    yield scores.of_targets(evaluation, _calibration(context)).block
    constant = sum(share.constant for share in evaluation.fold_shares)
    if constant:
        folds = len(evaluation.fold_shares)
        yield Text("Averages hide that.", f"{constant} of {folds} folds predicted only one class.", warning=True)
    yield from (verdict.block for verdict in of_scores(evaluation))
    if evaluation.metrics.get("center_mae_bars"):
        yield headlines.of_pointers(evaluation).block
    of: dict[str, Callable[[Any], headlines.Headline]] = {
        "calibration": headlines.of_calibration,
        "balance": headlines.of_balance,
        "transfer": lambda transfer: headlines.of_probe(transfer.probe),
    }
    for name, judged in of.items():
        result = context.result(name)
        if result and not result.why_not:
            yield judged(result.value).block


def _calibration(context: ReportContext) -> CalibrationReport | None:
    result = context.result("calibration")
    return result.value if result and not result.why_not else None


def targets(context: ReportContext) -> list[Block] | str:
    """Each target with what was reached, the gap in its own unit and in percent of the bound."""
    result = context.result("evaluation")
    if not result:
        return "The run left no evaluation."
    rows, met = [], []
    for row, verdict in scores.of_each(result.value, _calibration(context)):
        stored = result.number("metrics", *row.target.path, "mean")
        rows.append((row.target.title, row.target.wanted, stored, *_ends(verdict), *gap(row), verdict.headline))
        met.append({SUPPORTED: True, OPPOSED: False}.get(verdict.outcome))
    columns = ("Target", "Wanted", "Actual", "from", "to", "Gap", "Gap, %", "Met")
    note = (
        "Actual: mean over the repeats, each pooled out of fold, with its 95% interval over windows and repeats. "
        "Met: yes or no where all of the interval is on one side of the target."
    )
    return [Table("", columns, tuple(rows), note, tuple(met))]


def _ends(verdict: headlines.Headline) -> tuple[Cell, Cell]:
    """Both ends of the interval of a target."""
    judged = verdict.claims[0].interval if verdict.claims else None
    if judged is None or judged.low == judged.high:
        return ABSENT, ABSENT
    return Number(judged.low, f"{judged.low:.3f}"), Number(judged.high, f"{judged.high:.3f}")


def gap(row: Judgement) -> tuple[Cell, Cell]:
    """How far the estimate is from its target, in its own unit and in percent of the bound."""
    if row.gap is None or row.gap_percent is None:
        return ABSENT, ABSENT
    return Number(row.gap, f"{row.gap:.3f}"), Number(row.gap_percent, f"{row.gap_percent:.0f}%")
