"""Shift drawn: how far each feature of the labelled windows is from other windows."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from moola_core.charts.theme import faded, figure, interval, palette
from moola_core.diagnostics.results import FeatureShift


def distances(rows: Sequence[FeatureShift], appearance: str = "light") -> go.Figure:
    """Kolmogorov–Smirnov distance of each feature with its interval; 0 is the same distribution."""
    colours = palette(appearance)
    chart = figure(appearance, 100 + 26 * len(rows))
    chart.add_trace(
        go.Scatter(
            x=[row.ks for row in rows],
            y=[row.feature for row in rows],
            mode="markers",
            showlegend=False,
            marker={"size": 10, "color": colours.categorical[0]},
            error_x=interval([(row.ks, row.low, row.high) for row in rows], faded(colours.categorical[0], 0.5)),
            customdata=[(row.psi, row.mean, row.other_mean) for row in rows],
            hovertemplate="%{y}: KS %{x:.2f}, PSI %{customdata[0]:.2f}<br>mean %{customdata[1]:.3f} against %{customdata[2]:.3f}<extra></extra>",
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="distance of the distributions (KS)", range=[0, 1])
    return chart


def first_bars(off: dict[str, float], appearance: str = "light") -> go.Figure:
    """Each feature's mean in a window's first bars less that in the rest, in standard deviations."""
    colours = palette(appearance)
    chart = figure(appearance, 100 + 24 * len(off))
    values = list(off.values())
    chart.add_trace(
        go.Bar(
            x=values,
            y=list(off),
            orientation="h",
            hovertemplate="%{y}: %{x:.2f} standard deviations<extra></extra>",
            marker={"color": [faded(colours.bad if abs(v) > 0.5 else colours.categorical[0], 0.6) for v in values]},
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="first 15 bars less the rest, standard deviations")
    return chart
