"""Figures as JSON for a page, and text as plotly is to show it."""

from __future__ import annotations

import html
import json
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from moola_core.charts.theme import palette


def escape_html(value: Any) -> Any:
    """Plain values whose texts, keys too, plotly shows as they are: it would read <b> and <a href> in a label as its own marks."""
    if isinstance(value, str):
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if isinstance(value, dict):
        return {escape_html(key): escape_html(item) for key, item in value.items()}
    return [escape_html(item) for item in value] if isinstance(value, list | tuple) else value


def plain(text: str) -> str:
    """The text that `escape_html` was given, for files that no plotly reads."""
    return html.unescape(text)


def script() -> str:
    """The source of plotly.js, 5 MB."""
    return get_plotlyjs()


def specification(chart: go.Figure, appearance: str = "light") -> dict[str, Any]:
    """The figure's data and layout as plain values, on paper of the appearance's colour."""
    fields = json.loads(chart.to_json())
    paper = palette(appearance).paper
    fields["layout"] |= {"paper_bgcolor": paper, "plot_bgcolor": paper, "autosize": True}
    return fields
