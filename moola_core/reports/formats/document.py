"""A report as JSON, of the schema that docs/report.schema.json publishes."""

from __future__ import annotations

from typing import Any

from moola_core.charts.markup import specification
from moola_core.runs import codec
from moola_core.runs.record import stored
from moola_core.sections.blocks import Cell, Command, Figures, Number, Report, Section, Simple, Table, Text, flat
from moola_core.sections.context import ReportContext

SCHEMA = "moola-report-1"


def render(report: Report, context: ReportContext) -> str:
    """The report with every number as it is stored, the charts as plotly figures, and the records and specs it was made from."""
    document = {
        "schema": SCHEMA,
        "run_id": report.run_id,
        "kind": report.kind,
        "title": report.title,
        "made": report.made,
        "version": report.version,
        "facts": [{"title": name, "value": _cell(value)} for name, value in report.facts],
        "sections": [
            {"name": section.name, "title": section.title, "blocks": blocks(section)} for section in report.sections
        ],
        "absent": [{"title": title, "why": why} for title, why in report.absent],
        "runs": [
            {"record": codec.plain(stored(run.record)), "spec": run.spec.model_dump(mode="json")}
            for run in context.runs()
        ],
    }
    return codec.dumps(document, indent=1) + "\n"


def blocks(section: Section) -> list[dict[str, Any]]:
    """The section's blocks as the schema describes them."""
    return [_block(block) for block in flat(section.blocks)]


def _block(block: Simple) -> dict[str, Any]:
    if isinstance(block, Text):
        return {
            "type": "text",
            "strong": block.strong,
            "text": block.text,
            "warning": block.warning,
            "title": block.title,
            "claims": [codec.plain(claim) | {"outcome": claim.outcome} for claim in block.claims],
        }
    if isinstance(block, Figures):
        items = [{"title": one.title, "value": _cell(one.number), "note": one.note} for one in block.items]
        return {"type": "figures", "items": items}
    if isinstance(block, Table):
        return {
            "type": "table",
            "title": block.title,
            "columns": list(block.columns),
            "rows": [[_cell(cell) for cell in row] for row in block.rows],
            "note": block.note,
        }
    if isinstance(block, Command):
        return {"type": "command", "title": block.title, "line": block.line}
    figure = specification(block.draw("light"))
    return {"type": "chart", "name": block.name, "title": block.title, "note": block.note, "figure": figure}


def _cell(cell: Cell) -> Any:
    if isinstance(cell, Number):
        return {"value": cell.value, "shown": cell.shown, "source": cell.source}
    return cell
