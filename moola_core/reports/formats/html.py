"""A report as one HTML file that holds everything it needs and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from moola_core.charts.markup import script, specification
from moola_core.runs.record import RUN_ID
from moola_core.sections.blocks import Chart, Command, Figures, Number, Report, Table, Text, charts, lines
from moola_core.sections.formatting import REPORT_OF

FOLDER = Path(__file__).parent


def render(report: Report) -> str:
    """The report's HTML. Every text goes through autoescape; what a browser may run are the two scripts named by their hash."""
    figures = {
        key(section.name, chart): specification(chart.draw("light"))
        for section in report.sections
        for chart in charts(section)
    }
    return page("report.html.j2", "draw.js", report=report, figures=figures)


def key(section: str, chart: Chart) -> str:
    """The chart's name in the whole report."""
    return f"{section}-{chart.name}"


def page(template: str, drawing: str, **values: Any) -> str:
    """A page of `figures` that plotly.js and the script `drawing` draw; any other script is refused by the page itself."""
    scripts = (script(), _text(drawing))
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; "
        f"script-src {' '.join(_digest(text) for text in scripts)}"
    )
    return (
        _templates().get_template(template).render(policy=policy, scripts=scripts, style=_text("report.css"), **values)
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kinds = {"text": Text, "figures": Figures, "table": Table, "chart": Chart, "command": Command, "number": Number}
    environment.tests["run_id"] = lambda value: bool(RUN_ID.fullmatch(str(value)))
    environment.tests |= {name: lambda value, kind=kind: isinstance(value, kind) for name, kind in kinds.items()}
    environment.filters |= {"report_of": REPORT_OF.__getitem__}
    environment.filters["lines"] = lines
    environment.globals["key"] = key
    return environment
