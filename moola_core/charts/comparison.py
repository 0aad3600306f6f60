"""Arms compared, drawn: the forest of differences, every arm's repeats, learning curves with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import faded, figure, interval, palette
from moola_core.diagnostics.results import ArmFacts, LabelCurve, Verdict

ICONS = {"helps": "helps", "hurts": "hurts", "equivalent": "as good", "undecided": "undecided"}


def forest(verdicts: Sequence[Verdict], appearance: str = "light") -> go.Figure:
    """One metric: each arm's difference from the one it is compared with, its interval, and the region of no practical difference."""
    colours = palette(appearance)
    of_verdict = {"helps": colours.good, "hurts": colours.bad, "equivalent": colours.up, "undecided": colours.muted}
    chart = figure(appearance, 130 + 40 * len(verdicts))
    margin = verdicts[0].margin if verdicts else 0.0
    chart.add_vrect(x0=-margin, x1=margin, fillcolor=faded(colours.muted, 0.16), line={"width": 0}, layer="below")
    chart.add_vline(x=0, line={"color": colours.muted, "width": 1})
    for row in verdicts:
        if row.together_low is not None:
            ends = {"x": [row.together_low, row.together_high], "y": [escape_html(row.arm)] * 2}
            thin = {"color": of_verdict[row.verdict], "width": 1}
            chart.add_trace(go.Scatter(ends, mode="lines", line=thin, showlegend=False, hoverinfo="skip"))
    for word, colour in of_verdict.items():
        rows = [row for row in verdicts if row.verdict == word]
        if rows:
            chart.add_trace(
                go.Scatter(
                    x=[row.delta for row in rows],
                    y=[escape_html(row.arm) for row in rows],
                    mode="markers",
                    name=ICONS[word],
                    error_x=interval([(row.delta, row.low, row.high) for row in rows], colour)
                    | {"thickness": 3, "width": 0},
                    marker={"size": 11, "color": colour},
                    customdata=[(row.low, row.high, row.p_helps, row.p_hurts) for row in rows],
                    hovertemplate="%{y}: %{x:+.3f} (%{customdata[0]:+.3f} to %{customdata[1]:+.3f})<br>"
                    "P(helps) %{customdata[2]:.3f}, P(hurts) %{customdata[3]:.3f}<extra></extra>",
                )
            )
    chart.update_yaxes(
        autorange="reversed",
        categoryorder="array",
        categoryarray=[escape_html(row.arm) for row in verdicts],
        type="category",
    )
    # Short, so that it fits a chart of half a page's width; what is subtracted is given next to the chart.
    higher = not verdicts or verdicts[0].better == "higher"
    chart.update_xaxes(title="difference, better →" if higher else "← better, difference")
    return chart


def arms(rows: Sequence[ArmFacts], appearance: str = "light") -> go.Figure:
    """Macro F1 of every arm, a point a repeat; simple models in another colour."""
    colours = palette(appearance)
    shown = sorted((row for row in rows if row.f1_by_repeat), key=lambda row: -float(np.mean(row.f1_by_repeat)))
    chart = figure(appearance, 110 + 30 * len(shown))
    for title, simple, colour in (
        ("network", False, colours.categorical[0]),
        ("simple model", True, colours.categorical[1]),
    ):
        own = [row for row in shown if (row.model != "network") == simple]
        chart.add_trace(
            go.Bar(
                x=[float(np.mean(row.f1_by_repeat)) for row in own],
                y=[escape_html(row.name) for row in own],
                orientation="h",
                name=title,
                marker={"color": faded(colour, 0.4)},
                hovertemplate="%{y}: %{x:.3f}<extra></extra>",
            )
        )
        points = [(value, escape_html(row.name)) for row in own for value in row.f1_by_repeat]
        chart.add_trace(
            go.Scatter(
                x=[value for value, _ in points],
                y=[name for _, name in points],
                mode="markers",
                showlegend=False,
                marker={"size": 6, "color": colour},
                hovertemplate="%{x:.3f}<extra>one repeat</extra>",
            )
        )
    chart.update_yaxes(
        autorange="reversed", categoryorder="array", categoryarray=[escape_html(row.name) for row in shown]
    )
    chart.update_xaxes(title="macro F1, pooled out of fold", range=[0, 1])
    return chart


def labels(curve: LabelCurve, appearance: str = "light") -> go.Figure:
    """Macro F1 by number of labels, and the line beyond what was measured; its band is drawn over repeats, and one repeat has none."""
    colours = palette(appearance)
    chart = figure(appearance, 340)
    points = [(count, score) for count, row in zip(curve.labels, curve.scores, strict=True) for score in row]
    ahead = curve.ahead
    at = [row[0] for row in ahead]
    if len(curve.scores[0]) > 1:
        chart.add_trace(
            go.Scatter(
                x=at + at[::-1],
                y=[row[3] for row in ahead] + [row[2] for row in ahead[::-1]],
                fill="toself",
                line={"width": 0},
                fillcolor=faded(colours.categorical[1], 0.2),
                name="95% of the draws",
                hoverinfo="skip",
            )
        )
    chart.add_trace(
        go.Scatter(
            x=at,
            y=[row[1] for row in ahead],
            mode="lines+markers",
            name="extrapolation",
            line={"color": colours.categorical[1], "dash": "dash"},
            hovertemplate="%{x} labels: %{y:.3f}<extra></extra>",
        )
    )
    chart.add_trace(
        go.Scatter(
            x=[count for count, _ in points],
            y=[score for _, score in points],
            mode="markers",
            name="one repeat",
            marker={"size": 8, "color": colours.categorical[0]},
            hovertemplate="%{x} labels: %{y:.3f}<extra></extra>",
        )
    )
    chart.update_xaxes(title="labelled windows to train on")
    chart.update_yaxes(title="macro F1")
    return chart


def learning(epochs: Mapping[str, Mapping[str, np.ndarray]], appearance: str = "light") -> go.Figure:
    """Median validation loss of each arm's fits by epoch; the band spans the 25th to 75th percentile of more than one fit.

    epochs: by arm, columns epoch, split and loss. A fit that has stopped keeps its last loss out of the median.
    """
    colours = palette(appearance).categorical
    chart = figure(appearance, 360)
    for i, (arm, columns) in enumerate(epochs.items()):
        name = escape_html(arm)
        # Rows of monitored metrics have no loss.
        validation = (columns["split"] == "validation") & np.isfinite(columns["loss"].astype(float))
        at, loss = columns["epoch"][validation].astype(int), columns["loss"][validation].astype(float)
        steps = np.unique(at)
        low, middle, high = (np.array([np.nanquantile(loss[at == e], q) for e in steps]) for q in (0.25, 0.5, 0.75))
        colour = colours[i % len(colours)]
        if len(at) > len(steps):
            chart.add_trace(
                go.Scatter(
                    x=np.r_[steps, steps[::-1]],
                    y=np.r_[high, low[::-1]],
                    fill="toself",
                    fillcolor=faded(colour, 0.13),
                    line={"width": 0},
                    showlegend=False,
                    hoverinfo="skip",
                    name=f"{name}, 25th to 75th percentile",
                )
            )
        chart.add_trace(
            go.Scatter(
                x=steps,
                y=middle,
                name=name,
                mode="lines",
                line={"color": colour, "width": 2},
                hovertemplate=f"{name}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
            )
        )
    chart.update_xaxes(title="epoch")
    chart.update_yaxes(title="validation loss")
    return chart
