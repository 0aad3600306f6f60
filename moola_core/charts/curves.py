"""Curves of a run over its epochs: losses, σ and gradient conflict; a thin line a fit, a bold one their median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.theme import faded, figure, palette

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Line:
    """One quantity to draw: its column, the split it is read from ("" for all rows), its name and colour's place."""

    column: str
    split: str
    name: str
    colour: int


LOSSES = {
    "loss": "Total loss",
    "loss_class": "Class loss",
    "loss_pointer": "Pointer loss",
}


def losses(epochs: Columns, column: str = "loss", appearance: str = "light") -> go.Figure:
    """Training and inner-split loss by epoch. `epochs` has repeat, fold, epoch, split and the loss columns, one row an event."""
    lines = (Line(column, "train", "training", 0), Line(column, "inner", "inner split", 1))
    return _curves(epochs, lines, LOSSES.get(column, column), appearance)


def sigmas(epochs: Columns, appearance: str = "light") -> go.Figure:
    """σ of each task by epoch; at 1 where the weighting never moved."""
    lines = (Line("sigma_class", "train", "σ class", 0), Line("sigma_pointer", "train", "σ pointer", 1))
    return _curves(epochs, lines, "σ", appearance)


def conflict(steps: Columns, appearance: str = "light") -> go.Figure:
    """Share of steps by epoch whose gradients disagree, and of those projected. `steps` has one row a step."""
    rates = _by_epoch(steps, ("conflict", "projected"))
    lines = (Line("conflict", "", "in conflict (cos < 0)", 0), Line("projected", "", "projected", 1))
    chart = _curves(rates, lines, "share of steps", appearance)
    chart.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    return chart


def _curves(table: Columns, lines: Sequence[Line], title: str, appearance: str) -> go.Figure:
    colours = palette(appearance)
    chart = figure(appearance, 300)
    for line in lines:
        rows = _rows(table, line)
        if not len(rows["epoch"]):
            continue
        colour = colours.categorical[line.colour]
        x, y = _joined(rows, line.column)
        chart.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="lines",
                line={"width": 1, "color": faded(colour, 0.28)},
                hoverinfo="skip",
                showlegend=False,
            )
        )
        epochs, middle = _median(rows, line.column)
        chart.add_trace(
            go.Scatter(
                x=epochs,
                y=middle,
                mode="lines+markers" if len(epochs) < 3 else "lines",
                name=line.name,
                line={"width": 2.6, "color": colour},
                hovertemplate=f"{line.name}, epoch %{{x}}: %{{y:.3f}}<extra>median of fits</extra>",
            )
        )
    chart.update_xaxes(title="epoch", rangemode="tozero")
    chart.update_yaxes(title=title)
    return chart


def _rows(table: Columns, line: Line) -> dict[str, np.ndarray]:
    keys = ("repeat", "fold", "epoch", line.column)
    if line.column not in table:
        return {key: np.empty(0) for key in keys}
    values = np.asarray(table[line.column], dtype=float)
    keep = np.isfinite(values)
    if line.split:
        keep &= np.asarray(table["split"]) == line.split
    return {key: np.asarray(table[key], dtype=float)[keep] for key in keys}


def _joined(rows: Mapping[str, np.ndarray], column: str) -> tuple[np.ndarray, np.ndarray]:
    """All fits as one line that is broken between them: one trace draws far faster than fifty."""
    order = np.lexsort((rows["epoch"], rows["fold"], rows["repeat"]))
    repeat, fold = rows["repeat"][order], rows["fold"][order]
    cuts = np.flatnonzero((np.diff(repeat) != 0) | (np.diff(fold) != 0)) + 1
    return np.insert(rows["epoch"][order], cuts, np.nan), np.insert(rows[column][order], cuts, np.nan)


def _median(rows: Mapping[str, np.ndarray], column: str) -> tuple[np.ndarray, np.ndarray]:
    epochs = np.unique(rows["epoch"])
    return epochs, np.array([np.median(rows[column][rows["epoch"] == epoch]) for epoch in epochs])


def _by_epoch(steps: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Means of the step columns `names` for each (repeat, fold, epoch)."""
    keys = np.column_stack([np.asarray(steps[key], dtype=float) for key in ("repeat", "fold", "epoch")])
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    counts = np.bincount(place.ravel(), minlength=len(unique))
    means = {
        name: np.bincount(place.ravel(), np.asarray(steps[name], dtype=float), minlength=len(unique)) / counts
        for name in names
    }
    return {"repeat": unique[:, 0], "fold": unique[:, 1], "epoch": unique[:, 2], **means}
