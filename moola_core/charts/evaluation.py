"""An evaluation, drawn: confusion, shares of predicted classes, metrics and pointer errors with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.markup import escape_html
from moola_core.charts.theme import class_colours, faded, figure, palette
from moola_core.diagnostics.results import Confusion, Evaluation, FoldShare, PointerBaseline
from moola_core.metrics import shown_in
from moola_core.metrics.probability import brier_title


def confusion(counts: Confusion, appearance: str = "light") -> go.Figure:
    """Squares that can be clicked, one a cell; each point's customdata is (place of the true class, of the predicted one, count).

    A heatmap's clicks never reach the page, a scatter's do, so the cells are scatter squares.
    """
    colours, classes, shown = palette(appearance), counts.classes, escape_html(counts.classes)
    cells = [(i, j) for i in range(len(classes)) for j in range(len(classes))]
    totals = counts.counts.sum(axis=1)
    shares = [counts.counts[i, j] / totals[i] if totals[i] else 0.0 for i, j in cells]
    side = int(min(110, 300 / len(classes)))
    chart = figure(appearance, 90 + len(classes) * (side + 12))
    chart.add_trace(
        go.Scatter(
            x=[shown[j] for _, j in cells],
            y=[shown[i] for i, _ in cells],
            mode="markers+text",
            marker={
                "symbol": "square",
                "size": side,
                "color": [
                    faded(colours.good if i == j else colours.bad, 0.10 + 0.75 * share)
                    for (i, j), share in zip(cells, shares, strict=True)
                ],
                "line": {"width": 1, "color": [colours.good if i == j else colours.bad for i, j in cells]},
                "opacity": 1,
            },
            text=[
                f"<b>{counts.counts[i, j]}</b><br>{100 * share:.0f}%"
                for (i, j), share in zip(cells, shares, strict=True)
            ],
            textfont={"size": 15, "color": colours.ink},
            customdata=[(i, j, int(counts.counts[i, j])) for i, j in cells],
            hovertemplate="true %{y}<br>predicted %{x}<br>%{customdata[2]} predictions"
            "<br>click to open these windows<extra></extra>",
            # A click must not grey the other cells.
            unselected={"marker": {"opacity": 1}, "textfont": {"color": colours.ink}},
        )
    )
    edge = [-0.6, len(classes) - 0.4]
    chart.update_xaxes(title="predicted", side="top", range=edge, showgrid=False, fixedrange=True)
    chart.update_yaxes(title="true", range=edge[::-1], showgrid=False, fixedrange=True)
    chart.update_layout(showlegend=False, margin={"t": 8}, clickmode="event+select")
    return chart


def fold_shares(folds: Sequence[FoldShare], classes: tuple[str, ...], appearance: str = "light") -> go.Figure:
    """A stacked bar a test fold: which classes were predicted. A fold of one class alone is marked."""
    colours = class_colours(classes, appearance)
    rows = [f"{'⚠ ' if fold.constant else ''}repeat {fold.repeat + 1}, fold {fold.fold + 1}" for fold in folds]
    chart = figure(appearance, 70 + max(16, 26 if len(rows) < 15 else 18) * len(rows))
    for i, name in enumerate(classes):
        shares = [fold.shares[i] for fold in folds]
        chart.add_trace(
            go.Bar(
                y=rows,
                x=shares,
                name=escape_html(name),
                orientation="h",
                marker={"color": colours[name], "line": {"width": 0}},
                customdata=[fold.windows for fold in folds],
                hovertemplate=f"%{{y}}<br>{escape_html(name)} %{{x:.0%}} of %{{customdata}} windows<extra></extra>",
            )
        )
    chart.update_layout(barmode="stack", bargap=0.25, legend_traceorder="normal", margin_r=26)
    chart.update_xaxes(range=[0, 1], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    chart.update_yaxes(autorange="reversed")
    return chart


def metric_rows(result: Evaluation) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Titles of the 0-to-1 metrics by name, and each repeat's values by name; `NAME CLASS` where a metric is of one class."""
    shown = [metric for metric in shown_in("scores") if result.metrics.get(metric.name)]
    titles = {metric.name: metric.label for metric in shown if not metric.by_class}
    titles |= {"brier": brier_title(result.brier_convention)} if "brier" in titles else {}
    by_class = [metric for metric in shown if metric.by_class]
    titles |= {f"{one.name} {label}": f"{one.label}, {label}" for one in by_class for label in result.metrics[one.name]}
    rows = []
    for repeat in result.by_repeat:
        row = dict(repeat)
        for metric in by_class:
            row |= {f"{metric.name} {label}": value for label, value in (repeat.get(metric.name) or {}).items()}
        rows.append(row)
    return titles, rows


