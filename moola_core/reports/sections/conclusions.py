"""What the run decides: verdicts, targets, and the next step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from moola_core.diagnostics.results import Evaluation
from moola_core.reports import advice, verdicts
from moola_core.reports.blocks import Block, Cell, Number, Table, Text
from moola_core.reports.material import ABSENT, Material
from moola_core.targets import Judgement, judge


def decisions(material: Material) -> list[Block]:
    """A sentence or two for each thing that the stored results settle, the researcher's own note, and the next step."""
    record = material.record
    said: list[Block] = []
    if record.error:
        said.append(Text(record.error, f"The run is {record.state}.", warning=True))
    said += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    learned, result = material.result("learned"), material.result("evaluation")
    if learned:
        said.append(_text(verdicts.of_learned(learned.found)))
        said += [_text(verdicts.of_probe(learned.found.probe))] if learned.found.probe else []
        step = advice.after_pretraining(record, learned.found)
    else:
        evaluation = result.found if result else None
        said += list(_judged(material, evaluation)) if evaluation else []
        absent = advice.after_pretraining(record, None) if record.kind == "pretrain" else None
        step = absent or advice.next_step(record, evaluation, material.baseline)
    if record.pinned:
        said.append(Text("Later runs are held against it.", "This run is pinned as the baseline."))
    if record.note:
        said.append(Text(record.note, "Note."))
    return [*said, Text(f"{step.fact} {step.step}", "Next.")]


def _judged(material: Material, evaluation: Evaluation) -> Iterator[Text]:
    rows = [row for row in judge(evaluation.metrics) if row.met is not None]
    missed = [row.target.title for row in rows if not row.met]
    rest = f"Missed: {', '.join(missed)}." if missed else ""
    yield Text(rest, f"{len(rows) - len(missed)} of {len(rows)} targets are met.")
    constant = sum(share.constant for share in evaluation.fold_shares)
    if constant:
        folds = len(evaluation.fold_shares)
        yield Text("Averages hide that.", f"{constant} of {folds} folds answered one class alone.", warning=True)
    if evaluation.metrics.get("accuracy"):
        yield from map(_text, (verdicts.of_classes(evaluation), verdicts.of_majority(evaluation)))
    if evaluation.metrics.get("center_mae_bars"):
        yield _text(verdicts.of_pointers(evaluation))
    of: dict[str, Callable[[Any], verdicts.Verdict]] = {
        "calibration": verdicts.of_calibration,
        "balance": verdicts.of_balance,
        "transfer": lambda found: verdicts.of_probe(found.probe),
    }
    for name, verdict in of.items():
        found = material.result(name)
        if found and not found.why_not:
            yield _text(verdict(found.found))


def _text(verdict: verdicts.Verdict) -> Text:
    return Text(verdict.rest.replace("`", ""), verdict.headline)


def targets(material: Material) -> list[Block] | str:
    """Each target with what was reached, the gap in its own unit and in percent of the bound."""
    result = material.result("evaluation")
    if not result:
        return "The run left no evaluation."
    rows, met = [], []
    for row in judge(result.values["metrics"]):
        stored = result.number("metrics", *row.target.path, "mean")
        spread = result.number("metrics", *row.target.path, "std") if len(result.found.by_repeat) > 1 else ABSENT
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
