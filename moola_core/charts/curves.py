"""Curves of a run over its epochs: losses, σ and gradient conflict; a thin line a fit, a bold one their median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from moola_core.charts.theme import faded, figure, palette

Columns = Mapping[str, np.ndarray]
MOST_POINTS, MOST_EPOCHS = 20_000, 2_000  # of a chart: more than a screen has places


@dataclass(frozen=True)
class Line:
    """One quantity to draw: its column, the split it is read from ("" for all rows), its name and colour's place."""

    column: str
    split: str
    name: str
    colour: int


def losses(epochs: Columns, column: str, appearance: str = "light", constant: float | None = None) -> go.Figure:
    """A task's loss by epoch, training and validation. `epochs` has repeat, fold, epoch, split and the loss columns.

    constant: the loss of a constant prediction (ln C for C classes), drawn as a line.
    """
    lines = (Line(column, "train", "training", 0), Line(column, "validation", "validation", 1))
    chart = _curves(epochs, lines, "loss", appearance)
    if constant is not None:
        last = float(np.max(epochs["epoch"], initial=1))
        chart.add_trace(
            go.Scatter(
                x=[0, last],
                y=[constant, constant],
                mode="lines",
                name="constant prediction",
                line={"width": 1.4, "dash": "dot", "color": palette(appearance).muted},
                hovertemplate=f"always the same prediction: {constant:.3f}<extra></extra>",
            )
        )
    return chart


def pretraining(epochs: Columns, appearance: str = "light") -> go.Figure:
    """The loss of pre-training by epoch, on training and validation windows."""
    lines = (Line("loss", "train", "training", 0), Line("loss", "valid", "validation", 1))
    return _curves(epochs, lines, "loss", appearance)


def rate(epochs: Columns, appearance: str = "light") -> go.Figure:
    """The learning rate of each epoch's last step."""
    return _curves(epochs, (Line("lr", "train", "learning rate", 0),), "learning rate", appearance)


def objective(epochs: Columns, appearance: str = "light") -> go.Figure:
    """What training minimises: the weighted sum of the losses. It has no unit and may be negative."""
    return _curves(epochs, (Line("loss", "train", "training", 0),), "weighted sum", appearance)


def score(epochs: Columns, appearance: str = "light") -> go.Figure:
    """The early-stopping score: each task's validation loss relative to that of a constant prediction, added up."""
    return _curves(epochs, (Line("loss", "validation", "validation", 1),), "loss relative to a constant", appearance)


def sigmas(epochs: Columns, appearance: str = "light") -> go.Figure:
    """σ of each task by epoch; at 1 where the weighting never moved."""
    lines = (Line("sigma_class", "train", "σ class", 0), Line("sigma_pointer", "train", "σ pointer", 1))
    return _curves(epochs, lines, "σ", appearance)


def conflict(steps: Columns, appearance: str = "light") -> go.Figure:
    """Share of steps by epoch whose gradients disagree, and of those projected. `steps` has one row a step."""
    rates = _by_epoch(steps, ("conflict", "projected"))
    colours = palette(appearance)
    chart = figure(appearance, 300)
    for name, title, colour in (("conflict", "in conflict (cos < 0)", 0), ("projected", "projected", 1)):
        chart.add_trace(
            go.Scatter(
                x=rates["epoch"],
                y=rates[name],
                mode="lines",
                name=title,
                line={"width": 2.6, "color": colours.categorical[colour]},
                customdata=rates["steps"],
                hovertemplate=f"{title}, epoch %{{x}}: %{{y:.0%}} of %{{customdata}} steps<extra></extra>",
            )
        )
    chart.update_xaxes(title="epoch", rangemode="tozero")
    chart.update_yaxes(title="share of steps", range=[-0.02, 1.02], tickformat=".0%")
    return chart


def by_epoch(epochs: Columns, lines: Sequence[Line], title: str, appearance: str = "light") -> go.Figure:
    """Other quantities by epoch; title: of the axis."""
    return _curves(epochs, lines, title, appearance)


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
    """All fits as one line that is broken between them: one trace draws far faster than fifty. Of very many epochs every k-th is drawn."""
    order = np.lexsort((rows["epoch"], rows["fold"], rows["repeat"]))
    order = order[:: -(-len(order) // MOST_POINTS) or 1]
    repeat, fold = rows["repeat"][order], rows["fold"][order]
    cuts = np.flatnonzero((np.diff(repeat) != 0) | (np.diff(fold) != 0)) + 1
    return np.insert(rows["epoch"][order], cuts, np.nan), np.insert(rows[column][order], cuts, np.nan)


def _median(rows: Mapping[str, np.ndarray], column: str) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and the median of the fits in each; of very many epochs every k-th."""
    order = np.argsort(rows["epoch"], kind="stable")
    epochs, first = np.unique(rows["epoch"][order], return_index=True)
    own = np.split(rows[column][order], first[1:])
    step = -(-len(epochs) // MOST_EPOCHS) or 1
    return epochs[::step], np.array([np.median(values) for values in own[::step]])


def _by_epoch(steps: Columns, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Means of the step columns `names` over all fits' steps of an epoch; steps where they were not measured are left out."""
    values = np.column_stack([np.asarray(steps[name], dtype=float) for name in names])
    measured = np.isfinite(values).all(axis=1)
    epochs, place = np.unique(np.asarray(steps["epoch"])[measured], return_inverse=True)
    counts = np.bincount(place, minlength=len(epochs))
    means = {name: np.bincount(place, values[measured, i], len(epochs)) / counts for i, name in enumerate(names)}
    return {"epoch": epochs, "steps": counts, **means}
