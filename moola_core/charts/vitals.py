"""Vital signs as gauges: where each value lies next to the range of healthy runs."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from moola_core.charts.theme import faded, figure, palette
from moola_core.diagnostics.results.vitals import VitalSign

FARTHEST = 3.0  # widths of half the healthy range at which a marker stops


def gauges(signs: Sequence[VitalSign], appearance: str = "light") -> go.Figure:
    """A line a sign: the healthy range as a band, the value as a marker that is filled where it is unusual."""
    colours = palette(appearance)
    chart = figure(appearance, 90 + 30 * len(signs))
    chart.add_vrect(x0=-1, x1=1, fillcolor=faded(colours.muted, 0.25), line_width=0)
    shown = list(reversed(signs))
    chart.add_trace(
        go.Scatter(
            x=[position(one) for one in shown],
            y=[one.title for one in shown],
            mode="markers",
            marker={
                "size": 12,
                "color": [colours.bad if one.unusual else colours.predicted for one in shown],
                "symbol": ["diamond" if one.unusual else "circle-open" for one in shown],
            },
            customdata=[(f"{one.value:.3g}", f"{one.low:.3g}", f"{one.high:.3g}", one.percentile) for one in shown],
            hovertemplate="%{y}: %{customdata[0]}<br>95% of healthy runs: %{customdata[1]} to %{customdata[2]}"
            "<br>percentile %{customdata[3]:.0%}<extra></extra>",
        )
    )
    chart.update_layout(showlegend=False)
    chart.update_xaxes(
        range=[-FARTHEST - 0.2, FARTHEST + 0.2],
        tickvals=[-FARTHEST, -1, 1, FARTHEST],
        ticktext=["far below", "2.5%", "97.5%", "far above"],
        title="where healthy runs lie",
    )
    chart.update_yaxes(automargin=True)
    return chart


def position(one: VitalSign) -> float:
    """Where the marker stands: −1 and 1 are the ends of the healthy range, at most FARTHEST away."""
    half, middle = (one.high - one.low) / 2, (one.high + one.low) / 2
    if half <= 0:
        away = 0.0 if one.value == middle else FARTHEST if one.value > middle else -FARTHEST
        return away if one.unusual else 0.0
    return min(max((one.value - middle) / half, -FARTHEST), FARTHEST)
