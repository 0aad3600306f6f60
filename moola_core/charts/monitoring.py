"""The metrics that are measured on the validation windows while fits train, by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from moola_core.charts.curves import Columns, Line, by_epoch
from moola_core.charts.markup import escape_html
from moola_core.metrics import METRICS

CONFLICT = "conflict"
RATES = {"conflict_rate": "in conflict (cos < 0)", "projection_rate": "projected"}
OF_CLASS = "."


@dataclass(frozen=True)
class Monitored:
    """One chart: its name and title, its lines, and the title of its axis."""

    name: str
    title: str
    lines: tuple[Line, ...]
    axis: str

    def draw(self, epochs: Columns, appearance: str = "light") -> go.Figure:
        """A thin line a fit and a bold one for their median."""
        return by_epoch(epochs, self.lines, self.axis, appearance)


def monitored(epochs: Columns) -> list[Monitored]:
    """A chart for each monitored metric of which there are values, in the order of the registry, and one for the rates of conflict."""
    charts = []
    for name, metric in METRICS.items():
        own = [column for column in epochs if column == name or column.startswith(f"{name}{OF_CLASS}")]
        if metric.monitored and own:
            axis = f"{metric.short or metric.title}{f', {metric.unit}' if metric.unit else ''}"
            charts.append(Monitored(name, metric.title, _lines(own, metric.short or metric.title), axis))
    rates = [column for column in RATES if column in epochs]
    if rates:
        lines = tuple(Line(column, "validation", RATES[column], i) for i, column in enumerate(rates))
        charts.append(Monitored(CONFLICT, "Gradient conflict so far", lines, "share of steps"))
    return charts


def _lines(columns: Sequence[str], title: str) -> tuple[Line, ...]:
    return tuple(
        Line(column, "validation", escape_html(column.partition(OF_CLASS)[2]) or title, i)
        for i, column in enumerate(columns)
    )
