"""What a host was measured to do, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from moola_core.charts.theme import figure, palette
from moola_core.host.engine import REPLICAS
from moola_core.host.figures import Figures, Row


def throughput(figures: Figures, appearance: str = "light") -> go.Figure:
    """Steps of fits a second over how many fits are computed at once, for each shape; dotted: the bare network, one alone."""
    colours = palette(appearance)
    chart = figure(appearance, 320)
    shapes = {row.shape: None for row in figures.rows if row.shape.title in figures.floors}
    for place, shape in enumerate(shapes):
        colour = colours.categorical[place % len(colours.categorical)]
        rows = _best_of_each([row for row in figures.rows if row.shape == shape and row.step_s and not row.reason])
        chart.add_trace(
            go.Scatter(
                x=[row.fits_in_a_step for row in rows],
                y=[row.steps_per_s for row in rows],
                name=shape.title,
                mode="lines+markers",
                line={"color": colour},
                customdata=[row.how for row in rows],
                hovertemplate="%{customdata}: %{y:.4g} steps a second<extra></extra>",
            )
        )
        chart.add_hline(y=1 / figures.floors[shape.title], line={"color": colour, "dash": "dot", "width": 1})
    chart.update_xaxes(title="fits at once", type="log")
    chart.update_yaxes(title="steps of fits a second", type="log")
    return chart


def _best_of_each(rows: Sequence[Row]) -> list[Row]:
    """The fastest row of each number of fits; of training rows alone."""
    best: dict[int, Row] = {}
    for row in rows:
        before = best.get(row.fits_in_a_step)
        if row.engine in (REPLICAS, "sequential") and (before is None or row.steps_per_s > before.steps_per_s):
            best[row.fits_in_a_step] = row
    return [best[count] for count in sorted(best)]
