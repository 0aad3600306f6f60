"""How fine-tuning changed a pre-trained encoder, drawn."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from moola_core.charts.theme import figure, interval, palette
from moola_core.diagnostics.results import LayerChange


def layers(rows: Sequence[LayerChange], appearance: str = "light") -> go.Figure:
    """Debiased CKA of each layer before and after fine-tuning, with an encoder of random weights next to it."""
    colours = palette(appearance)
    names = [f"layer {row.layer}" for row in rows]
    chart = figure(appearance, 130 + 44 * len(rows))
    after = [(row.cka, row.low, row.high) for row in rows]
    chart.add_trace(
        go.Scatter(
            x=[row.cka for row in rows],
            y=names,
            mode="markers",
            name="after fine-tuning",
            error_x=interval(after, colours.categorical[0]),
            marker={"size": 11, "color": colours.categorical[0]},
            customdata=[row.moved for row in rows],
            hovertemplate="%{y}: %{x:.3f}, weights moved by %{customdata:.1%}<extra></extra>",
        )
    )
    chart.add_trace(
        go.Scatter(
            x=[row.random for row in rows],
            y=names,
            mode="markers",
            name="random weights",
            marker={"size": 11, "symbol": "x-thin", "line": {"width": 2, "color": colours.bad}},
            hovertemplate="%{y}: %{x:.3f}<extra>random weights</extra>",
        )
    )
    chart.update_xaxes(title="similarity to the pre-trained encoder (debiased CKA)", range=[-0.1, 1.05])
    chart.update_yaxes(autorange="reversed")
    return chart
