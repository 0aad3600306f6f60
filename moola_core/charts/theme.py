"""Colours and the plotly template of every chart, light and dark.

The colours are Okabe and Ito's (2008), told apart with any kind of colour vision; the dark set is the same hues, lifted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go

FONT = '"Source Sans", "Source Sans 3", system-ui, sans-serif'


@dataclass(frozen=True)
class Palette:
    """Colours of one appearance, each by what it marks."""

    ink: str
    muted: str
    grid: str
    paper: str
    up: str
    down: str
    true: str
    predicted: str
    good: str
    bad: str
    categorical: tuple[str, ...]
    diverging: tuple[str, str, str]


LIGHT = Palette(
    ink="#1C2329",
    muted="#56616B",
    grid="#E6EAEE",
    paper="#FFFFFF",
    up="#0072B2",
    down="#D55E00",
    true="#009E73",
    predicted="#B85C8E",
    good="#009E73",
    bad="#D55E00",
    categorical=("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"),
    diverging=("#0072B2", "#F7F8F9", "#D55E00"),
)
DARK = Palette(
    ink="#E4E9ED",
    muted="#A3AFB9",
    grid="#27313A",
    paper="#10151A",
    up="#56B4E9",
    down="#F08A4B",
    true="#2BC29A",
    predicted="#DD9CC0",
    good="#2BC29A",
    bad="#F08A4B",
    categorical=("#56B4E9", "#E69F00", "#2BC29A", "#DD9CC0", "#8AA4FF", "#F08A4B", "#F0E442"),
    diverging=("#56B4E9", "#1A2128", "#F08A4B"),
)


def palette(appearance: str) -> Palette:
    """The colours for "dark", and the light ones for anything else."""
    return DARK if appearance == "dark" else LIGHT


def figure(appearance: str, height: int) -> go.Figure:
    """An empty figure of `height` pixels in the appearance's template."""
    # Not as a Layout, of which plotly would make a second one, and check the template again.
    return go.Figure(layout={"template": _template(appearance), "height": height})


def interval(rows: Sequence[tuple[float, float, float]], colour: str) -> dict[str, Any]:
    """Error bars along x from (value, low, high); an end on the wrong side of its value is drawn at the value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [max(high - value, 0.0) for value, _, high in rows],
        "arrayminus": [max(value - low, 0.0) for value, low, _ in rows],
        "color": colour,
    }


def class_colours(classes: tuple[str, ...], appearance: str) -> dict[str, str]:
    """A colour for each class, the same wherever the class is drawn."""
    colours = palette(appearance).categorical
    return {name: colours[i % len(colours)] for i, name in enumerate(classes)}


def faded(colour: str, alpha: float) -> str:
    """The hex `colour` as rgba with opacity `alpha` in [0, 1]."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


@cache
def _template(appearance: str) -> go.layout.Template:
    colours = palette(appearance)
    axis = {
        "gridcolor": colours.grid,
        "linecolor": colours.grid,
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "title": {"font": {"size": 13, "color": colours.muted}},
        "tickfont": {"size": 12, "color": colours.muted},
    }
    return go.layout.Template(
        layout={
            # Transparent, so that a chart sits on a page or a card alike; an export sets its own paper.
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 13, "color": colours.ink},
            "colorway": colours.categorical,
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 34, "b": 8},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
            "hoverlabel": {"bgcolor": colours.paper, "bordercolor": colours.grid, "font": {"color": colours.ink}},
            "hovermode": "closest",
            "dragmode": "pan",
        }
    )


def candle_trace(
    bars: np.ndarray, prices: np.ndarray, text: list[str], colours: Palette, width: float
) -> go.Candlestick:
    """Candles of prices [n, 4] at these bars, hollow where they close higher; text: what each says when pointed at."""
    opened, high, low, close = prices.T
    return go.Candlestick(
        x=bars,
        open=opened,
        high=high,
        low=low,
        close=close,
        name="price",
        showlegend=False,
        text=text,
        increasing={"line": {"color": colours.up, "width": width}, "fillcolor": colours.paper},
        decreasing={"line": {"color": colours.down, "width": width}, "fillcolor": colours.down},
        hoverinfo="text+y",
    )
