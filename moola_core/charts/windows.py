"""Candles of a window with its swings and pointers, and the feature strips under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.theme import Palette, candle_trace, faded, figure, palette
from moola_core.features.catalog import feature

STRIP_PIXELS, TIMES_PIXELS = 19, 24
GAP_PIXELS = 18  # between the parts of the chart


@dataclass(frozen=True)
class Swing:
    """A confirmed swing: `kind` "high" or "low", its `bar` and `price`, and the bar at which it was confirmed."""

    kind: str
    bar: int
    price: float
    confirmed_at: int


@dataclass(frozen=True)
class View:
    """What is drawn of one window of K bars.

    prices [K, 4]; times: K texts in the exchange's zone, empty when unknown; true and predicted: (start, end) in bars,
    one predicted pair a repeat; features [K, F] with their `names`, none for candles alone.
    """

    prices: np.ndarray
    times: Sequence[str] = ()
    swings: Sequence[Swing] = ()
    true: tuple[float, float] | None = None
    predicted: Sequence[tuple[float, float]] = field(default=())
    features: np.ndarray | None = None
    names: Sequence[str] = ()


def candles(view: View, appearance: str = "light", height: int = 360) -> go.Figure:
    """The window's candles; shaded: the true pointer, and the predicted one of each repeat. Below, where there are any, the feature strips."""
    colours = palette(appearance)
    strips = len(view.names) if view.features is not None else 0
    parts = {"y": height} | ({"y2": strips * STRIP_PIXELS + TIMES_PIXELS} if strips else {})
    chart = figure(appearance, sum(parts.values()))
    domains = _domains(parts)
    chart.add_trace(_bars(view, colours))
    _shade(chart, view, colours)
    _mark_swings(chart, view, colours)
    chart.update_yaxes(domain=domains["y"], side="right", tickformat=",.2f")
    if strips:
        _strip(chart, view, colours, domains["y2"])
    _time_axis(chart, view, list(parts)[-1])
    return chart


def _domains(parts: dict[str, int]) -> dict[str, tuple[float, float]]:
    """Where each axis lies from the bottom, 0, to the top, 1: the parts by their pixels, from the top down, with gaps between them."""
    total, top, domains = sum(parts.values()), 1.0, dict[str, tuple[float, float]]()
    for name, below in zip(parts, [*list(parts)[1:], None], strict=True):
        bottom = max(top - parts[name] / total, 0.0)
        gap = 0.0 if below is None else GAP_PIXELS
        domains[name] = (bottom + gap / total, top)
        top = bottom
    return domains


def _bars(view: View, colours: Palette) -> go.Candlestick:
    count = len(view.prices)
    names = [f"bar {i} · {view.times[i]}" if len(view.times) else f"bar {i}" for i in range(count)]
    body = np.abs(view.prices[:, 3] - view.prices[:, 0])
    text = [f"{name}<br>body {size:,.2f}" for name, size in zip(names, body, strict=True)]
    return candle_trace(np.arange(count), view.prices, text, colours, 1.2)


def _shade(chart: go.Figure, view: View, colours: Palette) -> None:
    if view.true is not None:
        _band(chart, view.true, colours.true, 0.20)
        _legend(chart, "true expansion", faded(colours.true, 0.45), colours.true)
    for pair in view.predicted:
        # Repeats lie over each other: where they agree the shade is deep.
        _band(chart, pair, colours.predicted, 0.22 / np.sqrt(len(view.predicted)), dash="dot")
    if view.predicted:
        each = " (one band per repeat)" if len(view.predicted) > 1 else ""
        _legend(chart, f"predicted expansion{each}", faded(colours.predicted, 0.45), colours.predicted)


def _band(chart: go.Figure, pair: tuple[float, float], colour: str, alpha: float, dash: str = "solid") -> None:
    chart.add_shape(
        type="rect",
        x0=pair[0] - 0.5,
        x1=pair[1] + 0.5,
        y0=0,
        y1=1,
        yref="y domain",
        layer="below",
        fillcolor=faded(colour, alpha),
        line={"color": colour, "width": 1, "dash": dash},
    )


def _legend(chart: go.Figure, name: str, fill: str, line: str) -> None:
    marker = {"symbol": "square", "size": 12, "color": fill, "line": {"color": line, "width": 1}}
    chart.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, hoverinfo="skip"))


def _mark_swings(chart: go.Figure, view: View, colours: Palette) -> None:
    reach = float(np.ptp(view.prices)) or 1.0
    for kind, symbol, step in (("high", "triangle-down", 1), ("low", "triangle-up", -1)):
        marks = [swing for swing in view.swings if swing.kind == kind]
        chart.add_trace(
            go.Scatter(
                x=[swing.bar for swing in marks],
                y=[swing.price + step * 0.025 * reach for swing in marks],
                mode="markers",
                name=f"swing {kind}",
                marker={"symbol": symbol, "size": 6, "color": colours.muted},
                customdata=[(swing.price, swing.confirmed_at) for swing in marks],
                hovertemplate=f"swing {kind} %{{customdata[0]:,.2f}}, bar %{{x}}<br>"
                "confirmed at bar %{customdata[1]}<extra></extra>",
            )
        )


def _strip(chart: go.Figure, view: View, colours: Palette, domain: tuple[float, float]) -> None:
    values = np.asarray(view.features, dtype=float).T
    low, middle, high = colours.diverging
    rows = list(view.names)
    units = [feature(name).unit or "" for name in rows]
    chart.add_trace(
        go.Heatmap(
            x=np.arange(values.shape[1]),
            y=rows,
            z=_relative(values),
            zmin=-1,
            zmax=1,
            colorscale=[[0, high], [0.5, middle], [1, low]],
            showscale=False,
            yaxis="y2",
            ygap=2,
            customdata=np.dstack([values, np.repeat(np.array(units, dtype=object)[:, None], values.shape[1], axis=1)]),
            hovertemplate="%{y} %{customdata[0]:.3f} %{customdata[1]}<br>bar %{x}<extra></extra>",
            name="features",
        )
    )
    chart.update_layout(
        yaxis2={
            "domain": domain,
            "autorange": "reversed",
            "side": "right",
            "tickfont": {"size": 11},
            "anchor": "x",
        }
    )


def _relative(values: np.ndarray) -> np.ndarray:
    """Values [F, K] as shares of their largest size in this window, in [-1, 1]; unsigned features from 0 to 1.

    The bounds would leave bars_since_* and consol_proxy blank: they use a hundredth of theirs.
    """
    reach = np.nanmax(np.abs(values), axis=1, keepdims=True, initial=0.0)
    return values / np.where(reach > 0, reach, 1.0)


def _time_axis(chart: go.Figure, view: View, lowest: str) -> None:
    count = len(view.prices)
    bars = np.arange(0, count, max(1, round(count / 7 / 5) * 5))
    labels = [f"{view.times[i][-5:]}<br>bar {i}" if len(view.times) else f"bar {i}" for i in bars.tolist()]
    chart.update_xaxes(
        tickvals=bars,
        ticktext=labels,
        range=[-1, count],
        rangeslider={"visible": False},
        anchor=lowest,
        showgrid=True,
    )
