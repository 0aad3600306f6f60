"""Slices drawn: accuracy of each part of the windows with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import figure, interval, palette
from moola_core.diagnostics.results import Slice

TITLES = {
    "grade": "Grade",
    "session": "Session",
    "hour": "Hour of the day",
    "volatility": "Volatility",
    "expansion": "Expansion length",
    "source": "Source",
}


def slices(rows: Sequence[Slice], overall: float | None, appearance: str = "light") -> go.Figure:
    """Accuracy of each slice with its 95% interval, next to that of all windows."""
    colours = palette(appearance)
    known = [row for row in rows if row.accuracy is not None and row.low is not None and row.high is not None]
    chart = figure(appearance, 90 + 30 * max(len(known), 1))
    names = [f"{escape_html(row.value)} ({row.n})" for row in known]
    chart.add_trace(
        go.Scatter(
            x=[row.accuracy for row in known],
            y=names,
            mode="markers",
            showlegend=False,
            marker={"size": 10, "color": colours.categorical[0]},
            error_x=interval(
                [(row.accuracy or 0, row.low or 0, row.high or 0) for row in known], colours.categorical[0]
            ),
            hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        )
    )
    if overall is not None:
        chart.add_vline(
            x=overall,
            line={"color": colours.muted, "dash": "dot"},
            annotation_text="all windows",
            annotation_position="top",
        )
    chart.update_yaxes(autorange="reversed", type="category")
    chart.update_xaxes(title="accuracy, 95% interval", range=[0, 1])
    return chart
