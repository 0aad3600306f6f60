"""Features and labels drawn: correlations, distributions by class, the course over a window, features among each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import class_colours, faded, figure, interval, palette
from moola_core.diagnostics.results import FeatureLabel, FeatureReport
from moola_core.targets import NOTABLE_R

AGGREGATE_TITLES = {
    "window": "the whole window",
    "last": "its last 20 bars",
    "before_expansion": "the 20 bars before the expansion",
}


def correlations(rows: Sequence[FeatureLabel], appearance: str = "light") -> go.Figure:
    """r of each row with its interval; filled where q < 0.05; the dotted lines are the researcher's ±0.15."""
    colours = palette(appearance)
    chart = figure(appearance, 110 + 26 * len(rows))
    chart.add_trace(
        go.Scatter(
            x=[row.r for row in rows],
            y=[row.feature for row in rows],
            mode="markers",
            showlegend=False,
            marker={
                "size": 11,
                "symbol": ["circle" if row.q < 0.05 else "circle-open" for row in rows],
                "color": colours.categorical[0],
                "line": {"width": 2},
            },
            error_x=interval([(row.r, row.r_low, row.r_high) for row in rows], faded(colours.categorical[0], 0.5)),
            customdata=[(row.q, row.auc, row.n) for row in rows],
            hovertemplate="%{y}: r %{x:.3f}, q %{customdata[0]:.3f}<br>AUC %{customdata[1]:.3f}, n %{customdata[2]}<extra></extra>",
        )
    )
    for edge in (-NOTABLE_R, NOTABLE_R):
        chart.add_vline(x=edge, line={"color": colours.muted, "dash": "dot", "width": 1})
    chart.add_vline(x=0, line={"color": colours.grid, "width": 1})
    positive = rows[0].positive if rows else ""
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title=f"r with {escape_html(positive)}, 95% interval", range=[-0.6, 0.6])
    return chart


def distribution(report: FeatureReport, feature: str, appearance: str = "light") -> go.Figure:
    """Window means of one feature by class."""
    colours = class_colours(report.classes, appearance)
    chart = figure(appearance, 300)
    for name in report.classes:
        values = report.distributions[feature][name]
        chart.add_trace(
            go.Violin(
                x=values,
                name=escape_html(name),
                line={"color": colours[name]},
                meanline={"visible": True},
                points="all",
                pointpos=0,
                jitter=0.6,
                marker={"size": 4, "opacity": 0.5},
                orientation="h",
                side="both",
                hovertemplate="%{x:.3f}<extra></extra>",
            )
        )
    chart.update_xaxes(title=f"mean of {feature} over a window")
    chart.update_layout(showlegend=False)
    return chart


def course(report: FeatureReport, feature: str, appearance: str = "light") -> go.Figure:
    """Mean of one feature at each bar of the window by class, with a band of ±2 standard errors."""
    colours = class_colours(report.classes, appearance)
    place = report.features.index(feature)
    chart = figure(appearance, 300)
    bars = np.arange(report.course_mean.shape[2])
    for i, name in enumerate(report.classes):
        mean, reach = report.course_mean[i, place], 2 * report.course_error[i, place]
        chart.add_trace(
            go.Scatter(
                x=np.r_[bars, bars[::-1]],
                y=np.r_[mean + reach, (mean - reach)[::-1]],
                fill="toself",
                mode="lines",
                line={"width": 0},
                fillcolor=faded(colours[name], 0.18),
                hoverinfo="skip",
                showlegend=False,
            )
        )
        chart.add_trace(
            go.Scatter(
                x=bars,
                y=mean,
                mode="lines",
                name=escape_html(name),
                line={"color": colours[name], "width": 2.2},
                hovertemplate=f"{escape_html(name)}, bar %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
    chart.update_xaxes(title="bar of the window")
    chart.update_yaxes(title=feature)
    return chart


def among(report: FeatureReport, appearance: str = "light") -> go.Figure:
    """Correlation of the features' window means with each other."""
    low, middle, high = palette(appearance).diverging
    chart = figure(appearance, 130 + 26 * len(report.features))
    chart.add_trace(
        go.Heatmap(
            x=report.features,
            y=report.features,
            z=report.correlation,
            zmin=-1,
            zmax=1,
            colorscale=[[0, high], [0.5, middle], [1, low]],
            colorbar={"thickness": 10, "title": "r"},
            hovertemplate="%{y} with %{x}: %{z:.2f}<extra></extra>",
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(tickangle=-45)
    return chart
