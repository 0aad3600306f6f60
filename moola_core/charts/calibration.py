"""Calibration drawn: reliability, conventions with their null bands, the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import faded, figure, interval, palette
from moola_core.diagnostics.results import Calibration, CalibrationError, ReliabilityBin


def reliability(calibration: Calibration, appearance: str = "light") -> go.Figure:
    """Accuracy against the probability of the predicted class."""
    titles = ("probability of the predicted class", "accuracy")
    return reliability_diagram(calibration.bins, titles, 1 / len(calibration.classes), appearance)


def reliability_diagram(
    bins: Sequence[ReliabilityBin], titles: tuple[str, str], low: float, appearance: str = "light"
) -> go.Figure:
    """Share that came true against probability by bin; grey: where a calibrated bin lies with probability 0.95; below: counts.

    titles: of the axes; low: the smallest probability that can occur.
    """
    colours, (probability, share) = palette(appearance), titles
    chart = figure(appearance, 420)
    middle = [(part.left + part.right) / 2 for part in bins]
    span = [part.high - part.low for part in bins]
    width = 0.8 / 10
    chart.add_trace(
        go.Bar(
            x=middle,
            y=span,
            base=[part.low for part in bins],
            width=width,
            name="calibrated, 95%",
            marker={"color": faded(colours.muted, 0.28)},
            hoverinfo="skip",
        )
    )
    chart.add_trace(
        go.Scatter(
            x=[part.confidence for part in bins],
            y=[part.accuracy for part in bins],
            mode="lines+markers",
            name="this run",
            line={"color": colours.categorical[0], "width": 2},
            marker={"size": 9},
            customdata=[part.count for part in bins],
            hovertemplate=f"{probability} %{{x:.2f}}<br>{share} %{{y:.2f}}<br>%{{customdata}} windows<extra></extra>",
        )
    )
    chart.add_trace(
        go.Scatter(
            x=[low, 1],
            y=[low, 1],
            mode="lines",
            name="perfect",
            line={"color": colours.muted, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    chart.add_trace(
        go.Bar(
            x=middle,
            y=[part.count for part in bins],
            width=width,
            yaxis="y2",
            showlegend=False,
            marker={"color": faded(colours.categorical[0], 0.5)},
            hovertemplate="%{y} windows<extra></extra>",
        )
    )
    chart.update_layout(
        yaxis={"domain": [0.27, 1], "range": [0, 1.04], "title": {"text": share}},
        yaxis2={"domain": [0, 0.19], "title": {"text": "windows"}, "nticks": 3, "anchor": "x"},
        barmode="overlay",
    )
    chart.update_xaxes(title=probability, range=[min(low, 0.45) - 0.02, 1.02], anchor="y2")
    return chart


def conventions(errors: Sequence[CalibrationError], appearance: str = "light") -> go.Figure:
    """Each convention's ECE with its interval, over the 95% band of calibrated models."""
    colours = palette(appearance)
    chart = figure(appearance, 90 + 46 * len(errors))
    names = [escape_html(error.convention) for error in errors]
    chart.add_trace(
        go.Bar(
            x=[error.null_95 for error in errors],
            y=names,
            orientation="h",
            name="calibrated models, 95%",
            marker={"color": faded(colours.muted, 0.28)},
            hovertemplate="calibrated: up to %{x:.3f}<extra></extra>",
        )
    )
    chart.add_trace(
        go.Scatter(
            x=[error.value for error in errors],
            y=names,
            mode="markers",
            name="this run, 95% interval",
            marker={"size": 10, "color": colours.categorical[0]},
            error_x=interval([(error.value, error.low, error.high) for error in errors], colours.categorical[0]),
            hovertemplate="%{x:.3f}<extra></extra>",
        )
    )
    chart.update_yaxes(autorange="reversed")
    chart.update_xaxes(title="calibration error", rangemode="tozero")
    return chart


def threshold(p: np.ndarray, positive: np.ndarray, cutoff: float, name: str, appearance: str = "light") -> go.Figure:
    """Precision and recall of `name` when predicted from a probability p [n] of `cutoff` on; positive [n] bool."""
    colours = palette(appearance)
    chart = figure(appearance, 320)
    cuts = np.linspace(0.02, 0.98, 97)
    for title, values, colour in zip(
        ("precision", "recall"),
        zip(*(precision_recall(p, positive, cut) for cut in cuts), strict=True),
        colours.categorical,
        strict=False,
    ):
        chart.add_trace(
            go.Scatter(
                x=cuts,
                y=values,
                mode="lines",
                name=title,
                line={"width": 2.4, "color": colour},
                hovertemplate=f"{title} %{{y:.2f}} from %{{x:.2f}} on<extra></extra>",
            )
        )
    chart.add_vline(x=cutoff, line={"color": colours.bad, "width": 2, "dash": "dot"})
    chart.update_xaxes(title=f"probability threshold for {escape_html(name)}", range=[0, 1])
    chart.update_yaxes(range=[0, 1.04])
    return chart


def precision_recall(p: np.ndarray, positive: np.ndarray, cut: float) -> tuple[float | None, float | None]:
    """Precision and recall at a threshold; None where nothing is predicted, or nothing is positive."""
    predicted = p >= cut
    right = float((predicted & positive).sum())
    return (right / predicted.sum() if predicted.any() else None), (right / positive.sum() if positive.any() else None)
