"""Where predicted expansions lie: signed errors, shares near the true centers, hit rate against stated probability."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from moola_core.charts.calibration import reliability_diagram
from moola_core.charts.theme import faded, figure, palette
from moola_core.diagnostics.results import Pointing, StatedConfidence


def signed_errors(report: Pointing, appearance: str = "light") -> go.Figure:
    """A histogram a part: predicted less true bar, with the median."""
    colours = palette(appearance)
    base = figure(appearance, 360)
    titles = [error.part for error in report.errors]
    chart = make_subplots(rows=2, cols=2, subplot_titles=titles, shared_xaxes=True, vertical_spacing=0.14)
    chart.update_layout(template=base.layout.template, height=base.layout.height, showlegend=False, bargap=0.1)
    chart.update_layout(margin={"t": 28})
    bars = np.arange(-report.reach, report.reach + 1)
    for i, error in enumerate(report.errors):
        place = {"row": i // 2 + 1, "col": i % 2 + 1}
        chart.add_trace(
            go.Bar(
                x=bars,
                y=error.shares,
                name=error.part,
                marker={"color": faded(colours.predicted, 0.7), "line": {"width": 0}},
                hovertemplate=f"{error.part} %{{x}} bars: %{{y:.0%}}<extra></extra>",
            ),
            **place,
        )
        chart.add_vline(x=error.median, line={"color": colours.ink, "width": 1.5, "dash": "dot"}, **place)
    edge = report.reach
    chart.update_xaxes(
        range=[-edge - 0.6, edge + 0.6],
        tickvals=[-edge, -edge // 2, 0, edge // 2, edge],
        ticktext=[f"≤ −{edge}", f"−{edge // 2}", "0", f"{edge // 2}", f"≥ {edge}"],
    )
    chart.update_yaxes(tickformat=".0%", rangemode="tozero", nticks=4)
    return chart


def within(report: Pointing, appearance: str = "light") -> go.Figure:
    """Share of the centers at most so many bars off, of the model and of the constant pointer; marked at the distances of the table."""
    colours = palette(appearance)
    chart = figure(appearance, 360)
    bars = np.arange(report.reach + 1)
    marked = [one.bars for one in report.near]
    lines: list[tuple[str, np.ndarray, str, str]] = [("model", report.within, colours.predicted, "solid")]
    if report.constant_within is not None:
        lines.append(("constant pointer", report.constant_within, colours.muted, "dot"))
    for name, shares, colour, dash in lines:
        chart.add_trace(
            go.Scatter(
                x=bars,
                y=shares,
                mode="lines+markers",
                name=name,
                line={"color": colour, "width": 2.2, "dash": dash, "shape": "hv"},
                marker={"size": [9 if bar in marked else 0 for bar in bars.tolist()], "color": colour},
                hovertemplate=f"{name}: %{{y:.1%}} within %{{x}} bars<extra></extra>",
            )
        )
    chart.update_xaxes(title="distance of the center, bars, at most", dtick=1, range=[-0.3, report.reach + 0.3])
    chart.update_yaxes(tickformat=".0%", range=[0, 1.04], title="share of the windows")
    return chart


def stated(confidence: StatedConfidence, appearance: str = "light") -> go.Figure:
    """Share of the centers within 3 bars against the stated probability, by bin; below: windows in each bin."""
    return reliability_diagram(
        confidence.bins, ("stated probability of a center within 3 bars", "share within 3 bars"), 0.0, appearance
    )