def hit_titles() -> dict[str, str]:
    """Titles of the shares of windows whose pointer is right, by name."""
    return {metric.name: metric.label for metric in shown_in("hits")}


def constant_pointer(baseline: PointerBaseline | None) -> dict[str, float]:
    """What a constant pointer reaches, by name of the metric, where it was measured."""
    values = {} if baseline is None else vars(baseline)
    return {name: value for name, value in values.items() if value is not None}


def metric_spread(
    titles: Mapping[str, str],
    by_repeat: Sequence[Mapping[str, Any]],
    reference: Mapping[str, float],
    reference_name: str,
    appearance: str = "light",
) -> go.Figure:
    """A row a metric of 0 to 1: a dot a repeat, the mean as a bar, and a reference (such as the majority class) as a line."""
    colours = palette(appearance)
    titles = {name: escape_html(title) for name, title in titles.items()}
    rows = list(titles.values())
    chart = figure(appearance, 84 + 26 * max(len(rows), 3))
    values = {title: _column(by_repeat, name) for name, title in titles.items()}
    means = [float(np.mean(values[title])) if values[title] else None for title in rows]
    chart.add_trace(
        go.Bar(
            y=rows,
            x=means,
            orientation="h",
            name="mean",
            marker={"color": faded(colours.up, 0.35), "line": {"width": 0}},
            hovertemplate="%{y}: mean %{x:.3f}<extra></extra>",
        )
    )
    points = [(title, value) for title in rows for value in values[title]]
    chart.add_trace(
        go.Scatter(
            y=[title for title, _ in points],
            x=[value for _, value in points],
            mode="markers",
            name="one repeat",
            marker={"size": 8, "color": colours.up, "line": {"width": 1, "color": colours.paper}},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    known = [(title, reference[name]) for name, title in titles.items() if name in reference]
    chart.add_trace(
        go.Scatter(
            y=[title for title, _ in known],
            x=[value for _, value in known],
            mode="markers",
            name=reference_name,
            marker={"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": colours.down}},
            hovertemplate=f"{reference_name}: %{{x:.3f}}<extra></extra>",
        )
    )
    chart.update_layout(bargap=0.35)
    chart.update_xaxes(range=[min([0.0, *(value for _, value in points)]), 1.02])
    chart.update_yaxes(autorange="reversed")
    return chart


def pointer_errors(
    by_repeat: Sequence[Mapping[str, Any]], baseline: PointerBaseline | None, appearance: str = "light"
) -> go.Figure:
    """Mean absolute errors in bars, the model's next to a constant pointer's; the whiskers span the repeats."""
    colours = palette(appearance)
    labels = {metric.name: metric.label for metric in shown_in("errors")}
    known = {name: _column(by_repeat, name) for name in labels}
    names = [name for name in labels if known[name]]
    means = [float(np.mean(known[name])) for name in names]
    titles = [labels[name] for name in names]
    chart = figure(appearance, 300)
    chart.add_trace(
        go.Bar(
            x=titles,
            y=means,
            name="model",
            marker={"color": colours.up},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [max(known[name]) - mean for name, mean in zip(names, means, strict=True)],
                "arrayminus": [mean - min(known[name]) for name, mean in zip(names, means, strict=True)],
                "color": colours.ink,
                "thickness": 1.2,
            },
            hovertemplate="model, %{x}: %{y:.1f} bars<extra></extra>",
        )
    )
    if baseline is not None:
        constant = [constant_pointer(baseline).get(name) for name in names]
        chart.add_trace(
            go.Bar(
                x=titles,
                y=constant,
                name="constant pointer",
                marker={"color": faded(colours.muted, 0.55)},
                hovertemplate="constant pointer, %{x}: %{y:.1f} bars<extra></extra>",
            )
        )
    chart.update_layout(barmode="group", bargap=0.35)
    chart.update_yaxes(title="mean error, bars", rangemode="tozero")
    return chart


def _column(by_repeat: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [float(row[name]) for row in by_repeat if row.get(name) is not None]
