"""The balance of the tasks drawn: the cosine of their gradients."""

from __future__ import annotations

import plotly.graph_objects as go

from moola_core.charts.theme import faded, figure, palette
from moola_core.diagnostics.results import Balance


def cosines(balance: Balance, appearance: str = "light") -> go.Figure:
    """Steps by the cosine of the two gradients on the shared parameters; left of 0 they conflict."""
    colours = palette(appearance)
    chart = figure(appearance, 300)
    middle = (balance.cosine_edges[1:] + balance.cosine_edges[:-1]) / 2
    chart.add_trace(
        go.Bar(
            x=middle,
            y=balance.cosines,
            width=0.095,
            marker={"color": [faded(colours.bad if x < 0 else colours.categorical[0], 0.6) for x in middle]},
            hovertemplate="cosine %{x:.2f}: %{y} steps<extra></extra>",
        )
    )
    if balance.pcgrad:
        chart.add_vline(
            x=balance.pcgrad_threshold,
            line={"color": colours.ink, "dash": "dot"},
            annotation_text="projected to the left",
        )
    chart.update_xaxes(title="cosine of class and pointer gradients", range=[-1, 1])
    chart.update_yaxes(title="steps")
    return chart
