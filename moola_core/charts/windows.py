"""Candles of a window with its swings and pointers, and the feature strips under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.theme import Palette, candle_trace, faded, figure, palette
from moola_core.features.catalog import feature

STRIP_PIXELS, PANEL_PIXELS, TIMES_PIXELS = 19, 150, 24
GAP_PIXELS, LEGEND_PIXELS = 18, 16  # between the parts of the chart; more where a legend stands between them
PANEL = {"yaxis": "y3", "legend": "legend2"}  # where the probabilities of the bars are drawn
APART_BARS = 8  # stated probabilities of nearer expansions would lie over each other


@dataclass(frozen=True)
class Swing:
    """A confirmed swing: `kind` "high" or "low", its `bar` and `price`, and the bar at which it was confirmed."""

    kind: str
    bar: int
    price: float
    confirmed_at: int


@dataclass(frozen=True, eq=False)
class SpanScores:
    """What a model of spans says of one window, averaged over the repeats shown.

    per_bar [K, 3]: probability of each bar to be the first, to be the last, and to lie inside the expansion; runners_up: other spans
    (start, end, probability) in bars; stated: probability of each predicted expansion, in the order of `View.predicted`.
    """

    per_bar: np.ndarray
    runners_up: Sequence[tuple[float, float, float]] = ()
    stated: Sequence[float] = ()


@dataclass(frozen=True)
class View:
    """What is drawn of one window of K bars.

    prices [K, 4]; times: K texts in the exchange's zone, empty when unknown; true and predicted: (start, end) in bars,
    one predicted pair a repeat; features [K, F] with their `names`, none for candles alone; scores: of a model of spans.
    """

    prices: np.ndarray
    times: Sequence[str] = ()
    swings: Sequence[Swing] = ()
    true: tuple[float, float] | None = None
    predicted: Sequence[tuple[float, float]] = field(default=())
    features: np.ndarray | None = None
    names: Sequence[str] = ()
    scores: SpanScores | None = None


def candles(view: View, appearance: str = "light", height: int = 360) -> go.Figure:
    """The window's candles; shaded: the true pointer, and the predicted one of each repeat. Below, where there are any, the probabilities
    of each bar and the feature strips."""
    colours = palette(appearance)
    strips = len(view.names) if view.features is not None else 0
    parts = {"y": height} | ({"y3": PANEL_PIXELS} if view.scores is not None else {})
    parts |= {"y2": strips * STRIP_PIXELS + TIMES_PIXELS} if strips else {}
    chart = figure(appearance, sum(parts.values()))
    domains = _domains(parts)
    chart.add_trace(_bars(view, colours))
    _shade(chart, view, colours)
    _mark_swings(chart, view, colours)
    chart.update_yaxes(domain=domains["y"], side="right", tickformat=",.2f")
    if view.scores is not None:
        _runners_up(chart, view.scores, colours)
        _state(chart, view.predicted, view.scores.stated, colours)
        _probabilities(chart, view.scores, colours, domains["y3"])
    if strips:
        _strip(chart, view, colours, domains["y2"])
    _time_axis(chart, view, list(parts)[-1])
    return chart


def _domains(parts: dict[str, int]) -> dict[str, tuple[float, float]]:
    """Where each axis lies from the bottom, 0, to the top, 1: the parts by their pixels, from the top down, with gaps between them."""
    total, top, domains = sum(parts.values()), 1.0, dict[str, tuple[float, float]]()
    for name, below in zip(parts, [*list(parts)[1:], None], strict=True):
        bottom = max(top - parts[name] / total, 0.0)
        gap = 0.0 if below is None else GAP_PIXELS + (LEGEND_PIXELS if below == "y3" else 0)
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


def _runners_up(chart: go.Figure, scores: SpanScores, colours: Palette) -> None:
    """Faint bands where else the expansion may lie."""
    for start, end, p in scores.runners_up:
        _band(chart, (start, end), colours.predicted, 0.03 + 0.25 * p, width=0)


def _state(
    chart: go.Figure, predicted: Sequence[tuple[float, float]], stated: Sequence[float], colours: Palette
) -> None:
    """The stated probability over each predicted expansion, the largest of those that lie close together."""
    pairs = sorted(zip(predicted, stated, strict=True), key=lambda pair: -pair[1]) if stated else []
    written: list[float] = []
    for (start, end), p in pairs:
        center = (start + end) / 2
        if np.isfinite(p) and all(abs(center - other) > APART_BARS for other in written):
            written.append(center)
            chart.add_annotation(
                x=center,
                y=1,
                yref="y domain",
                yanchor="top",
                text=f"<b>{p:.2f}</b>",
                showarrow=False,
                font={"color": colours.predicted},
                bgcolor=faded(colours.paper, 0.75),
                hovertext="stated probability that the center lies within 3 bars",
            )


def _probabilities(chart: go.Figure, scores: SpanScores, colours: Palette, domain: tuple[float, float]) -> None:
    """Probability of each bar to be the start, the end and inside; a line a runner-up, at its probability."""
    start, end, inside = scores.per_bar.T
    bars = np.arange(len(start))
    chart.add_trace(
        go.Scatter(
            x=bars,
            y=inside,
            **PANEL,
            mode="lines",
            name="inside",
            fill="tozeroy",
            line={"color": colours.predicted, "width": 1, "shape": "hvh"},
            fillcolor=faded(colours.predicted, 0.2),
            hovertemplate="bar %{x} inside %{y:.2f}<extra></extra>",
        )
    )
    for name, values, colour, offset in (
        ("start", start, colours.categorical[4], -0.4),
        ("end", end, colours.categorical[1], 0.0),
    ):
        chart.add_trace(
            go.Bar(
                x=bars,
                y=values,
                **PANEL,
                name=name,
                width=0.4,
                offset=offset,
                marker={"color": colour, "line": {"width": 0}},
                hovertemplate=f"bar %{{x}} {name} %{{y:.2f}}<extra></extra>",
            )
        )
    if scores.runners_up:
        spans = [(a - 0.5, b + 0.5, p) for a, b, p in scores.runners_up]
        chart.add_trace(
            go.Scatter(
                x=[x for a, b, _ in spans for x in (a, b, None)],
                y=[y for _, _, p in spans for y in (p, p, None)],
                **PANEL,
                mode="lines",
                name="runners-up",
                line={"color": faded(colours.predicted, 0.6), "width": 3},
                hovertemplate="runner-up, probability %{y:.2f}<extra></extra>",
            )
        )
    axis = {"domain": domain, "side": "right", "anchor": "x", "range": [0, 1.04], "tickvals": [0, 0.5, 1]}
    legend = {"orientation": "h", "x": 0, "y": domain[1], "yanchor": "bottom", "font": {"size": 11}, "itemwidth": 30}
    chart.update_layout(yaxis3=axis, barmode="overlay", legend2=legend)


def _band(
    chart: go.Figure, pair: tuple[float, float], colour: str, alpha: float, dash: str = "solid", width: float = 1
) -> None:
    chart.add_shape(
        type="rect",
        x0=pair[0] - 0.5,
        x1=pair[1] + 0.5,
        y0=0,
        y1=1,
        yref="y domain",
        layer="below",
        fillcolor=faded(colour, alpha),
        line={"color": colour, "width": width, "dash": dash},
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
