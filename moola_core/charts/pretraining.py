"""What pre-training learned: errors by feature, a reconstruction over the truth, the probe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.theme import faded, figure, palette
from moola_core.diagnostics.results import FeatureError, Probe, Reconstruction


def errors(features: Sequence[FeatureError], appearance: str = "light") -> go.Figure:
    """Each feature's error at hidden bars, over that of the training mean, so that features of any unit share an axis."""
    colours = palette(appearance)
    names = [row.name for row in features]
    scale = np.array([row.feature_mean or np.nan for row in features])
    chart = figure(appearance, 90 + 26 * len(names))
    values = np.array([row.model for row in features]) / scale
    texts = [
        f"{row.model:.4f} {row.unit}; mean {row.feature_mean:.4f}, last {row.carry_forward:.4f}" for row in features
    ]
    chart.add_trace(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            name="model",
            text=texts,
            textposition="none",
            marker={"color": faded(colours.categorical[0], 0.55)},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    marks = (
        ("last visible bar", "carry_forward", colours.categorical[1]),
        ("noise floor", "noise_floor", colours.muted),
    )
    for title, column, colour in marks:
        baseline = np.array([getattr(row, column) for row in features])
        if baseline.any():
            marker = {"symbol": "line-ns", "size": 15, "line": {"width": 3, "color": colour}}
            chart.add_trace(
                go.Scatter(x=baseline / scale, y=names, mode="markers", name=title, marker=marker, hoverinfo="skip")
            )
    chart.add_vline(x=1, line={"color": colours.bad, "width": 2, "dash": "dot"})
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="error, feature mean = 1", rangemode="tozero")
    return chart


def reconstruction(
    window: Reconstruction, names: Sequence[str], shown: Sequence[str], appearance: str = "light"
) -> go.Figure:
    """Truth and guess of the features `shown` over the window's bars; shaded where the bars were hidden."""
    colours = palette(appearance)
    chart = figure(appearance, 110 + 130 * len(shown))
    bars = np.arange(len(window.hidden))
    for row, name in enumerate(shown):
        column, axis = list(names).index(name), "" if row == 0 else str(row + 1)
        for values, title, colour, width in (
            (window.truth[:, column], "truth", colours.muted, 1.4),
            (
                np.where(window.hidden, window.guess[:, column], np.nan),
                "reconstruction at hidden bars",
                colours.categorical[1],
                3,
            ),
        ):
            chart.add_trace(
                go.Scatter(
                    x=bars,
                    y=values,
                    mode="lines+markers" if width == 3 else "lines",
                    marker={"size": 4},
                    name=title,
                    yaxis=f"y{axis}",
                    legendgroup=title,
                    showlegend=row == 0,
                    line={"color": colour, "width": width},
                    hovertemplate=f"{name}, bar %{{x}}: %{{y:.3f}}<extra>{title}</extra>",
                )
            )
        top = 1 - row / len(shown)
        chart.update_layout(
            {
                f"yaxis{axis}": {
                    "domain": [top - 1 / len(shown) + 0.03, top - 0.02],
                    "title": {"text": name},
                    "nticks": 4,
                }
            }
        )
    edges = np.flatnonzero(np.diff(np.r_[0, window.hidden.astype(int), 0]))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        chart.add_shape(
            type="rect",
            x0=first - 0.5,
            x1=last - 0.5,
            y0=0,
            y1=1,
            yref="paper",
            layer="below",
            fillcolor=faded(colours.categorical[1], 0.12),
            line={"width": 0},
        )
    chart.update_xaxes(title="bar", anchor=f"y{len(shown)}" if len(shown) > 1 else "y")
    return chart


def probe(result: Probe, appearance: str = "light") -> go.Figure:
    """AUROC of the probe on each representation, a point a repeat; 0.5 is chance."""
    colours = palette(appearance)
    chart = figure(appearance, 100 + 44 * len(result.scores))
    names = [score.representation for score in result.scores]
    chart.add_trace(
        go.Bar(
            x=[score.mean for score in result.scores],
            y=names,
            orientation="h",
            name="mean",
            marker={"color": faded(colours.categorical[0], 0.4)},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    points = [(value, score.representation) for score in result.scores for value in score.by_repeat]
    chart.add_trace(
        go.Scatter(
            x=[value for value, _ in points],
            y=[name for _, name in points],
            mode="markers",
            name="one repeat",
            marker={"color": colours.categorical[0], "size": 8, "line": {"width": 1, "color": colours.paper}},
            hovertemplate="%{x:.3f}<extra>one repeat</extra>",
        )
    )
    chart.add_vline(x=0.5, line={"color": colours.bad, "width": 2, "dash": "dot"})
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="AUROC of a linear probe, out of fold", range=[0, 1])
    return chart
