"""Attribution drawn: the ranking, every window's values, one window's sum."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import faded, figure, palette
from moola_core.diagnostics.results import Attribution


def ranking(attribution: Attribution, output: str, appearance: str = "light") -> go.Figure:
    """Mean absolute contribution of each feature to one output, a point a fit (fold of a repeat)."""
    colours = palette(appearance)
    rows = sorted((row for row in attribution.ranking if row.output == output), key=lambda row: row.rank)
    chart = figure(appearance, 100 + 26 * len(rows))
    chart.add_trace(
        go.Bar(
            x=[row.mean for row in rows],
            y=[row.group for row in rows],
            orientation="h",
            name="all windows",
            marker={"color": faded(colours.categorical[0], 0.45)},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    points = [(value, row.group) for row in rows for value in row.by_fit]
    chart.add_trace(
        go.Scatter(
            x=[value for value, _ in points],
            y=[group for _, group in points],
            mode="markers",
            name="one fit",
            marker={"size": 6, "color": colours.categorical[0]},
            hovertemplate="%{x:.3f}<extra>one fit</extra>",
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="mean size of the contribution")
    return chart


def beeswarm(attribution: Attribution, output: str, appearance: str = "light") -> go.Figure:
    """Every window's contribution of each feature; coloured by the feature's mean in that window."""
    low, middle, high = palette(appearance).diverging
    place = attribution.outputs.index(output)
    order = [row.group for row in sorted((r for r in attribution.ranking if r.output == output), key=lambda r: r.rank)]
    chart = figure(appearance, 110 + 34 * len(order))
    for i, group in enumerate(order):
        at = attribution.groups.index(group)
        values, level = attribution.values[:, at, place], attribution.level[:, at]
        level = (level - level.mean()) / (2 * level.std() or 1.0)
        chart.add_trace(
            go.Scatter(
                x=values,
                y=i + _spread(values),
                mode="markers",
                showlegend=False,
                customdata=escape_html(attribution.window_id),
                marker={
                    "size": 5,
                    "color": np.clip(level, -1, 1),
                    "cmin": -1,
                    "cmax": 1,
                    "colorscale": [[0, high], [0.5, middle], [1, low]],
                    "line": {"width": 0.4, "color": palette(appearance).muted},
                },
                hovertemplate=f"{group}, %{{customdata}}: %{{x:.3f}}<extra></extra>",
            )
        )
    chart.add_vline(x=0, line={"color": palette(appearance).muted, "width": 1})
    chart.update_yaxes(autorange="reversed", tickvals=list(range(len(order))), ticktext=order)
    chart.update_xaxes(title=f"contribution to {escape_html(output)}")
    return chart


def _spread(values: np.ndarray, bins: int = 40) -> np.ndarray:
    """Small offsets [n] that keep equal values apart, alternately above and below."""
    if not len(values) or np.ptp(values) == 0:
        return np.linspace(-0.3, 0.3, len(values))
    place = ((values - values.min()) / np.ptp(values) * (bins - 1)).round().astype(int)
    offset = np.zeros(len(values))
    most = np.bincount(place).max()
    for number in np.unique(place):
        rows = np.flatnonzero(place == number)
        steps = (np.arange(len(rows)) + 1) // 2 * np.where(np.arange(len(rows)) % 2, 1, -1)
        offset[rows] = 0.8 * steps / max(most, 2)
    return offset


def course(attribution: Attribution, output: str, appearance: str = "light") -> go.Figure:
    """Where in the window each feature counts: mean absolute expected gradient by feature and bar."""
    colours = palette(appearance)
    values = attribution.course[attribution.outputs.index(output)].T
    order = np.argsort(-values.sum(1))
    chart = figure(appearance, 120 + 22 * len(order))
    chart.add_trace(
        go.Heatmap(
            x=np.arange(values.shape[1]),
            y=[attribution.features[i] for i in order],
            z=values[order],
            zmin=0,
            colorscale=[[0, colours.diverging[1]], [1, colours.categorical[0]]],
            ygap=2,
            name=escape_html(output),
            colorbar={"thickness": 10, "outlinewidth": 0, "tickfont": {"color": colours.muted}},
            hovertemplate="%{y}, bar %{x}: %{z:.4f}<extra></extra>",
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="bar of the window")
    return chart


def waterfall(attribution: Attribution, window_id: str, output: str, appearance: str = "light") -> go.Figure:
    """One window: from the prediction without any feature to the prediction, feature by feature, the largest first."""
    colours = palette(appearance)
    row, place = attribution.window_id.index(window_id), attribution.outputs.index(output)
    values = attribution.values[row, :, place]
    order = np.argsort(-np.abs(values))
    names = ["base value", *(attribution.groups[i] for i in order), "prediction"]
    chart = figure(appearance, 110 + 26 * len(names))
    chart.add_trace(
        go.Waterfall(
            orientation="h",
            y=names,
            x=[attribution.empty[row, place], *values[order], 0],
            measure=["absolute", *["relative"] * len(values), "total"],
            increasing={"marker": {"color": colours.categorical[0]}},
            decreasing={"marker": {"color": colours.bad}},
            totals={"marker": {"color": colours.muted}},
            connector={"line": {"color": colours.grid}},
            hovertemplate="%{y}: %{delta:.3f}<extra></extra>",
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title=escape_html(output))
    return chart
