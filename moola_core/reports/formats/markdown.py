"""A report as Markdown with a PNG a chart next to it."""

from __future__ import annotations

import re
from urllib.parse import quote

from moola_core.charts.markup import specification
from moola_core.reports.formats import chromium
from moola_core.reports.formats.html import key, page
from moola_core.sections.blocks import Cell, Chart, Command, Figures, Report, Simple, Table, Text, charts, flat, shown
from moola_core.sections.formatting import REPORT_OF

WIDTH, HALF_WIDTH = 718, 440  # pixels at which charts are drawn
SIGNS = re.compile(r"([\\`*_{}\[\]()#+\-!|~:@$])")


def render(report: Report, folder: str) -> str:
    """The report's Markdown; the pictures lie in `folder`, a path relative to the text."""
    lines = [f"# {escape_markdown(report.title)}", "", f"Report of {REPORT_OF[report.kind]}.", ""]
    lines += [
        "| | |",
        "|---|---|",
        *(f"| {escape_markdown(name)} | {_cell(value)} |" for name, value in report.facts),
        "",
    ]
    for section in report.sections:
        lines += [f"## {escape_markdown(section.title)}", ""]
        for block in flat(section.blocks):
            name = f"{quote(folder)}/{key(section.name, block)}.png" if isinstance(block, Chart) else ""
            lines += [*_lines(block, name), ""]
    if report.absent:
        lines += ["## Not in this report", ""]
        lines += [
            line
            for title, why in report.absent
            for line in (f"**{escape_markdown(title)}{'' if title.endswith('?') else '.'}** {escape_markdown(why)}", "")
        ]
    lines.append(f"Made {report.made[:16].replace('T', ' ')} UTC by moola {report.version} from run {report.run_id}.")
    return "\n".join(lines) + "\n"


def pictures(report: Report) -> dict[str, bytes]:
    """A PNG of each chart, by file name."""
    drawn = {}
    for section in report.sections:
        for chart in charts(section):
            width = HALF_WIDTH if chart.half else WIDTH
            drawn[key(section.name, chart)] = {**specification(chart.draw("light")), "width": width}
    if not drawn:
        return {}
    return {
        f"{name}.png": data
        for name, data in chromium.pictures(page("pictures.html.j2", "pictures.js", figures=drawn)).items()
    }


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no mark, no link, no HTML, on one line."""
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SIGNS.sub(r"\\\1", " ".join(text.split()))


def _lines(block: Simple, picture: str) -> list[str]:
    if isinstance(block, Text):
        head = [f"### {escape_markdown(block.title)}", ""] if block.title else []
        strong = f"**{escape_markdown(block.strong)}** " if block.strong else ""
        return [*head, f"{'> ' if block.warning else ''}{strong}{escape_markdown(block.text)}".rstrip()]
    if isinstance(block, Figures):
        rows = [
            f"| {escape_markdown(one.title)} | {_cell(one.number)} | {escape_markdown(one.note)} |"
            for one in block.items
        ]
        return ["| | | |", "|---|---|---|", *rows]
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Command):
        fence = "`" * (max((len(ticks) for ticks in re.findall("`+", block.line)), default=2) + 1)
        return [f"**{escape_markdown(block.title)}**", "", f"{fence}bash", " ".join(block.line.split()), fence]
    lines = [f"### {escape_markdown(block.title)}", "", f"![{escape_markdown(block.title)}]({picture})"]
    return [*lines, "", escape_markdown(block.note)] if block.note else lines


def _table(table: Table) -> list[str]:
    lines = [f"### {escape_markdown(table.title)}", ""] if table.title else []
    lines += [f"| {' | '.join(map(escape_markdown, table.columns))} |", f"|{'---|' * len(table.columns)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in table.rows]
    return [*lines, "", escape_markdown(table.note)] if table.note else lines


def _cell(cell: Cell) -> str:
    return escape_markdown(shown(cell))
