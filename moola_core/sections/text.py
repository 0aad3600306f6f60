"""A section as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from moola_core.sections.blocks import Block, Cell, Chart, Command, Figures, Section, Table, Text, charts, flat, shown

CHARTS = "Charts, in the app and in reports"
MOST_ROWS = 12


def render(section: Section | str) -> str:
    """The section's texts, figures and tables; its charts are listed by their titles. The sentence why there is none as it is."""
    if isinstance(section, str):
        return section
    parts = [_block(block) for block in flat(section.blocks) if not isinstance(block, Chart)]
    titles = "; ".join(chart.title for chart in charts(section))
    return "\n\n".join([*parts, *([f"{CHARTS}: {titles}."] if titles else [])])


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return "\n".join(filter(None, (block.title, f"{block.strong} {block.text}".strip())))
    if isinstance(block, Figures):
        return "\n".join(
            f"{one.title}: {shown(one.number)}{f' ({one.note})' if one.note else ''}" for one in block.items
        )
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Command):
        return f"{block.title}:\n  {block.line}"
    raise TypeError(f"a terminal cannot show a {type(block).__name__}")


def _table(table: Table) -> str:
    left_out = len(table.rows) - MOST_ROWS
    more = f"… {left_out} more rows; --json has them all." if left_out > 0 else ""
    table = replace(table, rows=table.rows[:MOST_ROWS])
    rows = [table.columns, *(tuple(map(shown, row)) for row in table.rows)]
    numeric = [_numeric([row[at] for row in table.rows]) for at in range(len(table.columns))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join(filter(None, (table.title, *lines, more, table.note)))


def _numeric(cells: Sequence[Cell]) -> bool:
    return bool(cells) and not any(isinstance(cell, str) and cell != "–" for cell in cells)
