"""Predictions over a stretch of bars: candles, the expansions, and the prediction of each window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import candle_trace, class_colours, faded, figure, palette
from moola_core.diagnostics.results import Expansion


@dataclass(frozen=True, eq=False)
class Stretch:
    """Bars [first, first + n) with the windows whose predicted centers lie in them.

    prices [n, 4]; times: n texts; center [m]: bar of each window's predicted center; probability [m] of its predicted
    class, or, where `stated`, of its span; label [m]; out_of_distribution [m] bool; selected: one of the expansions, drawn with a thick edge.
    """

    first: int
    prices: np.ndarray
    times: Sequence[str]
    center: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    out_of_distribution: np.ndarray
    expansions: Sequence[Expansion]
    stated: bool = False
    selected: Expansion | None = None


def stretch(view: Stretch, classes: tuple[str, ...], appearance: str = "light") -> go.Figure:
    """Candles over a point a window: the center of the expansion that it predicts, and its probability."""
    colours, of_class = palette(appearance), class_colours(classes, appearance)
    chart = figure(appearance, 520)
    bars = view.first + np.arange(len(view.prices))
    chart.add_trace(candle_trace(bars, view.prices, list(view.times), colours, 1))
    for expansion in view.expansions:
        p = expansion.probability if expansion.p_span is None else expansion.p_span
        chart.add_shape(
            type="rect",
            x0=expansion.first - 0.5,
            x1=expansion.last + 0.5,
            y0=0,
            y1=1,
            yref="y domain",
            layer="below",
            fillcolor=faded(of_class[expansion.label], 0.10 + 0.20 * p),
            line={"color": of_class[expansion.label], "width": 3 if expansion == view.selected else 1},
        )
    for name in classes:
        own = view.label == name
        chart.add_trace(
            go.Scatter(
                x=view.center[own],
                y=view.probability[own],
                yaxis="y2",
                mode="markers",
                name=escape_html(name),
                marker={
                    "size": 7,
                    "color": of_class[name],
                    "symbol": np.where(view.out_of_distribution[own], "x-thin-open", "circle").tolist(),
                },
                hovertemplate=f"{escape_html(name)} %{{y:.2f}}<br>center at bar %{{x:.0f}}<extra></extra>",
            )
        )
    _lay_out(chart, bars, list(view.times))
    chart.update_layout(
        yaxis2={"range": [-0.05, 1.05], "title": "stated probability"}
        if view.stated
        else {"range": [0.3, 1.05], "title": "probability"}
    )
    return chart


def _lay_out(chart: go.Figure, bars: np.ndarray, times: list[str]) -> None:
    """Prices above, probabilities below, over one axis of bars with some of their times."""
    step = max(1, len(bars) // 8)
    chart.update_xaxes(
        range=[bars[0] - 1, bars[-1] + 1],
        rangeslider={"visible": False},
        anchor="y2",
        tickvals=bars[::step],
        ticktext=[text.replace(" ", "<br>", 1) for text in times[::step]],
    )
    chart.update_layout(
        yaxis={"domain": [0.30, 1], "side": "right", "tickformat": ",.2f"},
        yaxis2={"domain": [0, 0.25], "side": "right", "anchor": "x"},
    )
